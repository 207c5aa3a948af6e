"""JSON lines into the segments of one kind, rolled by age and by size."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from marketcam.engine import MAX_ID, LimitError
from marketcam.io.lines import MAX_LINE_BYTES
from marketcam.io.store.clock import SYSTEM_CLOCK, Clock
from marketcam.io.store.errors import StoreError
from marketcam.io.store.folder import KindFolder
from marketcam.io.store.holes import LeftSegment, Lost
from marketcam.io.store.lock import check_process
from marketcam.io.store.names import check_kind
from marketcam.io.store.segment import PendingSegment
from marketcam.io.store.sharing import SharedRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from marketcam.io.store.entry import SegmentEntry
    from marketcam.io.store.journal import OpenRun

__all__ = [
    "SEGMENT_BYTES",
    "SegmentRules",
    "SegmentWriter",
    "WriterTotals",
    "ZstdSegmentWriter",
    "check_line",
]

SEGMENT_BYTES: Final = 256 * 1024 * 1024
"""JSON bytes at which a segment is closed where nothing else is said."""


@dataclass(frozen=True, slots=True)
class SegmentRules:
    """When segments roll and are flushed, and how they are compressed.

    Attributes:
        seconds: age at which a segment is closed.
        bytes: JSON bytes at which a segment is closed; the line that reaches it is its last.
        level: zstd level, 1-22.
        flush_seconds: how long a line may wait in memory, at most.
        sync_seconds: how long a line may wait in the disk's own buffers, at most.
    """

    seconds: float = 300
    bytes: int = SEGMENT_BYTES
    level: int = 3
    flush_seconds: float = 1.0
    sync_seconds: float = 5.0

    def __post_init__(self) -> None:
        """Raise LimitError for a value out of its range."""
        for name, value in (
            ("segment_seconds", self.seconds),
            ("flush_seconds", self.flush_seconds),
            ("sync_seconds", self.sync_seconds),
        ):
            if not 0 < value < math.inf:
                raise LimitError(f"{name} must be above 0 and finite, got {value!r}")
        if self.bytes < 1:
            raise LimitError(f"segment_bytes must be at least 1, got {self.bytes!r}")
        if not 1 <= self.level <= 22:
            raise LimitError(f"zstd level must be 1-22, got {self.level!r}")


@dataclass(frozen=True, slots=True)
class WriterTotals:
    """What a writer has written since it was made.

    Attributes:
        lines: lines taken.
        json_bytes: their bytes, line ends included.
        file_bytes: bytes in files, of closed segments and of the pending one.
        segments: segments closed.
        lost_lines: lines of the first count that may not be in a file, because the disk refused.
    """

    lines: int = 0
    json_bytes: int = 0
    file_bytes: int = 0
    segments: int = 0
    lost_lines: int = 0

    def plus(self, other: WriterTotals) -> WriterTotals:
        """Return what two writers have written together."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in WriterTotals.__slots__}
        return WriterTotals(**sums)


class SegmentWriter:
    """Writes the segments of one kind into a folder. One thread writes; any may ask `entry()`.

    A segment begins with its first line, so there are no empty ones. It is flushed after that
    line, so that it can be fetched at once, and then as `SegmentRules` has it. A tick number
    smaller than the one before begins a new segment, so that within one they never fall.

    After an OSError (disk full, folder gone) the pending file is left as it is, for `recover`;
    the next line begins another segment.

    Args:
        folder: where they go; the caller has the store's lock.
        run: the run they are of.
        rules: when they roll and are flushed.
        on_closed: is told of every closed segment.

    Attributes:
        first_t: tick number of the first line of the first closed segment, None before it.
        closed_t: tick number of the last line of the last closed segment, None before it.
        synced_t: tick number of the last line that survives a power loss, None before it.
        left: the pending segments that had to be left to `recover`.
    """

    def __init__(
        self,
        folder: KindFolder,
        run: OpenRun,
        rules: SegmentRules,
        on_closed: Callable[[SegmentEntry], None] | None = None,
    ) -> None:
        self._folder = folder
        self._run = run
        self._process = os.getpid()
        self._rules = rules
        self._on_closed = on_closed
        self.first_t: int | None = None
        self.closed_t: int | None = None
        self.synced_t: int | None = None
        self.left: list[LeftSegment] = []
        self._segment: PendingSegment | None = None
        self._flush_at = 0.0
        self._sync_at = 0.0
        self._is_closed = False
        self._closed_totals = WriterTotals()

    def write_jsonline(self, obj: Mapping[str, Any] | bytes, current_t: int) -> None:
        """Write one JSON object, a dict or its encoded text, as a line of tick `current_t`.

        Raises:
            As `write_line`; TypeError for what JSON cannot express.
        """
        self.write_line(obj if isinstance(obj, bytes) else orjson.dumps(obj), current_t)

    def write_line(self, line: bytes, t: int) -> None:
        """Write one line, given without its line end, of tick `t`.

        Raises:
            LimitError: the line is empty, holds a line end or is longer than `MAX_LINE_BYTES`;
                or `t` is not an integer within ±(2**53 - 1). Nothing was written.
            StoreError: the writer is closed, or of the process that forked this one off.
            OSError: the disk refused; see the class.

        Cost: 1 µs, and the compression.
        """
        self.take_line(line, t)
        self.flush_if_due()

    def take_line(self, line: bytes, t: int) -> None:
        """Do what `write_line` does, but for the flush: for callers that have more lines at hand.

        A flush between lines that came together would leave the later ones to the next flush.
        """
        check_line(line, t)
        if self._is_closed:
            raise StoreError(f"the writer of {self._folder.path} is closed")
        check_process(self._process)
        now = self._folder.clock.steady()
        segment = self._segment
        if segment is not None and (t < segment.end_t or self._is_old(segment, now)):
            self._close_segment(segment)
            segment = None
        if segment is None:
            segment = self._segment = PendingSegment(self._folder, self._run, t, self._rules.level)
            self._flush_at = now
            self._sync_at = now + self._rules.sync_seconds
        try:  # not the context manager of the rare calls: it costs more than the rest of the line
            segment.append(line, t)
        except BaseException:
            self._let_go(segment)
            raise
        if segment.json_bytes >= self._rules.bytes:
            self._close_segment(segment)

    def roll_if_needed(self, current_t: int) -> bool:
        """Close the segment if its time is over; return whether it was.

        Writing a line does the same first, so this is for times without lines. The next segment
        begins with the next line; `current_t` is the tick the caller is at.
        """
        _check_tick(current_t)
        return self.close_if_old()

    def close_if_old(self) -> bool:
        """Do what `roll_if_needed` does, for callers that are at no tick."""
        check_process(self._process)
        segment = self._segment
        if segment is None or not self._is_old(segment, self._folder.clock.steady()):
            return False
        self._close_segment(segment)
        return True

    def flush(self) -> None:
        """Bring every line written so far into the file (not through the disk's own buffers)."""
        check_process(self._process)
        if self._segment is not None:
            self._flush(self._segment, self._folder.clock.steady())

    def flush_if_due(self) -> None:
        """Flush when the last flush is `flush_seconds` old, or a segment has begun.

        And wait for the disk to have it when that was last done `sync_seconds` ago.
        """
        if self._segment is None:
            return
        check_process(self._process)
        now = self._folder.clock.steady()
        if now >= self._sync_at:
            with self._let_go_on_error(self._segment):
                self._segment.sync()
            self.synced_t = self._segment.end_t
            self._flush_at = now + self._rules.flush_seconds
            self._sync_at = now + self._rules.sync_seconds
        elif now >= self._flush_at:
            self._flush(self._segment, now)

    def due_at(self) -> float:
        """Return when something is due, in steady seconds; infinity where there is no segment."""
        if self._segment is None:
            return math.inf
        old_at = self._segment.opened_at + self._rules.seconds
        return min(self._flush_at, self._sync_at, old_at)

    def close(self) -> None:
        """Close the segment being written and the writer; again does nothing.

        Raises:
            OSError: the disk refused; the pending file is left for `recover`.
        """
        check_process(self._process)
        self._is_closed = True
        if self._segment is not None:
            self._close_segment(self._segment)

    def abandon(self) -> None:
        """Let go of everything as the end of the process would, and close the writer."""
        self._is_closed = True
        if self._segment is not None:
            self._let_go(self._segment)

    @property
    def last_t(self) -> int | None:
        """Tick number of the last line taken that was not lost; None before it."""
        return self.closed_t if self._segment is None else self._segment.end_t

    def entry(self) -> SegmentEntry | None:
        """Return the manifest entry of the segment being written, as of its last flush."""
        segment = self._segment
        return None if segment is None else segment.entry

    def totals(self) -> WriterTotals:
        """Return what was written so far; to be asked from the thread that writes."""
        return self._closed_totals if self._segment is None else self._totals_with(self._segment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _is_old(self, segment: PendingSegment, now: float) -> bool:
        return now - segment.opened_at >= self._rules.seconds

    def _flush(self, segment: PendingSegment, now: float) -> None:
        with self._let_go_on_error(segment):
            segment.flush()
        self._flush_at = now + self._rules.flush_seconds

    def _close_segment(self, segment: PendingSegment) -> None:
        with self._let_go_on_error(segment):
            # It stays visible as pending until the manifest has it: at no moment is it nowhere.
            entry = segment.close()
        self._segment = None
        self.closed_t = self.synced_t = segment.end_t
        if self.first_t is None:
            self.first_t = segment.start_t
        totals = self._totals_with(segment)
        self._closed_totals = replace(totals, segments=totals.segments + 1)
        if self._on_closed is not None:
            self._on_closed(entry)

    @contextmanager
    def _let_go_on_error(self, segment: PendingSegment) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._let_go(segment)
            raise

    def _let_go(self, segment: PendingSegment) -> None:
        """Leave the pending file of a segment to `recover`: what it holds may be torn."""
        self._segment = None
        totals = self._totals_with(segment)
        flushed = segment.entry.lines if segment.entry is not None else 0
        lost = segment.lines - flushed
        self._closed_totals = replace(totals, lost_lines=totals.lost_lines + lost)
        taken = Lost(self._folder.kind, segment.lines, segment.start_t, segment.end_t)
        self.left.append(LeftSegment(segment.path, taken, flushed))
        segment.abandon()

    def _totals_with(self, segment: PendingSegment) -> WriterTotals:
        closed = self._closed_totals
        return replace(
            closed,
            lines=closed.lines + segment.lines,
            json_bytes=closed.json_bytes + segment.json_bytes,
            file_bytes=closed.file_bytes + segment.file_bytes,
        )


class ZstdSegmentWriter(SegmentWriter):
    """Writes the segments of one kind into a store, making its folder where there is none.

    Args:
        kind: ``"frames"``, ``"metrics"`` or ``"ticks"``.
        store_dir: the store's root.
        segment_seconds: age at which a segment is closed.
        level: zstd level, 1-22.
        segment_bytes: JSON bytes at which a segment is closed.
        flush_seconds: how long a line may wait in memory while others follow.
        run: the run to record, or to go on with; None for a new one, or for the one that writers
            of other kinds record into this store from this process.
        clock: where time comes from.

    Raises:
        LimitError: a number out of its range.
        UnknownSegmentError: a store has no such kind.
        StoreBusyError: the store is being written by another process, or this kind by another
            writer.
        ManifestError: the kind's manifest is damaged; `recover` mends it.
        NewerFormatError: the store was written by a later version of this software.
        StoreError: other writers record another run into this store.
        OSError: the folder cannot be made or read.
    """

    def __init__(  # noqa: PLR0913 - as published
        self,
        kind: str,
        store_dir: str | os.PathLike[str],
        segment_seconds: float = 300,
        level: int = 3,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        flush_seconds: float = 1.0,
        run: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        rules = SegmentRules(segment_seconds, segment_bytes, level, flush_seconds)
        self._shared: SharedRun | None = None
        shared = SharedRun.join(Path(store_dir), check_kind(kind), run, clock)
        try:
            folder = KindFolder.open(Path(store_dir), kind, clock)
        except BaseException:
            shared.leave(kind)
            raise
        super().__init__(folder, shared.run, rules)
        self._shared = shared

    @property
    def run(self) -> str:
        """The run that is recorded."""
        return self._run.id

    def close(self) -> None:
        """Close the segment being written and the writer; again does nothing.

        Raises:
            OSError: the disk refused; the pending file is left for `recover`.
        """
        try:
            super().close()
        finally:
            self._leave(SharedRun.leave)

    def abandon(self) -> None:
        """Let go of everything as the end of the process would, and close the writer."""
        super().abandon()
        self._leave(SharedRun.abandon)

    def _leave(self, how: Callable[[SharedRun, str], None]) -> None:
        shared, self._shared = self._shared, None
        if shared is not None:
            how(shared, self._folder.kind)


def check_line(line: bytes, t: int) -> None:
    """Raise LimitError for what `SegmentWriter.write_line` refuses. Cost: 0.05 ms a megabyte."""
    _check_tick(t)
    if not line:
        raise LimitError(f"line of tick {t} must not be empty")
    if len(line) > MAX_LINE_BYTES:
        raise LimitError(
            f"line of tick {t} must have at most {MAX_LINE_BYTES} bytes, got {len(line)}"
        )
    if b"\n" in line:
        raise LimitError(f"line of tick {t} must not hold a line end, got {line[:60]!r}")


def _check_tick(t: int) -> None:
    if type(t) is not int or not -MAX_ID <= t <= MAX_ID:
        raise LimitError(f"tick number must be an integer within ±{MAX_ID}, got {t!r:.120}")
