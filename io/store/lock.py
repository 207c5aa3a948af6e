"""One writer a store: the lock that whoever changes anything in a store holds meanwhile.

`writer.lock` in the store's root is locked (`flock`) by the process that writes. The kernel gives
the lock up when that process ends, however it ends, so that there is no such thing as a lock that
has to be broken. What stands in the file is for people, and for the message to a second writer.
"""

from __future__ import annotations

import os
import socket
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from marketcam.io.store.clock import SYSTEM_CLOCK, Clock, utc_text
from marketcam.io.store.errors import StoreBusyError, StoreError
from marketcam.io.store.events import EventSink, ignore_event
from marketcam.io.store.files import (
    cut_file,
    lock_if_free,
    make_folder,
    open_or_create,
    same_file,
    write_all,
)

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO

__all__ = ["LOCK", "StoreLock", "check_process", "living_writer"]

LOCK: Final = "writer.lock"
"""File name of the lock, in the store's root."""

_LONGEST_HOLDER: Final = 4096

# A child inherits the descriptors, and with each a share in the lock: it would keep the store
# locked after its parent's death, under the name of the dead one.
_HELD: Final[weakref.WeakSet[StoreLock]] = weakref.WeakSet()


class StoreLock:
    """The right to change a store; whoever makes one has it, until `release`.

    No two have it at a time, be they in two processes or in one; what a process forks off has it
    not. The store's folder is made where
    there is none. Released in order, it leaves an empty file behind; a name found in it is that
    of a writer that has died, which is told.

    Args:
        store_dir: the store's root.
        run: the run that is written, if any, for those who ask.
        clock: dates the taking.
        on_event: is told of a dead writer.

    Raises:
        StoreBusyError: another has it; names its process.
        OSError: the folder cannot be made, or the file not be made or locked.
    """

    def __init__(
        self,
        store_dir: str | os.PathLike[str],
        *,
        run: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
        on_event: EventSink = ignore_event,
    ) -> None:
        self._path = Path(store_dir) / LOCK
        self._since = utc_text(clock.wall())
        self._say = on_event
        make_folder(self._path.parent)
        self._file = _locked(self._path)
        try:
            dead = _holder(self._file)
            if dead:
                on_event("warning", "lock_taken_over", store=str(store_dir), **dead)
            self.sign(run)
        except BaseException:
            self._file.close()
            raise
        _HELD.add(self)

    def sign(self, run: str | None) -> None:
        """Write into the file who has the lock, and which run is written.

        Where the disk refuses that, the lock is held all the same, and the event says so.
        """
        text = {"pid": os.getpid(), "host": _host(), "run": run, "since": self._since}
        try:
            cut_file(self._file, 0)
            write_all(self._file, orjson.dumps(text) + b"\n")
        except OSError as error:
            self._say("warning", "lock_not_signed", error=str(error))

    def check(self) -> None:
        """Raise FileNotFoundError where the file that is locked is no longer the store's.

        A store that was removed, or put in the place of this one, takes what is written to the
        files that are still open without an error, and it would be in no store.
        """
        if not same_file(self._file, self._path):
            raise FileNotFoundError(f"the store was removed: {self._path} is gone")

    def release(self) -> None:
        """Give it up; again does nothing."""
        if not self._file.closed:
            try:
                cut_file(self._file, 0)
            except OSError as error:
                self._say("warning", "lock_not_signed", error=str(error))
            finally:
                self._file.close()

    def abandon(self) -> None:
        """Let go of it as the end of the process would: what is written in the file stays."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _locked(path: Path) -> BinaryIO:
    while True:
        file = open_or_create(path)
        with ExitStack() as undo:
            undo.callback(file.close)
            if not lock_if_free(file):
                raise StoreBusyError(f"{path.parent} is being written by {_named(_holder(file))}")
            if same_file(file, path):
                undo.pop_all()
                return file
        # Removed between the opening and the locking: that lock is nobody's.


def living_writer(store_dir: Path) -> int | None:
    """Return the process that says it writes to a store, if it lives (or lives elsewhere).

    The lock itself is not tried: for a moment that would keep a writer from having it.
    """
    try:
        with (store_dir / LOCK).open("rb") as file:
            said = _holder(file)
        pid = int(said["pid"])
    except (OSError, KeyError, TypeError, ValueError):
        return None
    try:
        if said.get("host") == _host():
            os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass  # it lives, and is another user's
    return pid


def _holder(file: BinaryIO) -> dict[str, Any]:
    """Return what stands in the file; empty where that is nothing, or not (yet) whole."""
    try:
        said = orjson.loads(os.pread(file.fileno(), _LONGEST_HOLDER, 0))
    except orjson.JSONDecodeError:
        return {}
    known = ("pid", "host", "run", "since")
    return {name: said[name] for name in known if name in said} if isinstance(said, dict) else {}


def _named(holder: dict[str, Any]) -> str:
    if "pid" not in holder:
        return "another process"
    host = holder.get("host")
    place = "" if host in (None, _host()) else f" on {host}"
    return f"process {holder['pid']}{place} (since {holder.get('since')})"


def _host() -> str:
    return socket.gethostname()


def check_process(pid: int) -> None:
    """Raise StoreError where this is not the process `pid`, but one that it has forked off."""
    if os.getpid() != pid:
        raise StoreError(f"what writes to the store is of process {pid}, which forked this one off")


def _let_go_in_child() -> None:
    for lock in _HELD:
        lock.abandon()  # closed, not unlocked: that would unlock it for the parent, too
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go_in_child)
