"""The recorder: a thread of its own that writes every line into the segments of its kind."""

from __future__ import annotations

import math
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from marketcam.io.store.clock import SYSTEM_CLOCK, Clock
from marketcam.io.store.errors import StoreError, UnknownSegmentError
from marketcam.io.store.events import EventSink, ignore_event
from marketcam.io.store.folder import KindFolder
from marketcam.io.store.journal import OpenRun, RunJournal
from marketcam.io.store.line_queue import LineQueue
from marketcam.io.store.lock import StoreLock
from marketcam.io.store.names import KINDS, check_kind
from marketcam.io.store.recovery import RecoveryReport, manifest_damage, recover_folder
from marketcam.io.store.retention import DiskUse, Retention, RetentionReport, disk_use
from marketcam.io.store.writer import SegmentWriter, WriterTotals, check_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from marketcam.io.store.entry import SegmentEntry
    from marketcam.io.store.line_queue import Batch
    from marketcam.io.store.options import RecorderOptions

__all__ = ["Recorder", "RecorderStatus"]

_WAKE_AT_BYTES: Final = 256 * 1024
_BATCH_BYTES: Final = 1024 * 1024
_SHORTEST_ROUND_SECONDS: Final = 0.001  # whatever flush_seconds is, the thread does not spin
_LONGEST_ROUND_SECONDS: Final = 1.0  # segments roll this late at most when no line arrives
_RETENTION_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How a recorder is doing.

    Attributes:
        recording: whether lines are being recorded.
        error: why not, if recording has failed; None otherwise.
        queued_lines: lines waiting to be written.
        queued_bytes: memory they take.
        dropped_lines: lines not recorded: written after a failure or after closing, or on their
            way to the disk at the failure (some of these the next start may recover).
        waits: how often a `write` had to wait because the queue was full.
        kinds: what was written, by kind.
        removed_segments: segments removed by retention since the start.
        removed_bytes: their size.
        retention: the last retention pass, None before the first.
    """

    recording: bool
    error: str | None
    queued_lines: int
    queued_bytes: int
    dropped_lines: int
    waits: int
    kinds: Mapping[str, WriterTotals]
    removed_segments: int
    removed_bytes: int
    retention: RetentionReport | None


class Recorder:
    """Records lines into segments, in a thread of its own. Safe to use from any thread.

    The rule between it and the engine: while recording works no line is lost, so when the disk is
    slower than the lines for long enough to fill the queue, `write` waits and the engine is
    slowed. When recording has failed (disk full, folder gone) it stops, loudly: `status().error`
    and an event of level ``error`` say why, and from then on lines are dropped and counted, so
    that a dead disk never stops the stream. Recording begins again with the next start.

    Args:
        options: what to do.
        on_event: is told what happens, from the recorder's thread (from the caller's in `start`).
        clock: where time comes from.
        usage: how full the disk of a folder is.
    """

    def __init__(
        self,
        options: RecorderOptions,
        *,
        on_event: EventSink = ignore_event,
        clock: Clock = SYSTEM_CLOCK,
        usage: Callable[[Path], DiskUse] = disk_use,
    ) -> None:
        self._options = options
        self._say = on_event
        self._clock = clock
        self._usage = usage
        self._queue = LineQueue(options.queue_bytes, _WAKE_AT_BYTES)
        self._folders: dict[str, KindFolder] = {}
        self._writers: dict[str, SegmentWriter] = {}
        self._retention: Retention | None = None
        self._thread: threading.Thread | None = None
        self._lock: StoreLock | None = None
        self._run_open: OpenRun | None = None
        self._is_closed = False
        self._error: str | None = None
        self._totals: Mapping[str, WriterTotals] = dict.fromkeys(options.kinds, WriterTotals())
        self._retain_at = clock.steady()
        self._last_retention: RetentionReport | None = None
        self._removed_segments = 0
        self._removed_bytes = 0
        self._waits_told = 0

    def start(self) -> RecoveryReport:
        """Put the store right (see `recover`), then begin to record.

        Raises:
            StoreError: the store cannot be used, with the reason; or the recorder was started
                before.
        """
        if self._thread is not None or self._is_closed:
            raise StoreError("a recorder can be started only once")
        report = RecoveryReport()
        try:
            self._open_store(report)
        except OSError as error:
            self._release()
            raise StoreError(f"cannot record in {self._options.store_dir}: {error}") from error
        except BaseException:
            self._release()
            raise
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()
        return report

    def write(self, kind: str, line: bytes, t: int) -> None:
        """Take one line, given without its line end, of tick `t`. Waits while the queue is full.

        Within a kind, lines are recorded in the order of the calls. Never raises for the disk's
        sake: when recording has failed, or was closed, the line is dropped and counted.

        Raises:
            UnknownSegmentError: the recorder does not take this kind.
            LimitError: the line is one that no segment may hold (see `SegmentWriter.write_line`).
            StoreError: the recorder was not started.

        Cost: 2 µs.
        """
        check_line(line, t)
        writer = self._writers.get(kind)
        if writer is None:
            if kind in self._options.kinds:
                raise StoreError("the recorder must be started before lines are written")
            raise UnknownSegmentError(
                f"kind must be one of {', '.join(self._options.kinds)}, got {kind!r}"
            )
        # The line that opens a segment is not kept waiting, so that the segment can be seen.
        self._queue.put((kind, line, t), nudge=writer.entry() is None)

    def flush(self) -> None:
        """Wait until every line written so far can be read from its file, or recording failed."""
        if self._thread is not None:
            self._queue.flush()

    def close(self) -> None:
        """Record what is queued, close the segments and stop; again does nothing."""
        self._is_closed = True
        self._queue.close()
        if self._thread is not None:
            self._thread.join()

    def status(self) -> RecorderStatus:
        """Return how it is doing. Never waits for the disk."""
        counts = self._queue.counts()
        dropped = counts.refused
        if self._error is not None:
            kept = (kind.lines - kind.lost_lines for kind in self._totals.values())
            dropped += counts.accepted - sum(kept)
        return RecorderStatus(
            recording=self._thread is not None and not self._is_closed and self._error is None,
            error=self._error,
            queued_lines=counts.lines,
            queued_bytes=counts.bytes,
            dropped_lines=dropped,
            waits=counts.waits,
            kinds=self._totals,
            removed_segments=self._removed_segments,
            removed_bytes=self._removed_bytes,
            retention=self._last_retention,
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

    def _pending(self, kind: str) -> SegmentEntry | None:
        writer = self._writers.get(check_kind(kind))
        return None if writer is None else writer.entry()

    def _open_store(self, report: RecoveryReport) -> None:
        options = self._options
        store_dir = Path(options.store_dir)
        self._lock = StoreLock(store_dir, run=options.run, clock=self._clock, on_event=self._say)
        self._run_open = OpenRun(
            RunJournal(store_dir, on_event=self._say),
            options.run,
            continues=options.continues,
            about=options.about,
            clock=self._clock,
        )
        on_damage = manifest_damage(report, self._say)
        # Kinds that are not recorded now count for retention as well: they fill the same disk.
        for kind in KINDS:
            if kind in options.kinds or (store_dir / kind).is_dir():
                self._folders[kind] = KindFolder.open(store_dir, kind, self._clock, on_damage)
        folders = tuple(self._folders.values())
        self._retention = Retention(
            store_dir,
            folders,
            options.retention,
            clock=self._clock,
            usage=self._usage,
            on_event=self._say,
        )
        self._retain(self._retention)  # first, so that a full disk has room for the recovery
        for folder in folders:
            recover_folder(folder, options.level, self._say, report)
        self._writers = {
            kind: SegmentWriter(
                self._folders[kind], self._run_open, options.segment_rules(), self._tell_closed
            )
            for kind in options.kinds
        }
        self._retain_at = self._clock.steady()

    # What follows runs in the recorder's thread.

    def _run(self) -> None:
        try:
            self._record_until_closed()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for this thread
            self._fail(error)
        finally:
            self._release()
            self._queue.end()

    def _record_until_closed(self) -> None:
        round_seconds = min(self._options.flush_seconds, _LONGEST_ROUND_SECONDS)
        is_last = False
        while not is_last:
            batch = self._queue.take(_BATCH_BYTES, self._seconds_to_wait(round_seconds))
            self._record(batch)
            is_last = batch.is_last
        for writer in self._writers.values():
            writer.close()
        if self._run_open is not None:
            self._run_open.end()
        self._publish_totals()
        self._retain_if_due()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _seconds_to_wait(self, round_seconds: float) -> float:
        # Not a whole round where a flush is due before its end: the lines in the queue are as
        # old as the round that was cut short, and must not wait for another one.
        due = min((writer.due_at() for writer in self._writers.values()), default=math.inf)
        left = due - self._clock.steady()
        return max(_SHORTEST_ROUND_SECONDS, min(round_seconds, left))

    def _record(self, batch: Batch) -> None:
        for kind, line, t in batch.lines:
            self._writers[kind].take_line(line, t)
        for writer in self._writers.values():
            writer.close_if_old()
            if batch.asks_flush:
                writer.flush()
            else:
                writer.flush_if_due()
        self._publish_totals()
        self._retain_if_due()
        self._queue.recorded(batch)

    def _fail(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        self._error = reason
        self._publish_totals()
        self._queue.throw_away()  # before anything else: somebody may be waiting
        self._say("error", "recording_failed", error=reason, trace=_trace_of_bug(error))
        for kind, writer in self._writers.items():
            try:
                writer.close()
            except (OSError, StoreError) as another:
                self._say("error", "segment_left_pending", kind=kind, error=str(another))
        self._publish_totals()

    def _publish_totals(self) -> None:
        self._totals = {kind: writer.totals() for kind, writer in self._writers.items()}

    def _tell_closed(self, entry: SegmentEntry) -> None:
        self._retain_at = self._clock.steady()
        self._say(
            "info",
            "segment_closed",
            path=entry.path,
            start_t=entry.start_t,
            end_t=entry.end_t,
            lines=entry.lines,
            bytes=entry.bytes,
        )

    def _retain_if_due(self) -> None:
        if self._retention is not None and self._clock.steady() >= self._retain_at:
            self._retain(self._retention)
            self._tell_waits()

    def _retain(self, retention: Retention) -> None:
        self._retain_at = self._clock.steady() + _RETENTION_SECONDS
        pending = (writer.entry() for writer in self._writers.values())
        try:
            report = retention.run(sum(entry.bytes for entry in pending if entry is not None))
        except OSError as error:
            # Not a reason to stop recording, which fails by itself if the disk does.
            self._say("error", "retention_failed", error=str(error))
            return
        for problem in report.errors:
            self._say("error", "retention_failed", error=problem)
        self._last_retention = report
        self._removed_segments += len(report.removed)
        self._removed_bytes += report.removed_bytes

    def _tell_waits(self) -> None:
        counts = self._queue.counts()
        if counts.waits > self._waits_told:
            waits = counts.waits - self._waits_told
            self._waits_told = counts.waits
            self._say("warning", "recording_slow", waits=waits, queued_bytes=counts.bytes)


def _trace_of_bug(error: Exception) -> str | None:
    """Return where an error comes from, unless it is one that a disk or a store can cause."""
    if isinstance(error, OSError | StoreError):
        return None
    return "".join(traceback.format_exception(error))
