"""Records what is filmed from a recording, with the clock of its ticks in place of the world's."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from marketcam.engine import LimitError
from marketcam.io.store.clock import Clock, parse_utc
from marketcam.io.store.errors import StoreError
from marketcam.io.store.folder import KindFolder
from marketcam.io.store.journal import OpenRun, RunJournal
from marketcam.io.store.lock import StoreLock
from marketcam.io.store.names import check_kind
from marketcam.io.store.unfinished import remove_segments_of_run
from marketcam.io.store.writer import SegmentWriter, WriterTotals, check_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from marketcam.io.store.runs import Run
    from marketcam.io.store.writer import SegmentRules

__all__ = ["LAST_MOMENT", "OfflineRecorder", "OfflineRun"]

LAST_MOMENT: Final = parse_utc("9999-12-31T00:00:00Z")
"""The last moment, about, that a segment can be named after."""

_BATCH_BYTES: Final = 512 * 1024
_BATCHES: Final = 8

_Line = tuple[str, bytes, int]


@dataclass(frozen=True, slots=True)
class OfflineRun:
    """What is recorded, and when that was.

    Attributes:
        id: the run's name.
        start: moment of the first tick, in seconds since 1970.
        tick_rate: ticks a second.
        about: what it is filmed with, for its record; what JSON can express.
    """

    id: str
    start: float
    tick_rate: float
    about: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Raise LimitError for a value out of its range."""
        if not self.tick_rate > 0:
            raise LimitError(f"tick_rate must be above 0, got {self.tick_rate!r}")
        if not 0 <= self.start <= LAST_MOMENT:
            raise LimitError(f"start must lie in the years 1970 to 9999, got {self.start!r}")

    def moment_of(self, t: int, first_t: int) -> float:
        """Return when a tick was, in seconds since 1970.

        Raises:
            LimitError: after the year 9999.
        """
        moment = self.start + (t - first_t) / self.tick_rate
        if moment > LAST_MOMENT:
            raise LimitError(
                f"tick {t} must come before the year 9999: at {self.tick_rate:g} ticks a second "
                f"it is {(t - first_t) / self.tick_rate:.0f} seconds after the first, {first_t}"
            )
        return moment


class OfflineRecorder:
    """Records lines into segments as `Recorder` does, but as a function of the lines alone.

    Tick t is at ``start + (t - first_t) / tick_rate``; that names and dates the segments, and says
    when they roll. Nothing is flushed by a clock: the sections of a segment end by their bytes. So
    the same lines make the same files, to the byte, however fast they came. Nothing is removed,
    and no other run of the store is touched.

    Lines are compressed and written in a thread of its own, a few MB behind who makes them; then
    `write` waits.

    Args:
        store_dir: the store's root; made where there is none.
        kinds: the kinds of lines it takes.
        rules: when segments roll by age and size; their clocks for flushing do not count.
        run: what is recorded.
        again: whether a run of that name that was not recorded to its end is removed from the
            store and recorded anew; one that has ended is never touched. As no name is given
            twice, its segments are named a second later.

    Raises:
        StoreBusyError: another process writes to the store.
        StoreError: the store has this run already, or a part of it (without `again`), or cannot be
            used; names the reason.

    Attributes:
        first_t: number of the first tick, which is at the start of the run. To be set before the
            first line.
        json_bytes: bytes of all lines taken.
    """

    def __init__(
        self,
        store_dir: Path,
        kinds: tuple[str, ...],
        rules: SegmentRules,
        run: OfflineRun,
        *,
        again: bool = False,
    ) -> None:
        self.first_t = 0
        self.json_bytes = 0
        self._store_dir = store_dir
        self._plan = run
        self._now = run.start
        self._batch: list[_Line] = []
        self._batch_bytes = 0
        self._queue: queue.Queue[list[_Line] | None] = queue.Queue(_BATCHES)
        self._error: Exception | None = None
        self._is_closed = False
        self._is_drained = False  # whether the last batch was taken; for its thread
        for kind in kinds:
            check_kind(kind)
        try:
            self._open(kinds, rules, again)
        except OSError as error:
            raise StoreError(f"cannot record in {store_dir}: {error}") from error
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def _open(self, kinds: tuple[str, ...], rules: SegmentRules, again: bool) -> None:
        clock = Clock(wall=lambda: self._now, steady=lambda: self._now)
        self._lock = StoreLock(self._store_dir, run=self._plan.id)
        try:
            journal = RunJournal(self._store_dir)
            self._record = OpenRun(journal, self._plan.id, clock)
            if self._record.is_known:
                self._refuse_known(journal.records.runs[self._plan.id], again)
                remove_segments_of_run(self._store_dir, self._plan.id, journal.records, clock)
            folders = [KindFolder.open(self._store_dir, kind, clock) for kind in kinds]
            self._record.begin(self._plan.about, again=again)
            self._writers = {
                folder.kind: SegmentWriter(folder, self._record, rules) for folder in folders
            }
        except BaseException:
            self._lock.release()
            raise

    def _refuse_known(self, run: Run, again: bool) -> None:
        if run.ended_at is not None:
            raise StoreError(
                f"{self._store_dir} has the run {run.id} already, which began at the same "
                "moment and was filmed with the same settings and the same first tick: nothing is "
                "recorded twice"
            )
        if not again:
            raise StoreError(
                f"{self._store_dir} has a part of the run {run.id}, which was not filmed to its "
                "end: --again removes that part and films the run anew"
            )

    def write(self, kind: str, line: bytes, t: int) -> None:
        """Take one line, given without its line end, of tick `t`; for one thread at a time.

        Raises:
            LimitError: the line is one that no segment may hold, or `t` is too far on.
            StoreError: recording has failed, or the recorder was closed.
        """
        check_line(line, t)
        self._plan.moment_of(t, self.first_t)
        if self._is_closed:
            raise StoreError("the recorder is closed")
        self._raise_failure()
        self._batch.append((kind, line, t))
        self._batch_bytes += len(line)
        self.json_bytes += len(line) + 1
        if self._batch_bytes >= _BATCH_BYTES:
            self._hand_on()

    def totals(self) -> Mapping[str, WriterTotals]:
        """Return what was written, by kind; to be asked once it is closed."""
        return {kind: writer.totals() for kind, writer in self._writers.items()}

    def close(self) -> None:
        """Write every line, close the segments and the run; again does nothing.

        Raises:
            StoreError: recording has failed; what is pending is left for `recover`.
        """
        if not self._is_closed:
            self._is_closed = True
            self._hand_on()
            self._queue.put(None)
            self._thread.join()
            self._lock.release()
            self._raise_failure()

    def _hand_on(self) -> None:
        self._queue.put(self._batch)
        self._batch, self._batch_bytes = [], 0

    def _raise_failure(self) -> None:
        error = self._error
        if isinstance(error, OSError):
            raise StoreError(f"cannot record in {self._store_dir}: {error}") from error
        if error is not None:
            raise error

    # What follows runs in its thread.

    def _run(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                for kind, line, t in batch:
                    self._now = self._plan.moment_of(t, self.first_t)
                    self._writers[kind].take_line(line, t)
            for writer in self._writers.values():
                writer.close()
            self._record.end()
        except Exception as error:  # noqa: BLE001 - raised in the thread that writes
            self._error = error
            for writer in self._writers.values():
                writer.abandon()
            self._discard()

    def _discard(self) -> None:
        """Take what still comes, so that nobody waits for room."""
        while not self._is_drained:
            self._next_batch()

    def _next_batch(self) -> list[_Line] | None:
        batch = self._queue.get()
        self._is_drained = batch is None
        return batch
