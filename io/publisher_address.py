"""Where a camera takes in ticks, and what has to be shown there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit, urlunsplit

from marketcam.io.publisher_errors import PublishError
from marketcam.io.token_text import TokenFileError, token_text

if TYPE_CHECKING:
    import ssl

__all__ = ["IngestAddress"]

_SCHEMES: Final = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}
_SOURCE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]{16,256}", re.ASCII)
_TOKEN_VARIABLE: Final = "IG_INGEST_TOKEN"  # noqa: S105 - the name of a variable, no token


@dataclass(frozen=True, slots=True)
class IngestAddress:
    """A camera's `/ws/ingest`.

    Attributes:
        uri: its address, with the source's name.
        source: the name by which the camera knows the producer.
        token: what is shown; in no representation.
        tls: how to check the server, for ``wss``; None: against the system's authorities.
    """

    uri: str
    source: str
    token: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, url: str, token: str | None, source: str, tls: ssl.SSLContext | None = None
    ) -> Self:
        """Return the address behind a camera's ``http``, ``https``, ``ws`` or ``wss`` URL.

        Args:
            url: the camera's, perhaps with a path before its own.
            token: the token, or ``@FILE`` that holds it; None: what `IG_INGEST_TOKEN` says.
            source: 1 to 64 of ``A-Z a-z 0-9 . _ -``.
            tls: see the class.

        Raises:
            PublishError: one of them is none; never repeats the token.
        """
        if _SOURCE.fullmatch(source) is None:
            raise PublishError(f"source must be 1 to 64 of A-Z a-z 0-9 . _ -, got {source!r:.80}")
        return cls(f"{_base(url)}/ws/ingest?source={source}", source, _token(token), tls)

    @property
    def is_secure(self) -> bool:
        """Whether it is reached by TLS."""
        return self.uri.startswith("wss:")


def _base(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise PublishError(f"not an address: {url!r:.120}: {error}") from error
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise PublishError(f"address must be http(s)://… or ws(s)://…, got {url!r:.120}")
    if parts.username is not None or parts.query or parts.fragment:
        raise PublishError("address must have no user, query or fragment")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise PublishError(f"address must be of printable ASCII without spaces, got {url!r:.120}")
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _token(given: str | None) -> str:
    text = os.environ.get(_TOKEN_VARIABLE, "") if given is None else given
    if not text:
        raise PublishError(f"a token must be given, or stand in {_TOKEN_VARIABLE}; got none")
    try:
        text = token_text(text)
    except TokenFileError as error:
        raise PublishError(f"the token's file cannot be read: {error}") from None
    if _TOKEN.fullmatch(text) is None:
        raise PublishError("a token must be 16 to 256 printable ASCII characters without spaces")
    return text
