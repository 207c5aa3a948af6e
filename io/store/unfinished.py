"""Takes a run that was not recorded to its end out of its store, to be recorded anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.io.store.files import remove_file, sync_folder
from marketcam.io.store.folder import KindFolder
from marketcam.io.store.names import KINDS, names_in

if TYPE_CHECKING:
    from pathlib import Path

    from marketcam.io.store.clock import Clock
    from marketcam.io.store.runs import RunRecords

__all__ = ["remove_segments_of_run"]


def remove_segments_of_run(store_dir: Path, run: str, records: RunRecords, clock: Clock) -> None:
    """Remove all segments of a run, closed and pending, for good, and nothing else.

    For the holder of the store's lock. Where it is cut off, it can be done once more.

    Raises:
        ManifestError: a manifest is damaged; `recover` mends it.
        OSError: the disk refused.
    """
    for kind in KINDS:
        if (store_dir / kind).is_dir():
            _remove_from(KindFolder.open(store_dir, kind, clock), run, records)


def _remove_from(folder: KindFolder, run: str, records: RunRecords) -> None:
    entries = [entry for entry in folder.manifest.entries() if records.run_of(entry) == run]
    listed = {entry.path for entry in entries}
    for name in names_in(folder.path):
        path = folder.entry_path(name.as_closed())
        if path in listed or records.segments.get(path) == run:
            remove_file(folder.file(name))
    sync_folder(folder.path)
    if entries:
        folder.manifest.append(entry.as_removed() for entry in entries)
