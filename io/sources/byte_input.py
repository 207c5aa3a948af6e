"""Bytes from a file, a pipe or a terminal, without a read that nobody can end."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
from typing import TYPE_CHECKING, Final

from marketcam.io.sources.errors import SourceError

if TYPE_CHECKING:
    from typing import BinaryIO, Self

__all__ = ["STANDARD_INPUT", "ByteInput"]

STANDARD_INPUT: Final = "-"
"""The path that means standard input."""


class ByteInput:
    """An open file, pipe or terminal. `close`, from any thread, ends a read that waits."""

    def __init__(self, descriptor: int, name: str) -> None:
        """Take over an open file descriptor; `name` is for messages."""
        self.name = name
        self._file: BinaryIO = os.fdopen(descriptor, "rb", buffering=0)
        self._reading = threading.Lock()
        self._done = 0
        # Only a regular file never waits. For the rest, closing `_alarm` wakes the poll.
        status = os.fstat(descriptor)
        waits = not stat.S_ISREG(status.st_mode)
        self._size = None if waits else status.st_size
        self._bell: BinaryIO | None = None
        self._alarm: BinaryIO | None = None
        if waits:
            bell, alarm = os.pipe()
            self._bell = os.fdopen(bell, "rb", buffering=0)
            self._alarm = os.fdopen(alarm, "wb", buffering=0)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a file or named pipe, or standard input where `path` is ``"-"``.

        Raises:
            SourceError: it does not exist, is a directory, or may not be read.
        """
        standard = os.fspath(path) == STANDARD_INPUT
        name = "standard input" if standard else os.fspath(path)
        try:
            descriptor = _standard_input() if standard else _readable(path)
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise SourceError(f"ticks cannot be read from {name}: {reason}") from error
        return cls(descriptor, name)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file.closed or (self._alarm is not None and self._alarm.closed)

    @property
    def share(self) -> float | None:
        """How much of a file has been read, 0 to 1; None for pipes and terminals."""
        if self._size is None:
            return None
        return min(1.0, self._done / self._size) if self._size else 1.0

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes as soon as there are any; nothing at the end or once closed.

        Raises:
            OSError: reading failed.
        """
        with self._reading:
            while not self.closed:
                if self._bell is not None and not self._wait(self._bell):
                    break
                data: bytes | None = self._file.read(size)
                if data is not None:  # None: a non-blocking pipe that has nothing after all
                    self._done += len(data)
                    return data
        return b""

    def _wait(self, bell: BinaryIO) -> bool:
        poll = select.poll()
        poll.register(self._file, select.POLLIN)
        poll.register(bell, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        return bell.fileno() not in ready

    def close(self) -> None:
        """Close, also while another thread reads; more than once is fine."""
        if self._alarm is not None:
            self._alarm.close()
        with self._reading:
            if self._bell is not None:
                self._bell.close()
            self._file.close()


def _standard_input() -> int:
    if sys.stdin is None:
        raise ValueError("standard input is closed")
    return os.dup(sys.stdin.fileno())


def _readable(path: str | os.PathLike[str]) -> int:
    # Non-blocking, so that a named pipe opens before its writer comes; the wait is in `read`.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(None, "is a directory")
    return descriptor
