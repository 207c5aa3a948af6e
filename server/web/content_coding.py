"""Content codings of HTTP: which one a client would have, and text compressed as it comes."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final, Protocol

import zstandard
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.datastructures import Headers

__all__ = ["CODERS", "Coder", "acceptable_coding", "coding_for"]

_ELEMENT: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9a-z-]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?",
    re.ASCII | re.IGNORECASE,
)
_UNLISTED_IDENTITY: Final = 0.0001
"""Weight of no coding where nothing is said about it: acceptable, and less than anything asked
for, which weighs 0.001 or more."""

_ZSTD_LEVEL: Final = 3  # its window is 2 MiB; a client need take no more than 8 (RFC 9659)
_GZIP_LEVEL: Final = 4
_GZIP_FORM: Final = 16 + zlib.MAX_WBITS


class Coder(Protocol):
    """Compresses one body, in pieces."""

    def encode(self, data: bytes, *, flush: bool) -> bytes:
        """Take the next piece; with `flush`, all that was taken can be decoded from what came."""

    def finish(self) -> bytes:
        """Return the rest of the body."""


class _Identity:
    def encode(self, data: bytes, *, flush: bool) -> bytes:
        del flush
        return data

    def finish(self) -> bytes:
        return b""


class _Zstd:
    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()

    def encode(self, data: bytes, *, flush: bool) -> bytes:
        text = self._compressor.compress(data)
        if flush:
            text += self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        return text

    def finish(self) -> bytes:
        return self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)


class _Gzip:
    def __init__(self) -> None:
        self._compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORM)

    def encode(self, data: bytes, *, flush: bool) -> bytes:
        text = self._compressor.compress(data)
        if flush:
            text += self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return text

    def finish(self) -> bytes:
        return self._compressor.flush()


CODERS: Final[Mapping[str, Callable[[], Coder]]] = {
    "zstd": _Zstd,
    "gzip": _Gzip,
    "identity": _Identity,
}
"""The codings there are, the best first."""


def coding_for(headers: Headers) -> str:
    """Return the coding that a request asks for, over all lines of its header.

    Raises:
        HTTPException: 406, its client takes none of ours, not even the plain text.
    """
    lines = headers.getlist("accept-encoding")
    coding = acceptable_coding(",".join(lines) if lines else None)
    if coding is None:
        names = ", ".join(CODERS)
        raise HTTPException(
            406, f"no acceptable coding, there are {names}", {"vary": "Accept-Encoding"}
        )
    return coding


def acceptable_coding(accepted: str | None) -> str | None:
    """Return the coding that an `Accept-Encoding` asks for (RFC 9110, 12.5.3).

    Of those with the greatest weight it is our best. None where the client takes none of ours, not
    even the plain text. Without the header nothing is compressed: such clients rarely can decode.
    What is not of the header's form is left out.
    """
    if accepted is None:
        return "identity"
    weights = _weights(accepted)
    others = weights.get("*")
    unlisted = dict.fromkeys(CODERS, others or 0.0)
    if others is None:
        unlisted["identity"] = _UNLISTED_IDENTITY
    best = max(CODERS, key=lambda name: weights.get(name, unlisted[name]))
    return best if weights.get(best, unlisted[best]) > 0 else None


def _weights(accepted: str) -> dict[str, float]:
    weights = {}
    for element in accepted.split(","):
        match = _ELEMENT.fullmatch(element.strip(" \t"))
        if match is not None:
            name = match[1].lower().removeprefix("x-")
            weights[name] = 1.0 if match[2] is None else float(match[2])
    return weights
