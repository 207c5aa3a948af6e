"""Origins: of which web pages connections are taken, and which may read answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["ANY", "Origins"]

ANY: Final = "*"
"""In place of a list: every origin may."""

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[^/?#@:\s\[\]]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins that may.

    Attributes:
        listed: their names as browsers send them; None for any.
    """

    listed: tuple[str, ...] | None

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a list of origins, joined by commas, or ``*``.

        Raises:
            ValueError: one is none; names it.
        """
        names = [name.strip() for name in text.split(",") if name.strip()]
        if ANY in names:
            return cls(None)
        return cls(tuple(dict.fromkeys(map(_normal, names))))

    def allow(self, origin: str) -> bool:
        """Return whether a page of this origin may connect.

        Who sends none is no page: browsers always say where a page is from, and other programs
        could say what they like.
        """
        return self.listed is None or origin.lower() in self.listed


def _normal(name: str) -> str:
    """Write an origin as browsers do.

    In lower case, with the ASCII form of an international name, without the scheme's own port.
    """
    found = _ORIGIN.fullmatch(name.lower().removesuffix("/"))
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        raise ValueError(f"not an origin: {name!r}")
    scheme, host = found["scheme"], found["host"]
    port = None if found["port"] is None else int(found["port"])
    if not host.isascii():
        host = host.encode("idna").decode()
    return f"{scheme}://{host}{'' if port in {None, _DEFAULT_PORTS.get(scheme)} else f':{port}'}"
