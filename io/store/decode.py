"""The lines of a segment, block by block: in bounded memory, and as far as a torn one goes.

zstd frames consist of blocks of at most 128 KiB of text, each with a header that gives its size
in the file. The decoder is fed one block at a time, so a hostile file cannot make it unfold
gigabytes in one call, and damage in a block costs no line that ended before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import orjson
import zstandard

from marketcam.engine import MAX_ID
from marketcam.io.lines import MAX_LINE_BYTES, MAX_WINDOW_BYTES
from marketcam.io.store.errors import DamagedSegmentError, TornSegmentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "MAX_PARSED_BYTES",
    "Summary",
    "blocks",
    "lines_of",
    "read_lines",
    "section_blocks",
    "summary_of",
    "tick_at_start",
    "tick_of_line",
    "whole_lines",
]

_MAGIC: Final = zstandard.FRAME_HEADER
_SKIPPABLE: Final = range(0x184D2A50, 0x184D2A60)
_RAW, _RLE, _COMPRESSED = range(3)
_LONG_LINE: Final = 1024
MAX_PARSED_BYTES: Final = 8 * 2**20
"""Longest line of a file that is parsed whole. Each three bytes of one may be an object that takes
sixty, and a file of a few kilobytes may hold a line of `MAX_LINE_BYTES`."""
_TICK_FIRST: Final = re.compile(rb'\{(?:"type":"[a-z_]*",)?"t":(-?[0-9]{1,16})[,}]')


@dataclass(frozen=True, slots=True)
class Summary:
    """What there is to know of a segment's lines.

    Attributes:
        lines: how many there are.
        end_t: tick number of the last one; None where it has none, or without lines.
    """

    lines: int
    end_t: int | None


def tick_of_line(line: bytes) -> int | None:
    """Return the `t` of a JSON line, None where it has no integer of that name within ±MAX_ID.

    A line of more than `MAX_PARSED_BYTES` that does not begin as ours do has none.

    Cost: 0.3 µs for lines that begin as ours do; others are parsed whole.
    """
    t = tick_at_start(line)
    return _parsed_tick(line) if t is None else t


def tick_at_start(text: bytes, start: int = 0) -> int | None:
    """Return the tick of the line that begins at `start`, be it whole or not, without a copy.

    None also for a line that does not begin as ours do: `tick_of_line` parses it once it is whole.
    """
    match = _TICK_FIRST.match(text, start)
    return None if match is None else _as_tick(int(match[1]))


def _parsed_tick(line: bytes) -> int | None:
    if len(line) > MAX_PARSED_BYTES:
        return None
    try:
        return _as_tick(orjson.loads(line)["t"])
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return None


def _as_tick(t: object) -> int | None:
    return t if type(t) is int and -MAX_ID <= t <= MAX_ID else None


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield a segment's whole lines, in order, without their line ends; empty ones are skipped.

    The checksum stands at the end of a segment, so it is checked after the last line is yielded.

    Raises:
        TornSegmentError: the segment, or its last line, has no end. Every whole line was yielded.
        DamagedSegmentError: the bytes contradict the format, or a line is longer than
            `MAX_LINE_BYTES`. Every whole line before the damage was yielded.

    Cost: 0.4 µs a line of 200 bytes, 0.7 ms a megabyte of long lines.
    """
    for text in whole_lines(blocks(file)):
        yield from lines_of(text)


def summary_of(lines: Iterable[bytes]) -> Summary:
    """Count lines and take the last one's tick number."""
    count = 0
    last = None
    for count, last in enumerate(lines, 1):  # noqa: B007 - the last pair is the answer
        pass
    return Summary(count, None if last is None else tick_of_line(last))


def whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join and cut pieces of text so that each holds one or more whole lines, with their ends.

    Raises:
        TornSegmentError, DamagedSegmentError: as `read_lines` has it, and what the pieces raise.
    """
    rest: list[bytes] = []
    rest_bytes = 0
    for piece in pieces:
        first = piece.find(b"\n") if rest else 0
        if rest_bytes + (first if first >= 0 else len(piece)) > MAX_LINE_BYTES:
            raise DamagedSegmentError(f"a line is longer than {MAX_LINE_BYTES} bytes")
        end = piece.rfind(b"\n") + 1
        if end:
            rest.append(piece[:end])
            yield rest[0] if len(rest) == 1 else b"".join(rest)
            rest, rest_bytes = [], 0
        if end < len(piece):
            rest.append(piece[end:])
            rest_bytes += len(piece) - end
    if rest_bytes:
        raise TornSegmentError(f"the last line has no end after {rest_bytes} bytes")


def lines_of(text: bytes) -> list[bytes]:
    """Split whole lines at their ends; empty ones are left out.

    Cost: 0.1 µs a line; a copy.
    """
    first = text.find(b"\n")
    if first < _LONG_LINE:
        return list(filter(None, text.split(b"\n")))
    lines = []
    start, end = 0, first
    while end >= 0:  # four times as fast as `split` where lines are long
        if end > start:
            lines.append(text[start:end])
        start = end + 1
        end = text.find(b"\n", start)
    return lines


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the text of a zstd file block by block, at most 128 KiB each; empty ones are skipped.

    Several zstd frames in a row are read through, skippable ones left out, as zstd tools do.

    Raises:
        TornSegmentError, DamagedSegmentError: as `read_lines` has it.
    """
    while magic := file.read(4):
        if int.from_bytes(magic, "little") in _SKIPPABLE and len(magic) == 4:
            _skip(file)
        elif magic == _MAGIC:
            yield from _frame_blocks(file)
        elif _MAGIC.startswith(magic):
            raise TornSegmentError("the segment ends within a zstd frame's header")
        else:
            raise DamagedSegmentError(
                f"zstd frame must start with {_MAGIC.hex()}, got {magic.hex()}"
            )


def _skip(file: BinaryIO) -> None:
    left = int.from_bytes(_exactly(file, 4), "little")
    while left:
        left -= len(_exactly(file, min(left, zstandard.BLOCKSIZE_MAX)))


def section_blocks(file: BinaryIO, start: int, stop: int | None = None) -> Iterator[bytes]:
    """Yield the text of a file with sections from one of their marks on, as `blocks` does.

    The checksum is of the whole file, so it is not checked.

    Args:
        file: the file.
        start: where a mark is.
        stop: where another is; the text before it is the last. None: the end of the file.

    Raises:
        TornSegmentError, DamagedSegmentError: as `read_lines` has it.
    """
    file.seek(len(_MAGIC))
    window = _header(file)[len(_MAGIC) + 1 : len(_MAGIC) + 2]
    file.seek(start)
    yield from _decoded(file, _MAGIC + b"\0" + window, None if stop is None else stop - start)


def _frame_blocks(file: BinaryIO) -> Iterator[bytes]:
    return _decoded(file, _header(file))


def _decoded(file: BinaryIO, header: bytes, size: int | None = None) -> Iterator[bytes]:
    """Yield the text of the blocks that follow, under a header, up to the last or to a size."""
    has_checksum = bool(header[4] & 0x04)
    decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
    try:
        decoder.decompress(header)
        last, done = False, 0
        while not last and (size is None or done < size):
            start = _exactly(file, 3)
            fields = int.from_bytes(start, "little")
            last, kind, length = bool(fields & 1), fields >> 1 & 3, fields >> 3
            if length > zstandard.BLOCKSIZE_MAX:
                raise DamagedSegmentError(
                    f"zstd block must have at most {zstandard.BLOCKSIZE_MAX} bytes, got {length}"
                )
            block = start + _exactly(file, 1 if kind == _RLE else length)
            done += len(block)
            text = decoder.decompress(block)
            if text:
                yield text
        if has_checksum:
            decoder.decompress(_exactly(file, 4))
    except zstandard.ZstdError as error:
        raise DamagedSegmentError(str(error)) from error


def _header(file: BinaryIO) -> bytes:
    """Read a frame's header, its magic being read: 2 to 14 bytes, as its first byte tells."""
    descriptor = _exactly(file, 1)
    single_segment = descriptor[0] >> 5 & 1
    window = 1 - single_segment
    dictionary_id = (0, 1, 2, 4)[descriptor[0] & 3]
    content_size = (single_segment, 2, 4, 8)[descriptor[0] >> 6]
    return _MAGIC + descriptor + _exactly(file, window + dictionary_id + content_size)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise TornSegmentError(f"the segment ends {size - len(data)} bytes before a block's end")
    return data
