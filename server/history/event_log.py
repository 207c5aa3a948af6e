"""The events of a run: as they were recorded, or else as its frames show them.

The camera records what each frame shows that none before it has. A run of an earlier version has
none of that, and is answered from its frames: one a window, so that each tick is in one of them,
and a bounded number of them for an answer, which says how far it goes.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import closing
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal

from marketcam.engine import MAX_ID
from marketcam.io.store import StoreError
from marketcam.server.operators.events import EVENTS, FoundEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from marketcam.io.store import Run, Store
    from marketcam.server.operators.events import Event

__all__ = ["EventLog", "EventPage"]

_PLACE: Final = attrgetter("t", "type")

_FRAMES_AT_ONCE: Final = 100
"""Frames that are read for an answer, where they have to be: some ms each."""

_USUAL_WINDOW, _USUAL_STRIDE = 300, 10
"""Those of a run that does not say which it has."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events of a part of a run.

    Attributes:
        events: by tick, a burst before a shock.
        covered_to: the last tick up to which they were looked for; None: to the end of the part.
        complete: whether they were looked for to the end, and none is known to be missing.
        source: ``"recorded"``, or ``"frames"``: as the last frame of each window shows them.
    """

    events: tuple[Event, ...]
    covered_to: int | None
    complete: bool
    source: Literal["recorded", "frames"]


class EventLog:
    """The events of one run.

    Args:
        store: what it is recorded in.
        run: the run.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store = store
        self._run = run
        camera = run.about.get("camera")
        given = camera if isinstance(camera, dict) else {}
        self._window = _positive(given.get("W"), _USUAL_WINDOW)
        self._stride = _positive(given.get("stride"), _USUAL_STRIDE)

    def steps(
        self, from_t: int | None, to_t: int | None, limit: int
    ) -> Generator[EventPage | None]:
        """Find the events of a part, in short steps; yield None after each, a page at the end.

        Args:
            from_t: its first tick; None: from the first on.
            to_t: its last tick; None: as far as they go.
            limit: events at most, but for another of the last one's tick.

        Raises:
            StoreError: what is recorded cannot be read.
        """
        part = _Part(from_t, to_t, limit)
        kinds = self._run.about.get("kinds")
        if isinstance(kinds, list) and EVENTS in kinds:
            yield from self._recorded(part)
            yield part.page("recorded", is_whole=not self._has_hole(part, EVENTS))
        else:
            yield from self._shown(part)
            yield part.page("frames", is_whole=not self._has_hole(part, "frames"))

    def _recorded(self, part: _Part) -> Iterator[None]:
        """Read the lines of events, each of a frame in whose window they lie."""
        last_t = None if part.to_t is None else part.to_t + self._window - 1
        lines = self._store.lines(EVENTS, part.from_t, last_t, run=self._run.id)
        with closing(lines):
            for line in lines:
                found = _read(FoundEvents.of_line, line)
                part.take(found.events, found.t - self._window)
                if part.is_full:
                    part.cut()
                    return
                yield
        part.end()

    def _shown(self, part: _Part) -> Iterator[None]:
        """Read a frame a window, from the first that reaches the part to one that goes beyond."""
        last_t = self._store.last_t("frames", self._run.id)
        next_t, known_to = part.from_t, None
        for _ in range(_FRAMES_AT_ONCE):
            frame = self._frame_from(next_t)
            if frame is None:
                break
            part.take((e for e in frame.events if known_to is None or e.t > known_to), frame.t)
            if part.is_full:
                part.cut()
                return
            if frame.t == last_t or (part.to_t is not None and frame.t >= part.to_t):
                break
            known_to, next_t = frame.t, self._after(frame.t, last_t)
            yield
        else:
            part.covered_to = known_to
        part.end()

    def _frame_from(self, t: int | None) -> FoundEvents | None:
        """Return the events of the first frame of tick `t` or a later one."""
        with closing(self._store.lines("frames", t, run=self._run.id)) as lines:
            line = next(lines, None)
        return None if line is None else _read(FoundEvents.of_frame_line, line)

    def _after(self, t: int, last_t: int | None) -> int:
        """Return a tick from which the next frame's window begins, at the latest, behind tick `t`.

        At the end of a run the last frame is taken, though it shows less that is new.
        """
        next_t = t + max(1, self._window - self._stride + 1)
        return next_t if last_t is None else max(t + 1, min(next_t, last_t))

    def _has_hole(self, part: _Part, kind: str) -> bool:
        """Return whether lines of a kind are missing that may have shown events of the part."""
        begin = -MAX_ID if part.from_t is None else part.from_t
        end = MAX_ID if part.to_t is None else part.to_t + self._window - 1
        return any(
            hole.kind == kind and hole.from_t <= end and hole.to_t >= begin
            for hole in self._run.holes
        )


class _Part:
    """Events of a part of a run as they are found: those that others may still come before wait.

    Attributes:
        from_t: its first tick; None: the run's.
        to_t: its last tick; None: the run's.
        covered_to: up to where they were looked for, if not to the end.
    """

    def __init__(self, from_t: int | None, to_t: int | None, limit: int) -> None:
        self.from_t = from_t
        self.to_t = to_t
        self.covered_to: int | None = None
        self._limit = limit
        self._events: list[Event] = []
        self._waiting: list[Event] = []

    @property
    def is_full(self) -> bool:
        """Whether there are more than are wanted, so that it is known which come first."""
        return len(self._events) > self._limit

    def take(self, events: Iterable[Event], settled_t: int) -> None:
        """Take events in; none to come is of tick `settled_t` or before."""
        self._waiting += filter(self._is_within, events)
        self._waiting.sort(key=_PLACE)
        settled = bisect_right(self._waiting, settled_t, key=attrgetter("t"))
        self._events += self._waiting[:settled]
        del self._waiting[:settled]

    def cut(self) -> None:
        """Leave out what is more than was wanted, but not one of two of the same tick."""
        last_t = self._events[self._limit - 1].t
        del self._events[bisect_right(self._events, last_t, key=attrgetter("t")) :]
        self.covered_to = last_t

    def end(self) -> None:
        """Note that no more come, before the end or before what was covered."""
        self._events += self._waiting
        self._waiting = []
        if len(self._events) > self._limit:
            self.cut()

    def page(self, source: Literal["recorded", "frames"], *, is_whole: bool) -> EventPage:
        """Return what was found; `is_whole`: nothing is known to be missing of it."""
        complete = is_whole and self.covered_to is None
        return EventPage(tuple(self._events), self.covered_to, complete, source)

    def _is_within(self, event: Event) -> bool:
        return (self.from_t is None or event.t >= self.from_t) and (
            self.to_t is None or event.t <= self.to_t
        )


def _read(read: Callable[[bytes], FoundEvents], line: bytes) -> FoundEvents:
    try:
        return read(line)
    except ValueError as error:
        raise StoreError(str(error)) from error


def _positive(value: object, usual: int) -> int:
    return value if isinstance(value, int) and value > 0 else usual
