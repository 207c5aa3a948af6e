"""Numbered lines from plain or zstd-compressed bytes, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import zstandard

from marketcam.io.lines import MAX_LINE_BYTES, MAX_WINDOW_BYTES
from marketcam.io.sources.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.io.sources.byte_input import ByteInput

__all__ = ["LineReader", "TornEnd"]

_READ_BYTES: Final = 64 * 1024
_DECODE_BYTES: Final = 1024
"""Compressed bytes decoded in one go: no 1 KiB of zstd becomes more than 32 MiB."""

_BOM: Final = b"\xef\xbb\xbf"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = [bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60)]


@dataclass(frozen=True, slots=True)
class TornEnd:
    """The compressed input ended inside a zstd frame, as a segment being written does.

    Attributes:
        after_line: the last whole line.
        dropped_bytes: what was there of a further line.
    """

    after_line: int
    dropped_bytes: int

    def __str__(self) -> str:
        return (
            f"the zstd stream breaks off after line {self.after_line}; "
            f"{self.dropped_bytes} bytes of a further line were dropped"
        )


class LineReader:
    r"""Splits an input at ``\n``; recognizes zstd, in one frame or many, by its first bytes.

    The last line counts also without its ``\n``, unless the input is torn there. A byte order mark
    at the start of the text, as editors of Windows leave one, is not part of the first line.

    Attributes:
        number: number of the line last read, from 1; blank lines count.
        torn_end: set once the lines have ended, where they ended inside a zstd frame.
    """

    def __init__(self, source: ByteInput, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self.number = 0
        self.torn_end: TornEnd | None = None
        self._source = source
        self._max_line_bytes = max_line_bytes
        self._frame: zstandard.ZstdDecompressionObj | None = None

    def __iter__(self) -> Iterator[bytes | None]:
        """Yield the lines without their ends, None for one that is too long to be read.

        Memory: twice the line. For compressed input also its window, 128 MiB at most (a larger
        one is damage), and what is decoded in one go: little of honest data, of hostile ones
        32 MiB of text and its lines.

        Raises:
            SourceError: reading failed, or the zstd data are damaged; names the last line.
        """
        pieces = _Pieces(self._max_line_bytes)
        try:
            for chunk in self._chunks():
                *ended, rest = chunk.split(b"\n")
                for piece in ended:
                    pieces.add(piece)
                    self.number += 1
                    yield self._line(pieces)
                pieces.add(rest)
        except (OSError, zstandard.ZstdError) as error:
            raise SourceError(f"{self._source.name}: after line {self.number}: {error}") from error
        if self._source.closed:
            return
        if self._frame is not None:
            self.torn_end = TornEnd(self.number, pieces.size)
        elif pieces.size:
            self.number += 1
            yield self._line(pieces)

    def _line(self, pieces: _Pieces) -> bytes | None:
        line = pieces.take()
        return line.removeprefix(_BOM) if line is not None and self.number == 1 else line

    def _chunks(self) -> Iterator[bytes]:
        data = b""
        while len(data) < len(_ZSTD) and (more := self._source.read(_READ_BYTES)):
            data += more
        compressed = data[: len(_ZSTD)] in _SKIPPABLE or data[: len(_ZSTD)] == _ZSTD[: len(data)]
        while data:
            if compressed:
                yield from self._decompressed(data)
            else:
                yield data
            data = self._source.read(_READ_BYTES)

    def _decompressed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _DECODE_BYTES):
            step = data[start : start + _DECODE_BYTES]
            while step:
                if self._frame is None:
                    self._frame = _decoder()
                yield self._frame.decompress(step)
                step = b""
                if self._frame.eof:
                    step = self._frame.unused_data
                    self._frame = None


def _decoder() -> zstandard.ZstdDecompressionObj:
    return zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()


class _Pieces:
    """One line in the making; what exceeds the limit is counted and forgotten."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._limit:
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def take(self) -> bytes | None:
        line = b"".join(self._pieces) if self.size <= self._limit else None
        self.size = 0
        self._pieces.clear()
        return line
