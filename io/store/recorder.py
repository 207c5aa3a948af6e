"""The recorder: a thread of its own that writes every line into the segments of its kind."""

from __future__ import annotations

import os
import threading
import traceback
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from marketcam.io.store.clock import SYSTEM_CLOCK, Clock
from marketcam.io.store.errors import StoreError, UnknownSegmentError
from marketcam.io.store.events import EventSink, guarded, ignore_event
from marketcam.io.store.holes import LossLedger, Lost
from marketcam.io.store.keeping import RetentionRounds
from marketcam.io.store.line_queue import LineQueue
from marketcam.io.store.lock import StoreLock, check_process
from marketcam.io.store.names import check_kind
from marketcam.io.store.recording import NO_SPACE, Recording, totals_of_both
from marketcam.io.store.recovery import RecoveryReport
from marketcam.io.store.retention import DiskUse, disk_use
from marketcam.io.store.runs import new_run_id
from marketcam.io.store.status import RecorderStatus
from marketcam.io.store.writer import WriterTotals, check_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from marketcam.io.store.entry import SegmentEntry
    from marketcam.io.store.folder import KindFolder
    from marketcam.io.store.line_queue import Batch, QueuedLine
    from marketcam.io.store.options import RecorderOptions
    from marketcam.io.store.runs import Hole

__all__ = ["Recorder"]

_WAKE_AT_BYTES: Final = 256 * 1024
_BATCH_BYTES: Final = 1024 * 1024
_SHORTEST_ROUND_SECONDS: Final = 0.001  # whatever flush_seconds is, the thread does not spin
_HOLE_VALUES: Final = ("from_t", "to_t", "lines", "reason")
_TELL_SECONDS: Final = 10.0  # no oftener than this it is said that writers had to wait
_LONGEST_ROUND_SECONDS: Final = 1.0  # retention comes this late at most when no line arrives


class Recorder:
    """Records lines into segments, in a thread of its own. Safe to use from any thread.

    The rule between it and the engine: while recording works no line is lost. When the disk is
    slower than the lines for long enough to fill the queue, `write` waits, or lines are skipped
    (`RecorderOptions.when_full`). When recording fails (disk full, folder gone, disk dead) it
    stops, loudly: an event of level ``error`` and `status().error` say why, and lines are dropped
    and counted, so that no disk ever stops the stream. It then tries again every `retry_seconds`:
    makes the folder where it is gone, recovers what it had to leave, and goes on in the same run.
    What is missing by then is declared as holes, in the journal, by event and in the status.

    Args:
        options: what to do.
        on_event: is told what happens, from the recorder's thread (from the caller's in `start`,
            and in `write` that the queue is full).
        clock: where time comes from.
        usage: how full the disk of a folder is.

    Attributes:
        run: the run that is recorded, once it is started.
    """

    def __init__(
        self,
        options: RecorderOptions,
        *,
        on_event: EventSink = ignore_event,
        clock: Clock = SYSTEM_CLOCK,
        usage: Callable[[Path], DiskUse] = disk_use,
    ) -> None:
        self.run = options.run or new_run_id(clock.wall())
        self._options = options
        self._process = os.getpid()
        self._say = guarded(on_event)
        self._clock = clock
        self._usage = usage
        self._queue = LineQueue(
            options.queue_bytes,
            _WAKE_AT_BYTES,
            when_full=options.when_full,
            stall_seconds=options.stall_seconds,
            on_slow=self._tell_slow,
        )
        self._lock: StoreLock | None = None
        self._recording: Recording | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._has_begun = False
        self._more_about: deque[Mapping[str, Any]] = deque()
        self._is_proven = True  # whether something was written since recording began again
        self._error: str | None = None
        self._death: str | None = None  # what ended the thread, which nothing should
        self._retry_at = 0.0
        self._ledger = LossLedger(options.kinds)
        self._holes = 0
        self._last_hole: Hole | None = None
        self._folders: Mapping[str, KindFolder] = {}
        self._totals_before = dict.fromkeys(options.kinds, WriterTotals())
        self._totals: Mapping[str, WriterTotals] = self._totals_before
        self._synced: dict[str, int | None] = dict.fromkeys(options.kinds)
        self._rounds = RetentionRounds(clock, self._say)
        self._waits_told = 0
        self._tell_waits_at = 0.0

    def continue_run(self, run: str, counts_on: Mapping[str, int]) -> None:
        """Go on in a run that the store has, instead of beginning a new one; before `start`.

        `counts_on` as `RecorderOptions` has it. Whether it is gone on with, `run` says after
        `start`: not where recovery leaves less of it, nor where the disk has not the room to find
        out.
        """
        self._options = replace(self._options, run=run, continues=True, counts_on=counts_on)
        self.run = run

    def start(self) -> RecoveryReport:
        """Lock the store, put it right (see `recover`), begin a run, and begin to record.

        Where the disk has not the room for any of it, recording is stopped from the start, and
        tried again like after any other failure.

        Raises:
            StoreBusyError: another process writes to the store.
            StoreError: the store cannot be used, with the reason; or the recorder was started
                before.
        """
        if self._thread is not None or self._is_closed:
            raise StoreError("a recorder can be started only once")
        report = RecoveryReport()
        try:
            self._open_or_stop(report)
        except OSError as error:
            self._release()
            raise StoreError(f"cannot record in {self._options.store_dir}: {error}") from error
        except BaseException:
            self._release()
            raise
        self._say("info", "run_started", run=self.run, store=str(self._options.store_dir))
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()
        return report

    def write(self, kind: str, line: bytes, t: int) -> None:
        """Take one line, given without its line end, of tick `t`.

        Within a kind, lines are recorded in the order of the calls. Never raises for the disk's
        sake: while recording is stopped, and after closing, the line is dropped and counted.
        While the queue is full it waits, or drops the line, as `RecorderOptions.when_full` says.

        Raises:
            UnknownSegmentError: the recorder does not take this kind.
            LimitError: the line is one that no segment may hold (see `SegmentWriter.write_line`).
            StoreError: the recorder was not started, or by the process that forked this one off.

        Cost: 2 µs.
        """
        check_line(line, t)
        if kind not in self._options.kinds:
            kinds = ", ".join(self._options.kinds)
            raise UnknownSegmentError(f"kind must be one of {kinds}, got {kind!r}")
        if self._thread is None:
            raise StoreError("the recorder must be started before lines are written")
        check_process(self._process)
        # The line that opens a segment is not kept waiting, so that the segment can be seen.
        recording = self._recording
        nudge = recording is not None and recording.writers[kind].entry() is None
        self._queue.put((kind, line, t), nudge=nudge)

    def add_about(self, about: Mapping[str, Any]) -> None:
        """Say more of what the run is filmed with: it is in its record before the lines to come.

        Never waits for the disk.
        """
        check_process(self._process)
        self._options = replace(self._options, about={**self._options.about, **about})
        if self._thread is not None:  # else its start will say it
            self._more_about.append(about)

    def flush(self) -> None:
        """Wait until every line written so far can be read from its file, or recording stopped."""
        check_process(self._process)
        if self._thread is not None:
            self._queue.flush()

    def close(self) -> None:
        """Record what is queued, close the segments, end the run and stop; again does nothing."""
        check_process(self._process)
        self._is_closed = True
        self._queue.close()
        if self._thread is not None:
            self._thread.join()

    def status(self) -> RecorderStatus:
        """Return how it is doing. Never waits for the disk."""
        counts = self._queue.counts()
        error = self._error or self._queue.slow or self._death
        done = self._rounds
        return RecorderStatus(
            run=self.run,
            recording=self._is_alive and not self._is_closed and error is None,
            error=error,
            queued_lines=counts.lines,
            queued_bytes=counts.bytes,
            dropped_lines=counts.refused + counts.lost + self._ledger.lines_dropped,
            waits=counts.waits,
            holes=self._holes,
            last_hole=self._last_hole,
            kinds=self._totals,
            synced=dict(self._synced),
            policy=self._options.retention,
            removed_segments=done.segments,
            removed_bytes=done.bytes,
            retention=done.report,
            retention_done=done.done,
        )

    def current(self, kind: str) -> dict[str, Any] | None:
        """Return the manifest entry of the segment of a kind that is being written, or None.

        It is as of the last flush. Never waits for the disk.

        Raises:
            UnknownSegmentError: a store has no such kind.
        """
        pending = self._pending(kind)
        return None if pending is None else pending.to_dict()

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """Return the manifest entries of the segments of a kind that can be fetched now.

        Closed ones in the order of recording, of all runs, then the one being written. Never
        waits for the disk.

        Raises:
            UnknownSegmentError: a store has no such kind.

        Cost: 1 µs a segment.
        """
        # The pending one is asked for first: should it be closed in between, it is found twice
        # and named once, while the other order might find it nowhere.
        pending = self._pending(kind)
        folder = self._folders.get(kind)
        entries = list(folder.manifest.entries()) if folder is not None else []
        if pending is not None:
            closed_path = f"{kind}/{pending.name.as_closed()}"
            if all(entry.path != closed_path for entry in entries):
                entries.append(pending)
        return [entry.to_dict() for entry in entries]

    def segments(self) -> dict[str, int]:
        """Return how many closed segments there are of each kind it takes, of all runs.

        Never waits for the disk.
        """
        folders = self._folders
        return {
            kind: len(folders[kind].manifest.entries()) if kind in folders else 0
            for kind in self._options.kinds
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _pending(self, kind: str) -> SegmentEntry | None:
        check_kind(kind)
        recording = self._recording
        writer = None if recording is None else recording.writers.get(kind)
        return None if writer is None else writer.entry()

    def _take_lock(self) -> None:
        """Lock the store, or the one that has to be made where it was."""
        if self._lock is not None:
            try:
                self._lock.check()
            except FileNotFoundError:
                self._release()
        if self._lock is None:
            self._lock = StoreLock(
                self._options.store_dir, run=self.run, clock=self._clock, on_event=self._say
            )

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def _open_or_stop(self, report: RecoveryReport) -> None:
        try:
            self._take_lock()
            self._open(report)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            if self._options.continues:  # what recovery will leave of that one, nobody knows
                self._options = replace(self._options, continues=False)
                self._take_run(new_run_id(self._clock.wall()))
            # The next attempt may find the run begun, by this one: it is not another's.
            self._has_begun = True
            self._note_stop(error)
            self._queue.stop()

    def _open(self, report: RecoveryReport) -> None:
        recording = Recording(
            self._options,
            self.run,
            self._rounds,
            report,
            begins=not self._has_begun,
            clock=self._clock,
            usage=self._usage,
            on_event=self._say,
        )
        self._has_begun = True
        self._take_run(recording.run.id)
        self._folders = recording.folders
        self._ledger.settle(recording.entry_of)
        for kind in self._options.kinds:
            self._ledger.compare(kind, recording.of_run(kind))
        self._recording = recording

    def _take_run(self, run: str) -> None:
        if run != self.run:
            self.run = run
            if self._lock is not None:
                self._lock.sign(run)

    def _tell_slow(self, reason: str | None) -> None:
        if reason is not None:
            self._say("error", "recording_stopped", run=self.run, error=reason)
        else:
            self._say("warning", "recording_resumed", run=self.run)

    # What follows runs in the recorder's thread.

    def _run(self) -> None:
        try:
            while not self._work():
                pass
            self._finish()
        except Exception as error:
            self._death = f"the recorder has died: {type(error).__name__}: {error}"
            recording, self._recording = self._recording, None
            if recording is not None:
                recording.close()
            raise
        finally:
            self._release()
            self._queue.end()

    def _work(self) -> bool:
        """Record the next lines, or try to begin again; return whether these were the last."""
        batch = self._queue.take(_BATCH_BYTES, self._seconds_to_wait())
        if self._recording is not None:
            self._record(self._recording, batch)
        elif batch.is_last or self._clock.steady() >= self._retry_at:
            self._try_again()
        self._queue.recorded(batch)
        return batch.is_last

    def _seconds_to_wait(self) -> float:
        # Not a whole round where something is due before its end: the lines in the queue are as
        # old as the round that was cut short, and must not wait for another one.
        due = self._retry_at if self._recording is None else self._recording.due_at()
        longest = min(self._options.flush_seconds, _LONGEST_ROUND_SECONDS)
        left = due - self._clock.steady()
        return max(_SHORTEST_ROUND_SECONDS, min(longest, left))

    def _record(self, recording: Recording, batch: Batch) -> None:
        number = 0
        try:
            self._check_lock()
            self._say_about(recording)
            for number, item in enumerate(batch.lines):  # noqa: B007 - used where it fails
                self._record_one(recording, item)
            number = len(batch.lines)
            if not number and self._ledger.has_undeclared:  # none may follow for a long time
                for kind in self._options.kinds:
                    self._declare(recording, kind)
            recording.end_round(flush=batch.asks_flush)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for the disk
            before, now = self._totals, totals_of_both(self._totals_before, recording.totals)
            taken = {kind: now[kind].lines - before[kind].lines for kind in now}
            rest = _not_taken(batch.lines[number:], batch.lines[:number], taken)
            self._stop(recording, error, rest)
        else:
            self._publish(recording)
            self._prove()
            self._tell_waits()

    def _check_lock(self) -> None:
        if self._lock is not None:
            self._lock.check()

    def _say_about(self, recording: Recording) -> None:
        while self._more_about:
            recording.run.add_about(self._more_about[0])
            self._more_about.popleft()

    def _record_one(self, recording: Recording, item: QueuedLine | Lost) -> None:
        if isinstance(item, Lost):
            self._ledger.recorded(item.kind, recording.writers[item.kind].last_t)
            self._ledger.lose(item)
            return
        kind, line, t = item
        if self._ledger.has_undeclared:
            self._declare(recording, kind, t - 1)
        recording.writers[kind].take_line(line, t)

    def _declare(self, recording: Recording, kind: str, to_t: int | None = None) -> None:
        hole = self._ledger.hole(kind, to_t)
        if hole is None:
            return
        recording.run.add_hole(hole)
        self._ledger.declared(kind)
        self._holes += 1
        self._last_hole = hole
        values = {name: getattr(hole, name) for name in _HOLE_VALUES}
        self._say("warning", "hole", run=self.run, kind=kind, **values)

    def _stop(
        self, recording: Recording, error: Exception, rest: Sequence[QueuedLine | Lost]
    ) -> None:
        """Let go of what there is; `rest` are the lines in hand that no segment was given."""
        self._queue.stop()  # before anything else: somebody may be waiting
        self._recording = None
        self._note_stop(error)
        recording.close()
        recording.note_losses(self._ledger)
        for item in rest:
            if isinstance(item, Lost):
                self._ledger.lose(item)
            else:
                kind, _, t = item
                self._ledger.drop(Lost(kind, 1, t, t))
        self._publish(recording)
        self._totals_before = dict(self._totals)

    def _note_stop(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        trace = _trace_of_bug(error)
        if self._is_proven:
            self._say("error", "recording_stopped", run=self.run, error=reason, trace=trace)
        elif reason != self._error:  # the same reason every few seconds is no news
            self._say("error", "recording_not_resumed", run=self.run, error=reason, trace=trace)
        self._is_proven = False
        self._error = self._ledger.reason = reason
        self._retry_at = self._clock.steady() + self._options.retry_seconds

    def _try_again(self) -> None:
        try:
            self._take_lock()
            self._open(RecoveryReport())
        except Exception as error:  # noqa: BLE001 - said, and tried again
            self._note_stop(error)
            return
        for lost in self._queue.resume():
            self._ledger.lose(lost)

    def _prove(self) -> None:
        """Note that the disk has taken a round since recording began again."""
        if not self._is_proven:
            self._is_proven = True
            self._error = None
            self._say("warning", "recording_resumed", run=self.run)

    def _finish(self) -> None:
        """Close all segments and end the run; once more from the start where that fails."""
        for _ in range(2):
            if self._recording is None:
                self._try_again()
            recording = self._recording
            if recording is None:
                break
            try:
                self._end(recording)
            except Exception as error:  # noqa: BLE001 - said; nobody may wait for the disk
                self._stop(recording, error, ())
            else:
                self._publish(recording)
                self._prove()
                return
        self._tell_undeclared()

    def _tell_undeclared(self) -> None:
        """Say of each hole what the journal could not be told: there is no later time for it."""
        for lost in self._queue.resume():
            self._ledger.lose(lost)
        for kind in self._options.kinds:
            if (hole := self._ledger.hole(kind)) is not None:
                values = {name: getattr(hole, name) for name in _HOLE_VALUES}
                self._say("error", "hole_undeclared", run=self.run, kind=kind, **values)

    def _end(self, recording: Recording) -> None:
        if problems := recording.close():
            raise problems[0]
        for kind in self._options.kinds:
            self._declare(recording, kind)
        recording.run.end()
        if self._rounds.is_due:
            recording.retain()

    def _publish(self, recording: Recording) -> None:
        self._totals = totals_of_both(self._totals_before, recording.totals)
        for kind, writer in recording.writers.items():
            if writer.synced_t is not None:
                self._synced[kind] = writer.synced_t

    def _tell_waits(self) -> None:
        waits = self._queue.counts().waits
        if waits > self._waits_told and self._clock.steady() >= self._tell_waits_at:
            self._tell_waits_at = self._clock.steady() + _TELL_SECONDS
            self._say("warning", "recording_slow", waits=waits - self._waits_told)
            self._waits_told = waits


def _not_taken(
    rest: list[QueuedLine | Lost], done: Sequence[QueuedLine | Lost], taken: Mapping[str, int]
) -> list[QueuedLine | Lost]:
    """Return what of a batch no segment was given: the line that failed may have been, or not.

    `done`: what came before it in the batch; `taken`: lines that the writers took in this batch.
    """
    if not rest or isinstance(rest[0], Lost):
        return rest
    kind = rest[0][0]
    before = sum(not isinstance(item, Lost) and item[0] == kind for item in done)
    return rest[1:] if taken[kind] > before else rest


def _trace_of_bug(error: Exception) -> str | None:
    """Return where an error comes from, unless it is one that a disk or a store can cause."""
    if isinstance(error, OSError | StoreError):
        return None
    return "".join(traceback.format_exception(error))
