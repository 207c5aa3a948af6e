"""The messages of a run one after the other, from any place of it, as far as they are recorded."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from statistics import median
from typing import TYPE_CHECKING, Final

from marketcam.io.store.clock import parse_utc
from marketcam.server.stream.place import Place, Reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from marketcam.io.store import Run, SegmentEntry
    from marketcam.server.history.history import History
    from marketcam.server.history.pieces import Pieces
    from marketcam.server.history.recorded import Told, View
    from marketcam.server.web.asking import Span

__all__ = ["LOOK_SECONDS", "Feed", "Nothing", "recorded_rate"]

LOOK_SECONDS: Final = 0.5
"""How often a replay that has come to the end of a growing recording looks for more."""

_TELLING_SECONDS: Final = 10.0
"""Segments that were open for so long tell a pace; their times are whole seconds."""

_ENOUGH_SEGMENTS: Final = 3
"""So many make a median which one that was recovered does not move far."""

_SAME_RATE: Final = 0.9
"""A measured rate this near to what the run says is that: whole seconds tell no better."""


class Nothing(Enum):
    """Why there is no next message."""

    YET = "the recording grows"
    MORE = "it ends here"


class Feed:
    """Reads a span of a run, ahead by one piece at most. Of a run that grows, it grows as well."""

    def __init__(self, history: History, view: View, span: Span) -> None:
        """Begin where the span does, or the run."""
        self._history = history
        self._view = view
        self._span = span
        self._end = None if span.to_t is None else Place.end_of(span.to_t)
        self._after = Place.before(_FIRST_T if span.from_t is None else span.from_t)
        self._items: deque[Told] = deque()
        self._pieces: Pieces[Told] | None = None
        self._until: Place | None = None  # where what `_pieces` read ends; None: with the run
        self._error: Exception | None = None
        self._is_at_end = False
        self._look_at = 0.0

    async def next(self) -> Told | Nothing:
        """Return the next message, or why there is none.

        Raises:
            Exception: what kept the rest from being read, after all that comes before it.
        """
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._pieces is None and (nothing := await self._open()) is not None:
                return nothing
            await self._read_on()
        return self._items.popleft()

    async def seek(self, t: int) -> None:
        """Go on with the first message of tick `t` or later."""
        await self.close()
        self._after = Place.before(t)
        self._error = None
        self._is_at_end = False
        self._look_at = 0.0

    async def close(self) -> None:
        """Close what is open. Reading goes on, if it does, where a seek says."""
        self._items.clear()
        pieces, self._pieces = self._pieces, None
        if pieces is not None:
            await pieces.close()

    async def _open(self) -> Nothing | None:
        """Open what comes next; return why there is nothing to open."""
        if self._is_at_end or (self._end is not None and self._after >= self._end):
            return Nothing.MORE
        reach: Reach | None = None
        if self._history.is_growing(self._view.run):
            now = asyncio.get_running_loop().time()
            if now < self._look_at:
                return Nothing.YET
            self._look_at = now + LOOK_SECONDS
            reach = await self._history.reach(self._view.run)
            if reach is None or reach.place <= self._after:
                return Nothing.YET
        elif self._history.is_current(self._view.run):
            await self._history.flush()
        self._until = None if reach is None else reach.place
        self._pieces = self._history.messages(self._view, self._after, self._within_span(reach))
        return None

    def _within_span(self, reach: Reach | None) -> Reach | None:
        end = self._end
        if end is None:
            return reach
        if reach is None:
            return Reach(end, {})
        known = {kind: t for kind, t in reach.last_t.items() if Place.of(kind, t) <= end}
        return Reach(min(reach.place, end), known)

    async def _read_on(self) -> None:
        assert self._pieces is not None  # noqa: S101 - `next` has seen to it
        piece = await self._pieces.next()
        self._items.extend(piece.items)
        if not piece.is_last:
            return
        pieces, self._pieces = self._pieces, None
        await pieces.close()
        self._error = piece.error
        if self._until is None:
            self._is_at_end = True
        else:
            self._after = self._until


_FIRST_T: Final = -(2**53)


def recorded_rate(run: Run, segments: Iterable[SegmentEntry]) -> float | None:
    """Return the ticks a second at which a run was recorded; None where nothing tells.

    What the run says of its pace is an upper bound: a source may be slower. A segment tells when
    it was opened and closed; of one that was recovered after a crash, the latter is wrong, so that
    it is the median of several that counts. A run that ended in order has none such.
    """
    measured = _measured_rate(run, [each for each in segments if not each.pending])
    nominal = run.tick_rate or None
    if measured is None or (nominal is not None and measured >= _SAME_RATE * nominal):
        return nominal
    return measured


def _measured_rate(run: Run, closed: Sequence[SegmentEntry]) -> float | None:
    in_order = run.ended_at is not None and not run.continued_at
    rates = []
    for segment in closed:
        opened_at = segment.name.stamp.timestamp()
        rate = _rate(segment.end_t - segment.start_t, segment.closed_at - opened_at)
        if rate is not None:
            rates.append(rate)
    if len(rates) >= (1 if in_order or not run.tick_rate else _ENOUGH_SEGMENTS):
        return median(rates)
    if not (in_order and closed):
        return None
    ticks = closed[-1].end_t - closed[0].start_t
    return _rate(ticks, closed[-1].closed_at - parse_utc(run.started_at))


def _rate(ticks: int, seconds: float) -> float | None:
    return ticks / seconds if seconds >= _TELLING_SECONDS and ticks > 0 else None
