"""What a recorder has while it records: an opened store, a run, and a writer for each kind."""

from __future__ import annotations

import errno
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.io.store.folder import KindFolder
from marketcam.io.store.holes import LossLedger, Lost
from marketcam.io.store.journal import OpenRun, RunJournal
from marketcam.io.store.journal_repair import complete_journal, declare_losses
from marketcam.io.store.manifest import latest_records
from marketcam.io.store.names import KINDS, SegmentName
from marketcam.io.store.recovery import (
    RecoveryReport,
    manifest_damage,
    recover_folder,
    refuse_newer,
)
from marketcam.io.store.retention import DiskUse, Retention
from marketcam.io.store.runs import new_run_id
from marketcam.io.store.writer import SegmentWriter, WriterTotals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from marketcam.io.store.clock import Clock
    from marketcam.io.store.entry import SegmentEntry
    from marketcam.io.store.events import EventSink
    from marketcam.io.store.keeping import RetentionRounds
    from marketcam.io.store.options import RecorderOptions

__all__ = ["NO_SPACE", "Recording", "totals_of_both"]

NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a disk says that would take what is to be written if it had the room."""


class Recording:
    """A store that is recorded into, from its opening to the first failure or the closing.

    Made under the store's lock: it reads the journal and the manifests, makes room (retention),
    recovers what dead writers have left, and begins the run or goes on with it. That comes last:
    only now it is known what the run has, and nothing that can fail comes after it.

    Args:
        options: what to do.
        run: the name of the run.
        begins: whether this is the first time that the run is recorded by this process.
        rounds: runs the retention.
        report: takes what recovery finds.
        clock, usage, on_event: as `Recorder` has them.

    Raises:
        StoreError: the store cannot be used, with the reason.
        OSError: the disk refused.

    Attributes:
        run: the run; another than was asked for where that cannot be gone on with.
        folders: the folders of all kinds that there are.
        writers: the writer of each kind that is recorded.
    """

    def __init__(  # noqa: PLR0913 - what a recorder has, once
        self,
        options: RecorderOptions,
        run: str,
        rounds: RetentionRounds,
        report: RecoveryReport,
        *,
        begins: bool,
        clock: Clock,
        usage: Callable[[Path], DiskUse],
        on_event: EventSink,
    ) -> None:
        store_dir = Path(options.store_dir)
        refuse_newer(store_dir, KINDS)
        RunJournal(store_dir, on_event=on_event)  # a damaged one is put right before it is read
        on_damage = manifest_damage(report, on_event)
        # Kinds that are not recorded now count for retention as well: they fill the same disk.
        self.folders = {
            kind: KindFolder.open(store_dir, kind, clock, on_damage)
            for kind in KINDS
            if kind in options.kinds or (store_dir / kind).is_dir()
        }
        self.writers: dict[str, SegmentWriter] = {}
        folders = tuple(self.folders.values())
        self._rounds = rounds
        self._say = on_event
        self._retention = Retention(
            store_dir,
            folders,
            options.retention,
            clock=clock,
            usage=usage,
            on_event=rounds.tell,
        )
        self.retain()  # first, so that a full disk has room for the recovery
        before = {kind: folder.manifest.entries() for kind, folder in self.folders.items()}
        for folder in folders:
            recover_folder(folder, options.level, on_event, report)
        self._journal = RunJournal(store_dir)  # as recovery has left it
        for kind, folder in self.folders.items():
            complete_journal(self._journal, folder, on_event, but=run)
            declare_losses(self._journal, folder, before[kind], on_event)
        self.run = self._open_run(options, run, clock, begins=begins)
        rules = options.segment_rules()
        self.writers = {
            kind: SegmentWriter(self.folders[kind], self.run, rules, self._tell_closed)
            for kind in options.kinds
        }

    def _open_run(
        self, options: RecorderOptions, name: str, clock: Clock, *, begins: bool
    ) -> OpenRun:
        run = OpenRun(self._journal, name, clock)
        if begins and options.continues:
            if not self._falls_short(name, options.counts_on):
                run.go_on()
                return run
            run = OpenRun(self._journal, new_run_id(clock.wall()), clock)
        if begins or not run.is_known:  # the journal may have gone, with its folder or without
            run.begin(options.about)
            self._enter_again(run)
        return run

    def _enter_again(self, run: OpenRun) -> None:
        """Say in a journal that was made anew which segments the run has."""
        for folder in self.folders.values():
            for entry in folder.manifest.entries():
                if entry.run == run.id and entry.path not in self._journal.records.segments:
                    run.add_segment(entry.path)

    def _falls_short(self, run: str, counts_on: Mapping[str, int]) -> bool:
        """Return whether recovery has left less of a run than is counted on."""
        for kind, t in counts_on.items():
            ends = [entry.end_t for entry in self._records(kind, run)]
            if max(ends, default=-1) < t:
                return True
        return False

    def of_run(self, kind: str) -> list[SegmentEntry]:
        """Return what the manifest of a kind has of the run, what was removed included."""
        return self._records(kind, self.run.id)

    def _records(self, kind: str, run: str) -> list[SegmentEntry]:
        folder = self.folders.get(kind)
        records = () if folder is None else latest_records(folder.manifest.records()).values()
        return [entry for entry in records if self._journal.records.run_of(entry) == run]

    @property
    def totals(self) -> dict[str, WriterTotals]:
        """What its writers have written, by kind."""
        return {kind: writer.totals() for kind, writer in self.writers.items()}

    def entry_of(self, path: str) -> SegmentEntry | None:
        """Return what the manifest has of a closed segment; None where that is not there."""
        kind, _, file_name = path.partition("/")
        name = SegmentName.parse(file_name)
        entry = None if name is None else self.folders[kind].manifest.latest(name)
        return None if entry is None or entry.removed else entry

    def end_round(self, *, flush: bool) -> None:
        """Roll and flush what is due, all of it with `flush`; then retention, if it is due.

        Raises:
            OSError: the disk refused.
        """
        for writer in self.writers.values():
            writer.close_if_old()
            if flush:
                writer.flush()
            writer.flush_if_due()
        if self._rounds.is_due:
            self.retain()

    def due_at(self) -> float:
        """Return when something is due, in steady seconds."""
        return min((writer.due_at() for writer in self.writers.values()), default=math.inf)

    def retain(self) -> None:
        """Make a pass of retention."""
        pending = (writer.entry() for writer in self.writers.values())
        self._rounds.run(
            self._retention, sum(entry.bytes for entry in pending if entry is not None)
        )

    def close(self) -> list[Exception]:
        """Close all writers, whatever happens to one of them; return what did."""
        problems: list[Exception] = []
        for kind, writer in self.writers.items():
            try:
                writer.close()
            except Exception as error:  # noqa: BLE001 - the others are to be closed
                problems.append(error)
                self._say("error", "segment_left_pending", kind=kind, error=str(error))
        return problems

    def note_losses(self, ledger: LossLedger) -> None:
        """Say in a ledger up to where it is recorded, and which segments had to be left."""
        for kind, writer in self.writers.items():
            if writer.first_t is not None and writer.closed_t is not None:
                lines = writer.totals().lines - sum(left.taken.lines for left in writer.left)
                ledger.keep(Lost(kind, lines, writer.first_t, writer.closed_t))
            for left in writer.left:
                ledger.leave(left)

    def _tell_closed(self, entry: SegmentEntry) -> None:
        self._rounds.hurry()
        self._say(
            "info",
            "segment_closed",
            path=entry.path,
            start_t=entry.start_t,
            end_t=entry.end_t,
            lines=entry.lines,
            bytes=entry.bytes,
        )


def totals_of_both(
    one: Mapping[str, WriterTotals], other: Mapping[str, WriterTotals]
) -> dict[str, WriterTotals]:
    """Return the totals by kind of two recordings, one after the other."""
    return {kind: total.plus(other.get(kind, WriterTotals())) for kind, total in one.items()}
