"""In which order the segments of a run were recorded, for all who list or check them.

The journal of runs says it, since it names each segment as it is created. Where it does not (lines
of it were lost, and perhaps added again by a recovery), ticks do: those of a run rise. Of the
segments of before there were runs, it is the order of the manifest, or of their names.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from marketcam.io.store.runs import UNNAMED_RUN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from marketcam.io.store.names import SegmentName
    from marketcam.io.store.runs import RunRecords

__all__ = ["RecordingOrder"]

_BEFORE_ALL: Final = -1


class RecordingOrder:
    """The order of a kind's segments within their runs.

    Args:
        kind: the kind.
        records: what the journal says.
        listed: the segments of the manifest, with their runs, in its order.

    Cost: 1 µs a segment.
    """

    def __init__(
        self, kind: str, records: RunRecords, listed: Iterable[tuple[SegmentName, str]] = ()
    ) -> None:
        self._kind = kind
        self._places = {
            path: place
            for place, path in enumerate(records.segments)
            if path not in records.added_later
        }
        self._unnamed = {
            name: turn for turn, (name, run) in enumerate(listed) if run == UNNAMED_RUN
        }
        known: dict[str, list[tuple[int, int]]] = {}
        for path, place in self._places.items():
            kind_of_it, _, file = path.partition("/")
            if kind_of_it == kind and (start_t := _start_t(file)) is not None:
                known.setdefault(records.segments[path], []).append((start_t, place))
        self._known = {run: _Known(sorted(places)) for run, places in known.items()}

    def place(self, name: SegmentName, run: str) -> tuple[int, int, int]:
        """Return what the segments of a run, closed or pending, can be sorted by."""
        place = self._places.get(f"{self._kind}/{name.as_closed()}")
        if place is not None:
            return place, 0, 0
        if run == UNNAMED_RUN:
            turn = self._unnamed.get(name.as_closed(), len(self._unnamed))
            return len(self._places), turn, 0
        known = self._known.get(run)
        return _BEFORE_ALL if known is None else known.before(name.start_t), 1, name.start_t


class _Known:
    """The segments of a run whose places are known: by first tick, the last place up to each."""

    def __init__(self, places: list[tuple[int, int]]) -> None:
        self._starts = [start_t for start_t, _ in places]
        self._last = list(accumulate((place for _, place in places), max))

    def before(self, t: int) -> int:
        at = bisect_right(self._starts, t)
        return self._last[at - 1] if at else _BEFORE_ALL


def _start_t(file: str) -> int | None:
    """Return the tick in a segment's file name, without a look at the rest of it."""
    try:
        return int(file.rpartition("_")[2].partition(".")[0])
    except ValueError:
        return None
