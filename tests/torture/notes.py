"""What a writer notes of each line that it hands on; it outlives the process that made it."""

from __future__ import annotations

import mmap
import struct
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from marketcam.io.store import Recorder
from tests.torture.known_lines import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from marketcam.io.store.line_queue import Batch
    from marketcam.io.store.recording import Recording

__all__ = ["MOST_TICKS", "HandingNotes", "Moment", "RestingRecorder"]

MOST_TICKS: Final = 100_000
"""Ticks of a run at most; the writer stops there."""

_NOTE: Final = struct.Struct("<dd")
_SIZE: Final = _NOTE.size * len(KINDS) * MOST_TICKS


class Moment(NamedTuple):
    """When a line was handed on.

    Attributes:
        seconds: on the monotonic clock; 0.0 where it was not.
        rested: for how long the recorder had rested by then, in seconds.
    """

    seconds: float
    rested: float


class HandingNotes:
    """The moment of each line, by kind and tick, in a mapped file.

    What a process has written into such a mapping is the kernel's: `kill -9` takes none of it.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the file, all zeros; it takes no space until it is written."""
        with path.open("wb") as file:
            file.truncate(_SIZE)
        return cls(path)

    def note(self, kind: str, t: int, moment: Moment) -> None:
        """Note that the recorder has the line of a tick now."""
        _NOTE.pack_into(self._map, _place(kind, t), *moment)

    def of(self, kind: str, t: int) -> Moment:
        """Return when the line of a tick was handed on."""
        if t >= MOST_TICKS:
            return Moment(0.0, 0.0)
        return Moment(*_NOTE.unpack_from(self._map, _place(kind, t)))

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()


class RestingRecorder(Recorder):
    """A recorder that tells for how long its thread has waited of its own accord.

    That is the part of a line's way to its file which `flush_seconds` promises something of. What
    the disk takes, and how long the thread waits for a core, is the machine's; none of it counts.
    """

    _resting = (0.0, 0.0, 0.0)  # rested before, then from, until when at most; set as one

    def rested(self) -> float:
        """Return for how many seconds it has rested so far; from any thread."""
        before, began, ends = self._resting
        return before + min(time.monotonic(), ends) - began

    def _seconds_to_wait(self) -> float:
        now = time.monotonic()
        seconds = super()._seconds_to_wait()
        self._resting = (self.rested(), now, now + seconds)
        return seconds

    def _record(self, recording: Recording, batch: Batch) -> None:
        self._resting = (self.rested(), 0.0, 0.0)
        super()._record(recording, batch)


def _place(kind: str, t: int) -> int:
    return _NOTE.size * (t * len(KINDS) + KINDS.index(kind))
