"""Gives the journal of runs back what the manifests know of it, after lines of it were lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.io.store.clock import utc_text
from marketcam.io.store.runs import RUNS, UNNAMED_RUN, lost_segment_record, lost_start_record

if TYPE_CHECKING:
    from marketcam.io.store.entry import SegmentEntry
    from marketcam.io.store.events import EventSink
    from marketcam.io.store.folder import KindFolder
    from marketcam.io.store.journal import RunJournal

__all__ = ["complete_journal"]


def complete_journal(journal: RunJournal, folder: KindFolder, on_event: EventSink) -> list[str]:
    """Add the runs and segments that a manifest has and the journal lacks; return their names.

    A run gets the turn that its segments have in the manifest.

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
        if run not in records.runs:
            at = utc_text(entry.name.stamp.timestamp())
            journal.append(lost_start_record(run, at, after))
            added.append(run)
        after = run
    for entry in folder.manifest.entries():
        if entry.run is not None and entry.path not in records.segments:
            journal.append(lost_segment_record(entry.run, entry.path))
            added.append(entry.path)
    if added:
        on_event("warning", "journal_completed", path=RUNS, lost=added)
    return added
