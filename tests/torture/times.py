"""When each line was handed to the recorder: notes that outlive the process that made them."""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, Final, Self

from tests.torture.known_lines import KINDS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MOST_TICKS", "HandingTimes"]

MOST_TICKS: Final = 100_000
"""Ticks of a run at most; the writer stops there."""

_TIME: Final = struct.Struct("<d")
_SYNCS: Final = _TIME.size * len(KINDS) * MOST_TICKS
_SIZE: Final = _SYNCS + 2 * _TIME.size


class HandingTimes:
    """Monotonic seconds by kind and tick, and the time spent in syncs, in a mapped file.

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

    def note(self, kind: str, t: int, seconds: float) -> None:
        """Note that the line of a tick is being handed on now."""
        _TIME.pack_into(self._map, _place(kind, t), seconds)

    def of(self, kind: str, t: int) -> float:
        """Return when the line of a tick was handed on; 0.0 where it was not."""
        return _TIME.unpack_from(self._map, _place(kind, t))[0] if t < MOST_TICKS else 0.0

    def note_sync(self, began: float, ended: float | None = None) -> None:
        """Note that the disk is asked to sync, and when it has."""
        _TIME.pack_into(self._map, _SYNCS + _TIME.size, began if ended is None else 0.0)
        if ended is not None:
            (before,) = _TIME.unpack_from(self._map, _SYNCS)
            _TIME.pack_into(self._map, _SYNCS, before + ended - began)

    def in_syncs(self, end: float) -> float:
        """Return how long the disk was waited for, until `end`, in seconds."""
        seconds, began = struct.unpack_from("<dd", self._map, _SYNCS)
        return float(seconds) + (max(0.0, end - began) if began else 0.0)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()


def _place(kind: str, t: int) -> int:
    return _TIME.size * (t * len(KINDS) + KINDS.index(kind))
