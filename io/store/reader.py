"""History back: the runs of a store, their segments, and their lines as one stream."""

from __future__ import annotations

import time
import warnings
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from marketcam.engine import LimitError
from marketcam.io.store.asked import check_asked
from marketcam.io.store.catalog import Catalog
from marketcam.io.store.errors import UnknownSegmentError
from marketcam.io.store.lock import living_writer
from marketcam.io.store.merging import KIND_OF_MESSAGE, Recorded, merged
from marketcam.io.store.names import SegmentName
from marketcam.io.store.open_segment import OpenSegment, open_for_reading
from marketcam.io.store.ranges import LineFilter
from marketcam.io.store.sections import SectionCache

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable
    from types import TracebackType

    from marketcam.io.store.catalog import Listed
    from marketcam.io.store.entry import SegmentEntry
    from marketcam.io.store.runs import Run

__all__ = ["ALL_RUNS", "Store"]

ALL_RUNS: Final = "all"
"""In place of a run's name: all of them, one after the other."""

_REMOVAL_SECONDS: Final = 1.0
"""How long a file may be missing, while a writer lives, before its removal is on record."""


def warn_missing(path: str) -> None:
    """Issue a warning about a segment whose file is gone without a record that says why."""
    warnings.warn(f"{path} is missing, no record says why: left out", stacklevel=2)


class Store:
    """A store to read from, also while another thread or process records into it.

    Nothing is changed. What is recorded after a call is not part of its answer; what retention
    removes meanwhile may be left out of it. One object may be kept, and asked from many threads.

    A tick number means something within a run only, so that where runs are not named, the answer
    is of the latest: the one that was started last.

    Args:
        store_dir: the store's root.
        on_missing: is told the path, below the store, of a segment that is left out because its
            file is gone and no record says why: somebody took it, or retention was killed before
            it could say so. Without it that is a warning.

    Raises:
        UnknownSegmentError: there is no such folder.
    """

    def __init__(
        self,
        store_dir: str | os.PathLike[str],
        *,
        on_missing: Callable[[str], None] = warn_missing,
    ) -> None:
        self._on_missing = on_missing
        self._store_dir = Path(store_dir)
        if not self._store_dir.is_dir():
            raise UnknownSegmentError(f"there is no store at {self._store_dir}")
        self._catalog = Catalog(self._store_dir)
        self._sections = SectionCache()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing: files are held by iterators only, as a history behind a URL is not."""

    def runs(self) -> list[Run]:
        """Return the runs, the oldest first; segments of the time before runs are `unnamed`.

        Raises:
            ManifestError, NewerFormatError: journal or manifest cannot be read.
        """
        return self._catalog.runs()

    def run(self, run: str | None = None) -> Run:
        """Return a run by its name; None: the latest.

        Raises:
            UnknownRunError: the store has no such run, or none at all.
            ManifestError, NewerFormatError: as `runs`.
        """
        return self._catalog.run(run)

    def segments(self, kind: str, run: str | None = None) -> list[SegmentEntry]:
        """Return the segments of a kind that can be read now; of all runs where none is named.

        Of all runs they come in the order of recording, of one in order of tick. The closed ones
        are as the manifest has them. Segments that are not in it, the one being written above all,
        come last and are read through to be counted.

        Raises:
            UnknownSegmentError: a store has no such kind, or this one has none of it.
            UnknownRunError: the store has no such run.
            ManifestError, NewerFormatError: the manifest is damaged (`recover` mends it) or of a
                later version.
            DamagedSegmentError: a segment that is not in the manifest is damaged.

        Cost: 0.4 ms for 1000 segments; 2 ms a megabyte of frames, 5 ms of metrics, not in the
        manifest.
        """
        if run is None or run == ALL_RUNS:
            listing = self._catalog.segments(kind)
        else:
            self._catalog.folder(kind)
            listing = self._catalog.segments_of(kind, self._catalog.run(run).id)
        found = (listed.entry or self._counted(kind, listed) for listed in listing)
        return [entry for entry in found if entry is not None]

    def lines(
        self,
        kind: str,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[bytes]:
        """Return the JSON lines of a kind, without line ends, in order of tick.

        Segments whose ticks lie outside the range are not opened. A file that is read stays on the
        disk until the iterator has gone beyond it, or is closed.

        Args:
            kind: ``"frames"``, ``"metrics"`` or ``"ticks"``.
            from_t: only lines of this tick and later ones.
            to_t: only lines up to this tick, itself included.
            run: of this run only; None: of the latest; `ALL_RUNS`: run after run.
            every: only each so many-th of these lines of a run, its first included.

        Raises:
            LimitError: `from_t` is greater than `to_t`, or `every` below 1.
            UnknownRunError: the store has no such run.
            UnknownSegmentError, ManifestError, NewerFormatError: as `segments` has it.
            DamagedSegmentError: while iterating, after every whole line before the damage. A
                checksum is checked after the last line of its segment.
            StoreError: while iterating: a line has no tick number and a range was asked for.

        Cost: 1 ms a megabyte of frames, 2.5 ms of metrics; the memory of a few lines. A range
        begins after a few ms, wherever it lies.
        """
        check_asked(from_t, to_t, every)
        self._catalog.folder(kind)
        of_runs = [
            list(self._catalog.segments_of(kind, of_run, from_t, to_t))
            for of_run in self._runs_asked_for(run)
        ]
        return self._lines_of_runs(kind, of_runs, partial(LineFilter, from_t, to_t, every))

    def messages(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        kinds: Iterable[str] = ("metric", "frame"),
        every: int = 1,
    ) -> Generator[Recorded]:
        """Return recorded messages of several kinds by tick, within a tick the metric first.

        Args:
            from_t: only those of this tick and later ones.
            to_t: only those up to this tick, itself included.
            run: of this run only; None: of the latest; `ALL_RUNS`: run after run.
            kinds: some of ``"metric"``, ``"frame"`` and ``"tick"``; of what the store has no
                folder there are none.
            every: only each so many-th of each kind, the first included.

        Raises:
            LimitError: as `lines` has it, or for a kind that is none.
            Otherwise as `lines`, and StoreError for a line without a tick number.
        """
        asked = set(kinds)
        if unknown := asked - KIND_OF_MESSAGE.keys():
            raise LimitError(f"kinds must be of {', '.join(KIND_OF_MESSAGE)}, got {unknown}")
        there = [kind for kind in asked if (self._store_dir / KIND_OF_MESSAGE[kind]).is_dir()]
        of_runs = [
            {
                kind: self.lines(KIND_OF_MESSAGE[kind], from_t, to_t, run=of_run, every=every)
                for kind in there
            }
            for of_run in self._runs_asked_for(run)
        ]
        return _run_after_run(of_runs)

    def frames(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[dict[str, Any]]:
        """Return recorded frames as dicts; arguments and errors as `lines` has them."""
        return _parsed(self.lines("frames", from_t, to_t, run=run, every=every))

    def metrics(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[dict[str, Any]]:
        """Return recorded metrics as dicts; arguments and errors as `lines` has them."""
        return _parsed(self.lines("metrics", from_t, to_t, run=run, every=every))

    def ticks(
        self,
        from_t: int | None = None,
        to_t: int | None = None,
        *,
        run: str | None = None,
        every: int = 1,
    ) -> Generator[dict[str, Any]]:
        """Return recorded raw ticks as dicts; arguments and errors as `lines` has them."""
        return _parsed(self.lines("ticks", from_t, to_t, run=run, every=every))

    def last_t(self, kind: str, run: str | None = None) -> int | None:
        """Return the tick of the last line of a kind that can be read; None without any.

        Raises:
            As `segments`; UnknownRunError also for None where the store has no run.
        """
        self._catalog.folder(kind)
        for listed in reversed(self._catalog.segments_of(kind, self._catalog.run(run).id)):
            if (t := self._last_t(kind, listed)) is not None:
                return t
        return None

    def listed(
        self, kind: str, run: str, from_t: int | None = None, to_t: int | None = None
    ) -> list[Listed]:
        """Return the segments of a run that may hold ticks of a range, in order of tick, unread.

        Raises:
            UnknownSegmentError, ManifestError, NewerFormatError: as `segments` has it.
        """
        return self._catalog.segments_of(kind, run, from_t, to_t)

    def texts(self, kind: str, listed: Listed, from_t: int | None = None) -> Generator[bytes]:
        """Yield the text of a segment in pieces of whole lines; nothing where its file is gone.

        Args:
            kind: what it is a segment of.
            listed: the segment.
            from_t: begin near the first line of this tick, before it.

        Raises:
            DamagedSegmentError: while iterating, after every whole line before the damage.
        """
        segment = self._open(kind, listed)
        if segment is not None:
            with segment, closing(segment.texts(from_t)) as texts:
                yield from texts

    def file(self, kind: str, file_name: str) -> Path:
        """Return where the file of a segment lies; nothing outside the kind's folder.

        The name of a pending segment stays good after it was closed.

        Raises:
            UnknownSegmentError: there is no such segment.
        """
        name = SegmentName.parse(file_name)
        folder = self._catalog.folder(kind)
        for candidate in () if name is None else (name, name.as_closed()):
            path = folder / str(candidate)
            if path.is_file():
                return path
        raise UnknownSegmentError(f"{kind} has no segment {file_name!r:.120}")

    def record(self, kind: str, name: SegmentName) -> SegmentEntry | None:
        """Return the manifest's record of a closed segment; None without one, or if removed.

        Raises:
            UnknownSegmentError: a store has no such kind.
            ManifestError, NewerFormatError: as `segments` has it.
        """
        return self._catalog.record(kind, name)

    def _runs_asked_for(self, run: str | None) -> list[str]:
        if run == ALL_RUNS:
            return [each.id for each in self._catalog.runs()]
        found = self._catalog.latest() if run is None else self._catalog.run(run)
        return [] if found is None else [found.id]

    def _lines_of_runs(
        self, kind: str, of_runs: Iterable[list[Listed]], asked: Callable[[], LineFilter]
    ) -> Generator[bytes]:
        for listing in of_runs:
            yield from self._lines(kind, listing, asked())

    def _lines(self, kind: str, listing: Iterable[Listed], asked: LineFilter) -> Generator[bytes]:
        for listed in listing:
            segment = self._open(kind, listed)
            if segment is not None:
                with segment, closing(segment.texts(asked.from_t)) as texts:
                    yield from asked.picked(texts)

    def _open(self, kind: str, listed: Listed) -> OpenSegment | None:
        """Open a segment; None where it is gone, which is told unless its removal is on record."""
        segment = open_for_reading(self._catalog.folder(kind), listed.name, self._sections)
        if segment is None and listed.entry is not None and not self._was_removed(listed.entry):
            self._on_missing(listed.entry.path)
        return segment

    def _was_removed(self, entry: SegmentEntry) -> bool:
        """Wait a while for the record of a removal, which comes after the removal itself."""
        is_written = living_writer(self._store_dir) is not None
        give_up_at = time.monotonic() + (_REMOVAL_SECONDS if is_written else 0)
        while self._catalog.record(entry.kind, entry.name) == entry:
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(_REMOVAL_SECONDS / 100)
        return True

    def _counted(self, kind: str, listed: Listed) -> SegmentEntry | None:
        """Count a segment that is not in the manifest; None where there is nothing to read."""
        segment = self._open(kind, listed)
        if segment is None:
            return None
        with segment:
            return segment.counted(listed)

    def _last_t(self, kind: str, listed: Listed) -> int | None:
        if listed.entry is not None:
            return listed.entry.end_t
        segment = self._open(kind, listed)
        if segment is None:
            return None
        with segment:
            return segment.last_t()


def _run_after_run(of_runs: Iterable[dict[str, Generator[bytes]]]) -> Generator[Recorded]:
    for streams in of_runs:
        try:
            with closing(merged(streams)) as messages:
                yield from messages
        finally:
            for lines in streams.values():
                lines.close()


def _parsed(lines: Generator[bytes]) -> Generator[dict[str, Any]]:
    with closing(lines):
        for line in lines:
            yield orjson.loads(line)
