"""What the `ZstdSegmentWriter`s of one process share: their store's lock, its journal, their run.

A recorder has all kinds of a store to itself. Single writers are made one by one, often one a
kind, by code that does not know of the others; to the store they are one writer and one run.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from marketcam.io.store.errors import StoreBusyError, StoreError
from marketcam.io.store.files import make_folder
from marketcam.io.store.journal import OpenRun, RunJournal
from marketcam.io.store.lock import StoreLock
from marketcam.io.store.runs import new_run_id

if TYPE_CHECKING:
    from pathlib import Path

    from marketcam.io.store.clock import Clock

__all__ = ["SharedRun"]

# The process is what is to be told from others, so this is of the process. By device and inode:
# the same store under two names is one, and a folder made anew under the old name is another.
_OPEN: Final[dict[tuple[int, int], SharedRun]] = {}
_CHANGING = threading.Lock()


class SharedRun:
    """A run that writers of different kinds record into one store, from one process.

    Attributes:
        run: what they say in the journal.
        kinds: the kinds they write.
    """

    def __init__(self, store_dir: Path, run: str | None, clock: Clock) -> None:
        self.kinds: set[str] = set()
        self._lock = StoreLock(store_dir, run=run, clock=clock)
        try:
            self.run = OpenRun(RunJournal(store_dir), run or new_run_id(clock.wall()), clock)
            if self.run.is_known:
                self.run.go_on()
            else:
                self.run.begin({})
            self._lock.sign(self.run.id)
        except BaseException:
            self._lock.release()
            raise

    @classmethod
    def join(cls, store_dir: Path, kind: str, run: str | None, clock: Clock) -> SharedRun:
        """Return the process's run in this store, with a new writer of `kind` among its writers.

        Raises:
            StoreBusyError: another process writes to the store, or another writer of this one
                writes this kind.
            StoreError: the writers there are record another run than `run`.
            NewerFormatError: the store was written by a later version of this software.
            OSError: the store cannot be made, locked or written.
        """
        make_folder(store_dir)
        stat = store_dir.stat()
        place = stat.st_dev, stat.st_ino
        with _CHANGING:
            shared = _OPEN.get(place) or cls(store_dir, run, clock)
            if kind in shared.kinds:
                raise StoreBusyError(f"{store_dir / kind} is being written by this process")
            if run not in (None, shared.run.id):
                raise StoreError(f"the run of {store_dir} is {shared.run.id!r} now, got {run!r}")
            _OPEN[place] = shared
            shared.kinds.add(kind)
        return shared

    def leave(self, kind: str) -> None:
        """Take the writer of `kind` from the writers; with the last one the run has ended.

        Raises:
            OSError: the end cannot be written; the store is free nevertheless.
        """
        with _CHANGING:
            if self._left_by(kind):
                try:
                    self.run.end()
                finally:
                    self._lock.release()

    def abandon(self, kind: str) -> None:
        """Do what the end of the process would do to the writer of `kind`: say nothing, let go."""
        with _CHANGING:
            if self._left_by(kind):
                self._lock.abandon()

    def _left_by(self, kind: str) -> bool:
        self.kinds.discard(kind)
        if self.kinds:
            return False
        for place in [place for place, shared in _OPEN.items() if shared is self]:
            del _OPEN[place]
        return True


def _forget_in_child() -> None:
    global _CHANGING  # noqa: PLW0603 - a thread that the child has not may have held it
    _CHANGING = threading.Lock()
    _OPEN.clear()


os.register_at_fork(after_in_child=_forget_in_child)
