"""What recovery has to say in the journal of runs: what it had lost, and what a run has lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.io.store.clock import utc_text
from marketcam.io.store.runs import (
    RUNS,
    UNNAMED_RUN,
    Hole,
    hole_record,
    lost_segment_record,
    lost_start_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from marketcam.io.store.entry import SegmentEntry
    from marketcam.io.store.events import EventSink
    from marketcam.io.store.folder import KindFolder
    from marketcam.io.store.journal import RunJournal

__all__ = ["complete_journal", "declare_losses"]


def complete_journal(
    journal: RunJournal, folder: KindFolder, on_event: EventSink, *, but: str | None = None
) -> list[str]:
    """Add the runs and segments that a manifest has and the journal lacks; return their names.

    A run gets the turn that its segments have in the manifest. Left out is the run `but`, of
    which its writer knows more than the manifest.

    Raises:
        OSError: the journal cannot be written.

    Cost: a sync for each record that was lost.
    """
    records = journal.records
    first: dict[str, SegmentEntry] = {}
    for entry in folder.manifest.entries():
        first.setdefault(records.run_of(entry), entry)
    added: list[str] = []
    after: str | None = None
    for run, entry in reversed(first.items()):
        if run == UNNAMED_RUN:
            continue
        if run not in records.runs and run != but:
            at = utc_text(entry.name.stamp.timestamp())
            journal.append(lost_start_record(run, at, after))
            added.append(run)
        after = run
    for entry in folder.manifest.entries():
        if entry.run not in (None, but) and entry.path not in records.segments:
            journal.append(lost_segment_record(entry.run, entry.path))
            added.append(entry.path)
    if added:
        on_event("warning", "journal_completed", path=RUNS, lost=added)
    return added


def declare_losses(
    journal: RunJournal, folder: KindFolder, before: Iterable[SegmentEntry], on_event: EventSink
) -> None:
    """Declare a hole for each segment that is gone or has become shorter since `before`.

    Those who read the run, or play it, are told so of the ticks that are not there any more.

    Raises:
        OSError: the journal cannot be written.
    """
    for entry in before:
        run = journal.records.run_of(entry)
        hole = _loss(folder, entry)
        if hole is not None and run in journal.records.runs:
            journal.append(hole_record(run, hole))
            on_event("warning", "loss_declared", path=entry.path, run=run, lines=hole.lines)


def _loss(folder: KindFolder, before: SegmentEntry) -> Hole | None:
    now = folder.manifest.latest(before.name)
    if now is None or now.removed:
        reason = "the segment is missing"
        return Hole(folder.kind, before.start_t, before.end_t, before.lines, reason)
    lost = before.lines - now.lines
    if lost <= 0:
        return None
    return Hole(folder.kind, now.end_t + 1, before.end_t, lost, "the segment was damaged")
