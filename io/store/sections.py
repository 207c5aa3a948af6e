"""Where in a segment's file decoding may begin, and at which place a tick is found.

A segment is written in sections (see `zstd_file`): each refers to nothing before it, and a mark
stands before each. The headers of a zstd frame's blocks tell the blocks' sizes, so the marks are
found by going from header to header: nothing is decoded, and of the file one page a block is read.
That works as well on a file that grows, on a torn one, and on one that is damaged, up to there.

A mark is only a hint: what is decoded from it may turn out to be damage, in which case the file is
read from its beginning, as one without sections is.
"""

from __future__ import annotations

import os
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final

import zstandard

from marketcam.engine import MAX_ID
from marketcam.io.store.decode import (
    blocks,
    lines_of,
    section_blocks,
    tick_at_start,
    tick_of_line,
    whole_lines,
)
from marketcam.io.store.errors import StoreError, TornSegmentError
from marketcam.io.store.zstd_file import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SectionCache", "Sections", "first_tick", "last_tick", "section_before", "sections_of"]

_HEADER_BYTES: Final = 14
_OURS: Final = zstandard.FRAME_HEADER + b"\xc4"
_RLE: Final = 1
_RESERVED: Final = 3
_PAGE_BYTES: Final = 4096

# Marks nearer than this to the one before are left out. Decoding that much takes as long as one
# step of the search, and so a hostile file of nothing but marks makes a small index.
_APART_BYTES: Final = 16 * 1024

_CACHED_FILES: Final = 64
"""Files whose sections are remembered, 2 KB each; the one asked for longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of a file, as far as it was there.

    Attributes:
        marks: where their marks are; empty for a file without sections.
        end: where the first block begins that was not whole yet; nothing before it changes.
        is_whole: whether the last block was seen.
    """

    marks: Sequence[int] = ()
    end: int = 0
    is_whole: bool = False


def sections_of(file: BinaryIO, known: Sections | None = None) -> Sections:
    """Find the sections of a file; what is known of it from earlier is taken as given.

    Cost: 1 µs a block of 128 KiB of text; 2 ms for 256 MiB.
    """
    descriptor = file.fileno()
    known = known or Sections()
    if known.is_whole:
        return known
    if not known.end:
        start = os.pread(descriptor, _HEADER_BYTES + len(MARK), 0)
        if not start.startswith(_OURS) or start[_HEADER_BYTES:] != MARK:
            return known
        known = replace(known, end=_HEADER_BYTES)
    marks = array("q", known.marks)
    end, is_whole = _walk(descriptor, known.end, marks)
    return replace(known, marks=marks, end=end, is_whole=is_whole)


def _walk(descriptor: int, position: int, marks: array[int]) -> tuple[int, bool]:
    """Go from block to block; return where the first one that is not whole begins, if any."""
    size = os.fstat(descriptor).st_size
    page, page_at = b"", position
    while True:
        if position + 3 > page_at + len(page):
            page, page_at = os.pread(descriptor, _PAGE_BYTES, position), position
            if len(page) < 3:
                return position, False
        at = position - page_at
        fields = int.from_bytes(page[at : at + 3], "little")
        kind, length = fields >> 1 & 3, fields >> 3
        end = position + 3 + (1 if kind == _RLE else length)
        if end > size or kind == _RESERVED or length > zstandard.BLOCKSIZE_MAX:
            return position, False
        if not fields and (not marks or position - marks[-1] >= _APART_BYTES):
            marks.append(position)
        position = end
        if fields & 1:
            return position, True


def first_tick(file: BinaryIO, mark: int) -> int | None:
    """Return the tick of the first line of a section; None where that is not in the file yet.

    Raises:
        DamagedSegmentError: the section cannot be decoded.
        StoreError: the line has no tick number.

    Cost: 0.1 ms; more where a line is longer than a block and does not begin as ours do.
    """
    blocks = section_blocks(file, mark)
    try:
        start = next(blocks, b"")
        t = tick_at_start(start)
        if t is None:
            start = next(whole_lines(chain([start], blocks)), b"")
            t = tick_of_line(start.partition(b"\n")[0]) if start else None
    except TornSegmentError:
        return None
    if t is None and start:
        raise StoreError(f"a line has no tick number: {start[:60]!r}")
    return t


def section_before(file: BinaryIO, sections: Sections, t: int) -> int | None:
    """Return the last mark before every line of tick `t` or a later one; None without any.

    Raises:
        As `first_tick`.

    Cost: the decoding of one block for each doubling of the sections: 1 ms for 256 MiB of text.
    """

    def tick(mark: int) -> int:
        found = first_tick(file, mark)
        return MAX_ID + 1 if found is None else found

    after = bisect_left(sections.marks, t, key=tick)
    return sections.marks[max(0, after - 1)] if sections.marks else None


def last_tick(file: BinaryIO, sections: Sections) -> int | None:
    """Return the tick of the last whole line; None where there is no line, or it has none.

    Raises:
        DamagedSegmentError: the last section cannot be decoded.

    Cost: the decoding of a section, 1 ms; of the file where it has none.
    """
    for mark in reversed(sections.marks or (None,)):
        text = None
        with suppress(TornSegmentError):
            pieces = blocks(file) if mark is None else section_blocks(file, mark)
            for text in whole_lines(pieces):  # noqa: B007 - the last one is the answer
                pass
        if text is not None:
            return tick_of_line(lines_of(text)[-1])
    return None


class SectionCache:
    """The sections of the files that were asked for last, for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int], tuple[int, Sections]] = OrderedDict()

    def of(self, key: str, file: BinaryIO) -> Sections:
        """Return the sections of an open file, of which only what is new is looked at.

        Args:
            key: what the file is known by, closed or pending: with the number of its inode it
                tells apart what is not the same file.
            file: the file, open.
        """
        stat = os.fstat(file.fileno())
        with self._lock:
            written_at, known = self._known.get((key, stat.st_ino), (0, None))
        if known is not None and (
            stat.st_size < known.end or (known.is_whole and written_at != stat.st_mtime_ns)
        ):
            known = None
        found = sections_of(file, known)
        self.put(key, stat, found)
        return found

    def put(self, key: str, stat: os.stat_result, sections: Sections) -> None:
        """Remember what is known of a file by now."""
        with self._lock:
            place = (key, stat.st_ino)
            self._known[place] = (stat.st_mtime_ns, sections)
            self._known.move_to_end(place)
            while len(self._known) > _CACHED_FILES:
                self._known.popitem(last=False)
