"""Lines on their way from where they were made to where they are recorded: packed, a stream."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KINDS", "LinePack", "unpacked"]

KINDS: Final = ("frames", "metrics", "ticks")
"""The kinds of lines there may be in a pack."""

_CODE: Final = {kind: code for code, kind in enumerate(KINDS)}
_HEAD: Final = struct.Struct("<BqI")
_LEVEL: Final = 1
"""Lines live in a pack for a moment only: time counts more than bytes."""
_CHUNK_BYTES: Final = 64 * 1024


class LinePack:
    """Takes lines; memory: what they are compressed to, and 64 KiB or the longest line."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
        self._packed: list[bytes] = []
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, kind: str, line: bytes, t: int) -> None:
        """Take a line of tick `t`, without its line end."""
        self._waiting += (_HEAD.pack(_CODE[kind], t, len(line)), line)
        self._size += len(line)
        if self._size >= _CHUNK_BYTES:
            self._compress()

    def packed(self) -> bytes:
        """Return all lines taken; nothing may be added afterwards."""
        self._compress()
        self._packed.append(self._compressor.flush())
        return b"".join(self._packed)

    def _compress(self) -> None:
        self._packed.append(self._compressor.compress(b"".join(self._waiting)))
        self._waiting, self._size = [], 0


def unpacked(pack: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Yield kind, line and tick of the lines of a pack, in their order. Memory: as `LinePack`."""
    stream = zstandard.ZstdDecompressor().stream_reader(pack, read_size=_CHUNK_BYTES)
    with io.BufferedReader(stream, _CHUNK_BYTES) as reader:
        while head := reader.read(_HEAD.size):
            code, t, size = _HEAD.unpack(head)
            yield KINDS[code], reader.read(size), t
