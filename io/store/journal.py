"""Writes the journal of a store's runs (see `runs`), and what a run that is recorded says in it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from marketcam.io.store.clock import SYSTEM_CLOCK, Clock, utc_text
from marketcam.io.store.errors import ManifestError, StoreError, UnknownRunError
from marketcam.io.store.events import EventSink, ignore_event
from marketcam.io.store.files import (
    cut_file,
    link_file,
    open_or_create,
    replace_whole,
    sync_data,
    sync_folder,
    write_all,
)
from marketcam.io.store.lock import check_process
from marketcam.io.store.runs import (
    RUNS,
    RunRecords,
    about_record,
    hole_record,
    moment_record,
    parse_runs,
    segment_record,
    start_record,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from marketcam.io.store.runs import Hole

__all__ = ["OpenRun", "RunJournal"]


class RunJournal:
    """The journal of a store, to append to. For the holder of the store's lock; any thread.

    A torn tail, as a crash or a full disk leaves it, is cut off by the next record. A journal that
    is damaged before its last line is set aside as `runs.jsonl.corrupt-1`, and goes on with the
    records in it that can still be read.

    Attributes:
        records: what the journal says.

    Args:
        store_dir: the store's root; it exists.
        on_event: is told of a journal that was set aside.

    Raises:
        NewerFormatError: a record is of a later version of this software; nothing was changed.
        OSError: the journal cannot be read, or not be set aside.

    Cost: about 2 µs a record to open; a sync for each record to append.
    """

    def __init__(self, store_dir: Path, *, on_event: EventSink = ignore_event) -> None:
        self._path = store_dir / RUNS
        self._appending = threading.Lock()
        self._process = os.getpid()
        text = self._path.read_bytes() if self._path.exists() else b""
        try:
            self.records, self._size = parse_runs(text, self._path)
        except ManifestError as error:
            kept = _readable(text)
            self.records, self._size = parse_runs(kept, self._path)
            aside = self._set_aside(kept)
            on_event("error", "journal_set_aside", path=aside.name, damage=str(error))

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record, durably: it is in the journal afterwards, or (OSError) is not.

        Raises:
            StoreError: the process that opened it is another, which forked this one off.
            OSError: the disk refused, or the journal has been removed.
        """
        check_process(self._process)
        line = orjson.dumps(record) + b"\n"
        with self._appending:
            is_new = not self._path.exists()
            if is_new and self._size:
                raise FileNotFoundError(f"the journal was removed: {self._path} is gone")
            with open_or_create(self._path) as file:
                cut_file(file, self._size)
                try:
                    write_all(file, line)
                    sync_data(file)
                except OSError:
                    with suppress(OSError):  # the next record does it, or the next reader
                        cut_file(file, self._size)
                    raise
            if is_new:
                sync_folder(self._path.parent)
            self._size += len(line)
            self.records.take(dict(record))

    def _set_aside(self, kept: bytes) -> Path:
        number = 1
        while (aside := self._path.with_name(f"{RUNS}.corrupt-{number}")).exists():
            number += 1
        link_file(self._path, aside)
        replace_whole(self._path, kept)
        return aside


def _readable(text: bytes) -> bytes:
    """Return the lines of a journal that are records.

    Raises:
        NewerFormatError: one is of a later version of this software.
    """
    whole = text[: text.rfind(b"\n") + 1].splitlines()
    return b"".join(line + b"\n" for line in whole if _is_record(line))


def _is_record(line: bytes) -> bool:
    try:
        RunRecords([orjson.loads(line)])
    except (orjson.JSONDecodeError, ManifestError):
        return False
    return True


class OpenRun:
    """The run that is being recorded into a store: what its writers say of it in the journal.

    Attributes:
        id: its name.
        is_known: whether the journal has it.

    Args:
        journal: of the store.
        run: its name.
        clock: dates the records.
    """

    def __init__(self, journal: RunJournal, run: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self.id = run
        self.is_known = run in journal.records.runs
        self._journal = journal
        self._clock = clock

    def begin(self, about: Mapping[str, Any], *, again: bool = False) -> None:
        """Say that it begins, and what it is filmed with: a mapping that JSON can express.

        `again`: once more, after all that there was of it was removed.

        Raises:
            StoreError: the journal has it already.
            OSError: the journal cannot be written.
        """
        if self.is_known and not again:
            raise StoreError(f"the run {self.id!r:.120} was recorded before")
        self._journal.append(start_record(self.id, self._now(), about))
        self.is_known = True

    def go_on(self) -> None:
        """Say that it goes on in another process.

        Raises:
            UnknownRunError: the journal does not have it.
            OSError: the journal cannot be written.
        """
        if not self.is_known:
            raise UnknownRunError(f"there is no run {self.id!r:.120} to go on with")
        self._journal.append(moment_record("continue", self.id, self._now()))

    def add_about(self, about: Mapping[str, Any]) -> None:
        """Say more of what it is filmed with: a mapping that JSON can express."""
        self._journal.append(about_record(self.id, self._now(), about))

    def add_segment(self, path: str) -> None:
        """Say that a segment is of this run; `path` is the one it has once it is closed."""
        self._journal.append(segment_record(self.id, path))

    def add_hole(self, hole: Hole) -> None:
        """Say what of this run was not recorded."""
        self._journal.append(hole_record(self.id, hole))

    def end(self) -> None:
        """Say that it has ended in order."""
        self._journal.append(moment_record("end", self.id, self._now()))

    def _now(self) -> str:
        return utc_text(self._clock.wall())
