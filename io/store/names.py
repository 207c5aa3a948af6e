"""Where a store keeps what: the kinds of segments, and the names of their files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from marketcam.io.store.errors import UnknownSegmentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "EXPORTED_KINDS",
    "KINDS",
    "LINE_BEGINNINGS",
    "MAX_RUN_LENGTH",
    "SegmentName",
    "check_kind",
    "file_names_in",
    "free_name",
    "names_in",
]

KINDS: Final = ("frames", "metrics", "ticks", "events")
"""The kinds of segments; each has a folder of its name in the store."""

EXPORTED_KINDS: Final = ("frames", "metrics", "ticks")
"""Those of which there are tables; what is in the others stands in frames, too."""

LINE_BEGINNINGS: Final = {
    "frames": b'{"type":"frame","t":',
    "metrics": b'{"type":"metric","t":',
    "ticks": b'{"t":',
    "events": b'{"type":"events","t":',
}
"""How the lines of each kind begin; the tick number follows."""

MAX_RUN_LENGTH: Final = 64
"""Characters of a run's id at most; ours have 25."""

_NAME: Final = re.compile(
    r"segment_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)_(-?\d{1,19})(_pending)?\.jsonl\.zst", re.ASCII
)


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """The name of a segment's file. Names sort by time, then by tick, a closed one first.

    Attributes:
        stamp: when the segment was opened, UTC, whole seconds.
        start_t: tick number of its first line.
        pending: whether it is (or was, when its writer died) being written.
    """

    stamp: datetime
    start_t: int
    pending: bool = False

    @classmethod
    def parse(cls, text: str) -> SegmentName | None:
        """Read a file name; None for every text that `str()` of a name would not give."""
        match = _NAME.fullmatch(text)
        if match is None:
            return None
        year, month, day, hour, minute, second, start_t = map(int, match.groups()[:7])
        try:
            stamp = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            return None
        name = cls(stamp, start_t, match[8] is not None)
        return name if str(name) == text else None

    def __str__(self) -> str:
        # strftime would write the year 999 with three digits
        stamp = f"{self.stamp.year:04d}{self.stamp:%m%d_%H%M%S}"
        return f"segment_{stamp}_{self.start_t}{'_pending' * self.pending}.jsonl.zst"

    def as_closed(self) -> SegmentName:
        """Return the name the segment has once it is closed."""
        return replace(self, pending=False)

    def as_pending(self) -> SegmentName:
        """Return the name the segment has while it is being written."""
        return replace(self, pending=True)

    def a_second_later(self) -> SegmentName:
        """Return the name to try next when this one is taken."""
        return replace(self, stamp=self.stamp + timedelta(seconds=1))


def check_kind(kind: str) -> str:
    """Return `kind`, or raise UnknownSegmentError where a store has no such kind."""
    if kind not in KINDS:
        raise UnknownSegmentError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    return kind


def free_name(wall: float, start_t: int, taken: Callable[[SegmentName], bool]) -> SegmentName:
    """Return the closed name of a segment opened now; a taken one moves on by a second."""
    name = SegmentName(datetime.fromtimestamp(int(wall), UTC), start_t)
    while taken(name):
        name = name.a_second_later()
    return name


def names_in(folder: Path) -> list[SegmentName]:
    """Return the segments in a kind's folder, closed and pending, sorted; other files are not."""
    names = map(SegmentName.parse, file_names_in(folder))
    return sorted(name for name in names if name is not None)


def file_names_in(folder: Path) -> set[str]:
    """Return the names of the files in a folder, without those of folders in it.

    Cost: 0.4 µs a name; a Path for each would be ten times that.
    """
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file()}
