"""The events of a run, bursts and shocks, each of them once.

An event stands in every frame whose window holds its tick, so that it comes again with each frame
until the window has passed it. Which of them are new is a function of the frames alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self, TypeAlias

import orjson

from marketcam.io.store.decode import tick_of_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from marketcam.engine import Frame

__all__ = ["EVENTS", "Event", "EventSifter", "EventType", "FoundEvents"]

EventType: TypeAlias = Literal["burst", "shock"]

EVENTS: Final = "events"
"""The kind of segments in which they are recorded."""

_TYPES: Final[tuple[EventType, ...]] = ("burst", "shock")
_EVENTS_AT: Final = b',"events":{'


class Event(NamedTuple):
    """An outstanding tick, as the first frame that shows it has it.

    Attributes:
        type: a burst of matches, or a shock of the price.
        t: its tick.
        value: matches of the tick, or its log return.
        score: how many standard deviations from the mean of the frame's window.
        frame_t: the frame's tick; its window ends there.
    """

    type: EventType
    t: int
    value: float
    score: float
    frame_t: int

    def to_dict(self, run: str) -> dict[str, Any]:
        """Return it as it is posted; its id is the same whenever it is told."""
        return {"id": f"{run}/{self.type}/{self.t}", **self._asdict()}


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """What a frame shows that none before it has, as it is recorded: one line a frame.

    Attributes:
        t: the frame's tick.
        events: the events, by tick, a burst before a shock.
    """

    t: int
    events: tuple[Event, ...]

    def line(self) -> bytes:
        """Return its JSON text: the lists of a frame, under the frame's tick."""
        lists = {
            f"{name}s": [
                {"t": event.t, "value": event.value, "score": event.score}
                for event in self.events
                if event.type == name
            ]
            for name in _TYPES
        }
        return orjson.dumps({"type": "events", "t": self.t, **lists})

    @classmethod
    def of_line(cls, line: bytes) -> Self:
        """Read a line back.

        Raises:
            ValueError: it is none.
        """
        try:
            message = orjson.loads(line)
            return cls(message["t"], _listed(message, message["t"]))
        except (TypeError, KeyError) as error:
            raise ValueError(f"no line of events: {line[:60]!r}") from error

    @classmethod
    def of_frame_line(cls, line: bytes) -> Self:
        """Read all events that a recorded frame shows; its nodes and edges are not parsed.

        Raises:
            ValueError: it is no frame.
        """
        at = line.rfind(_EVENTS_AT)
        try:
            message = orjson.loads(line if at < 0 else b"{" + line[at + 1 :])
            t = tick_of_line(line)
            if t is not None:
                return cls(t, _listed(message["events"], t))
        except (TypeError, KeyError) as error:
            raise ValueError(f"no frame: {line[:60]!r}") from error
        raise ValueError(f"no frame: {line[:60]!r}")


class EventSifter:
    """Finds the events that no frame before has shown. Frames come in the order of their ticks.

    Args:
        known: events that frames have shown before, of a run that goes on.
    """

    def __init__(self, known: Iterable[Event] = ()) -> None:
        self._known: set[tuple[int, EventType]] = {(event.t, event.type) for event in known}

    def new_events(self, frame: Frame) -> list[Event]:
        """Return those of a frame that are new, by tick, a burst before a shock.

        What the window has passed is forgotten: there are never more than the window has ticks.

        Cost: 0.5 µs for a frame without events, 5 µs for each in its window.
        """
        if not (frame.bursts or frame.shocks or self._known):
            return []
        lists = {"bursts": frame.bursts.to_list(), "shocks": frame.shocks.to_list()}
        return self.new_among(_listed(lists, frame.t), frame.t0)

    def new_among(self, shown: Iterable[Event], t0: int) -> list[Event]:
        """Return those that are new of all that a frame shows, whose window begins at tick `t0`."""
        events = {(event.t, event.type): event for event in shown}
        new = [event for key, event in events.items() if key not in self._known]
        self._known = {key for key in self._known if key[0] >= t0} | events.keys()
        return new


def _listed(lists: Mapping[str, Any], frame_t: int) -> tuple[Event, ...]:
    """Return the events of a frame's lists, by tick, a burst before a shock."""
    return tuple(
        sorted(
            (
                Event(name, event["t"], event["value"], event["score"], frame_t)
                for name in _TYPES
                for event in lists[f"{name}s"]
            ),
            key=lambda event: (event.t, event.type),
        )
    )
