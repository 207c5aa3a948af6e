"""One segment being read: its file, from its beginning or from near a tick."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO, Self

from marketcam.io.store.clock import utc_text
from marketcam.io.store.decode import blocks, lines_of, section_blocks, tick_of_line, whole_lines
from marketcam.io.store.entry import SegmentEntry
from marketcam.io.store.errors import DamagedSegmentError, StoreError, TornSegmentError
from marketcam.io.store.files import share
from marketcam.io.store.runs import UNNAMED_RUN
from marketcam.io.store.sections import last_tick, section_before

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from types import TracebackType

    from marketcam.io.store.catalog import Listed
    from marketcam.io.store.names import SegmentName
    from marketcam.io.store.sections import SectionCache, Sections

__all__ = ["OpenSegment", "open_for_reading"]


class OpenSegment:
    """A segment whose file is open, to be used in a `with` block.

    Until that ends the file stays on the disk, even if retention would have it go. A StoreError
    that leaves the block names the file.

    Args:
        file: the file; closed with the block.
        kind: what it is a segment of.
        name: the name under which it was opened.
        cache: what knows the sections of files.
    """

    def __init__(self, file: BinaryIO, kind: str, name: SegmentName, cache: SectionCache) -> None:
        self._file = file
        self._kind = kind
        self._name = name
        self._cache = cache

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if isinstance(error, StoreError):
            raise type(error)(f"{self._file.name}: {error}") from error

    def texts(self, from_t: int | None = None) -> Generator[bytes]:
        """Yield the text in pieces of whole lines; near a tick's first line where one is named.

        A pending segment is torn by nature: it is read to its last whole line.

        Raises:
            DamagedSegmentError: after every whole line before the damage. The checksum is checked
                after the last line of what is read from the beginning.
        """
        pieces = blocks(self._file)
        if from_t is not None and from_t > self._name.start_t:
            mark = self._mark_before(from_t)
            self._file.seek(0)
            if mark is not None:
                pieces = section_blocks(self._file, mark)
        try:
            yield from whole_lines(pieces)
        except TornSegmentError:
            if not self._name.pending:
                raise

    def last_t(self) -> int | None:
        """Return the tick of the last whole line, None where there is none."""
        return last_tick(self._file, self._sections())

    def counted(self, listed: Listed) -> SegmentEntry | None:
        """Return what a manifest would say of it by now; None where it has no whole line."""
        count, lines = 0, [b""]
        for text in self.texts():
            lines = lines_of(text) or lines
            count += len(lines)
        if not count:
            return None
        stat = os.fstat(self._file.fileno())
        end_t = tick_of_line(lines[-1])
        opened_at = self._name.stamp.timestamp()
        return SegmentEntry(
            path=f"{self._kind}/{self._name}",
            start_t=self._name.start_t,
            end_t=self._name.start_t if end_t is None else end_t,
            lines=count,
            bytes=stat.st_size,
            created_at=utc_text(opened_at if self._name.pending else stat.st_mtime),
            pending=self._name.pending,
            run=None if listed.run == UNNAMED_RUN else listed.run,
        )

    def _sections(self) -> Sections:
        return self._cache.of(f"{self._kind}/{self._name.as_closed()}", self._file)

    def _mark_before(self, t: int) -> int | None:
        try:
            return section_before(self._file, self._sections(), t)
        except DamagedSegmentError:
            return None  # read from the beginning, it gives every line before the damage


def open_for_reading(folder: Path, name: SegmentName, cache: SectionCache) -> OpenSegment | None:
    """Open a segment by its name, or by the one it has got by being closed; None without a file."""
    for candidate in (name, name.as_closed()) if name.pending else (name,):
        try:
            file = (folder / str(candidate)).open("rb")
        except FileNotFoundError:
            continue
        try:
            if candidate.pending or _is_kept(file):
                return OpenSegment(file, folder.name, candidate, cache)
        except BaseException:
            file.close()
            raise
        file.close()
    return None


def _is_kept(file: BinaryIO) -> bool:
    """Hold a closed segment against retention; False where it was faster and removed it."""
    share(file)
    return os.fstat(file.fileno()).st_nlink > 0
