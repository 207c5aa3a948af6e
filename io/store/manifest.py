"""`manifest.json`: the append-only record of a kind's segments.

A JSON list, one record a line. It is replaced whole and atomically, so a reader never sees half
of it; a record once in it stays in it. The last record of a path is the one that holds.
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson

from marketcam.io.store.entry import SegmentEntry, check_format
from marketcam.io.store.errors import ManifestError, NewerFormatError
from marketcam.io.store.files import locked_folder, replace_whole, set_aside

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from marketcam.io.store.names import SegmentName

__all__ = ["MANIFEST", "Manifest", "latest_records", "read_manifest"]

MANIFEST: Final = "manifest.json"
"""File name of a manifest in its kind's folder."""

_FORMAT: Final = re.compile(rb'"format": ?([0-9]{1,9})\b')


class Manifest:
    """A kind's manifest, to read from any thread and to append to.

    Several of them, in several processes, may append to the same file: each takes in what the
    others have added first, under the folder's lock.

    Args:
        folder: the kind's folder; it exists.
        on_damage: called when the file is found not to be a manifest, with the path it was set
            aside to and the reason. What this object knows of it is then written anew; segments
            it does not know are for `recover` to enter. None: ManifestError is raised instead,
            and the file stays as it is.

    Raises:
        ManifestError: the file is not a manifest, and `on_damage` is None.
        NewerFormatError: a record is of a later version of this software. That is no damage:
            nothing was changed.

    Cost: 15 µs a record to open (40 beside a busy engine), and again once another process has
    appended; what this object has written it does not read. To append, however many: 1 µs for
    each record there is, and two syncs. Memory: 0.7 KB a record.
    """

    def __init__(
        self, folder: Path, on_damage: Callable[[Path, ManifestError], None] | None = None
    ) -> None:
        self._path = folder / MANIFEST
        self._on_damage = on_damage
        self._appending = threading.Lock()
        self._records = b""  # as they stand, fields of others included
        self._seen: tuple[int, int, int] | None = None
        # Replaced, never changed: whoever asks does not wait for an append and its syncs.
        self._latest: dict[str, SegmentEntry] = {}
        self._live: tuple[SegmentEntry, ...] = ()
        self.refresh()

    def entries(self) -> tuple[SegmentEntry, ...]:
        """Return the closed segments that were not removed, in the order of recording."""
        return self._live

    def latest(self, name: SegmentName) -> SegmentEntry | None:
        """Return the record that holds for a closed segment, `removed` or not; None without any."""
        return self._latest.get(f"{self._path.parent.name}/{name.as_closed()}")

    def records(self) -> list[SegmentEntry]:
        """Return every record, also those that no longer hold, in the order of writing.

        Cost: 15 µs a record.
        """
        raw = orjson.loads(b"[%b]" % self._records)
        return [SegmentEntry.from_dict(record, self._path.parent.name) for record in raw]

    def set_aside(self) -> Path:
        """Rename the file and forget what was in it; return where it is now."""
        with self._appending, locked_folder(self._path.parent):
            aside = set_aside(self._path, "corrupt")
            self._hold(b"", [])
        return aside

    def refresh(self) -> None:
        """Take in what others have appended. Cost: one look at the file's date when nobody has."""
        with self._appending, locked_folder(self._path.parent):
            self._take_in()

    def append(self, entries: Iterable[SegmentEntry]) -> None:
        """Add records, durably: either all are in the file afterwards, or (OSError) none."""
        added = list(entries)
        with self._appending, locked_folder(self._path.parent):
            self._take_in()
            records = _joined(self._records, (entry.to_dict() for entry in added))
            replace_whole(self._path, b"[\n" + records + b"\n]\n")
            self._hold(records, [*self._latest.values(), *added])

    def _take_in(self) -> None:
        stat = self._stat()
        if stat == self._seen:
            return
        if stat is None and self._records:
            return  # somebody took the file away: the next append writes what is known
        try:
            records = read_manifest(self._path)
        except ManifestError as error:
            if self._on_damage is None:
                raise
            self._on_damage(set_aside(self._path, "corrupt"), error)
        else:
            self._hold(_joined(b"", (raw for raw, _ in records)), [entry for _, entry in records])

    def _hold(self, records: bytes, entries: list[SegmentEntry]) -> None:
        self._records = records
        self._latest = latest_records(entries)
        self._live = tuple(entry for entry in self._latest.values() if not entry.removed)
        self._seen = self._stat()

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat: os.stat_result = self._path.stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _joined(records: bytes, added: Iterable[dict[str, Any]]) -> bytes:
    # One text of all: orjson gives a short one the memory of a long one, 4 KB.
    text = bytearray(records)
    for record in added:
        if text:
            text += b",\n"
        text += orjson.dumps(record)
    return bytes(text)


def latest_records(entries: Iterable[SegmentEntry]) -> dict[str, SegmentEntry]:
    """Return the record that holds for each path, in the order of recording."""
    latest: dict[str, SegmentEntry] = {}
    for entry in entries:
        before = latest.get(entry.path)
        if before is not None and before.removed:
            del latest[entry.path]  # entered anew after a removal: its turn is now
        latest[entry.path] = entry
    return latest


def read_manifest(path: Path) -> list[tuple[dict[str, Any], SegmentEntry]]:
    """Return every record of a manifest, as it stands and as it reads; none without a file.

    Raises:
        ManifestError: the file is not a manifest; names the path, the record and the field.
        NewerFormatError: a record is of a later version of this software, whatever else is wrong.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    try:
        records = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        for format_said in _FORMAT.findall(text):
            _check_format(path, {"format": int(format_said)})
        raise ManifestError(f"{path} must be JSON: {error}") from error
    if not isinstance(records, list):
        raise ManifestError(f"{path} must be a list, got {type(records).__name__}")
    for raw in records:
        if isinstance(raw, dict) and type(raw.get("format")) is int:
            _check_format(path, raw)
    return [(raw, _read_record(path, number, raw)) for number, raw in enumerate(records)]


def _check_format(path: Path, record: dict[str, Any]) -> None:
    with suppress(ManifestError):  # a bad record is told by its number
        try:
            check_format(record)
        except NewerFormatError as error:
            raise NewerFormatError(f"{path}: {error}") from error


def _read_record(path: Path, number: int, raw: object) -> SegmentEntry:
    try:
        return SegmentEntry.from_dict(raw, kind=path.parent.name)
    except ManifestError as error:
        raise ManifestError(f"{path}, record {number}: {error}") from error
