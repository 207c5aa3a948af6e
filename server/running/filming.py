"""The camera of a run, and what is done when its population outgrows the pair budget.

The library's camera refuses such a tick. A run that goes on for months cannot always be there to
be asked, so that the operator says beforehand what it does: it stops, it goes on under the rule
`neighbors`, or it waits until the population fits again. It is never done silently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from marketcam.engine import LimitError, SlidingWindowCamera, TickError
from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from marketcam.engine import Frame, Tick
    from marketcam.server.settings import CameraArguments

__all__ = ["BudgetAction", "Filming", "FilmingStatus", "Rule"]

Rule: TypeAlias = Literal["pairs", "neighbors"]

BudgetAction: TypeAlias = Literal["stop", "neighbors", "wait"]
"""What a run does at a tick for whose agents the pair budget has no room.

``stop`` ends the run with the error. ``neighbors`` begins a new window at that tick, under that
rule, and stays with it: going back and forth would mix two kinds of frames. ``wait`` makes no
frames until a tick fits again, which begins a new window; metrics go on.
"""

_WAYS_ON: Final = (
    "or let the run go on, with IG_CAM_PAIR_BUDGET_ACTION=neighbors, or =wait for frames until "
    "the agents fit again"
)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FilmingStatus:
    """How a run is filmed.

    Attributes:
        rule: the proximity rule of the frames; those of windows that began before `since_t` are
            of the rule that was configured.
        configured: the rule that was asked for.
        waiting: whether there are no frames until the population fits the budget.
        since_t: the tick at which `rule` or `waiting` last changed; None when it never has.
        reason: what the budget lacked, where it is not filmed as configured; else None.
    """

    rule: Rule
    configured: Rule
    waiting: bool = False
    since_t: int | None = None
    reason: str | None = None

    @property
    def degraded(self) -> bool:
        """Whether it is filmed otherwise than was configured."""
        return self.waiting or self.rule != self.configured


class Filming:
    """A camera that follows the choice for a population beyond the pair budget.

    Takes ticks and gives frames as `SlidingWindowCamera` does, in one thread.

    Attributes, safe to read from any other thread:
        status: how the run is filmed now.
        outgrown: how often the population has outgrown the budget.
        waited_ticks: ticks that were not filmed for that.
    """

    def __init__(self, arguments: CameraArguments, action: BudgetAction = "stop") -> None:
        """Make the camera.

        Raises:
            LimitError: it refuses a setting.
        """
        rule = arguments["proximity"]
        self.status = FilmingStatus(rule=rule, configured=rule)
        self.outgrown = 0
        self.waited_ticks = 0
        self._arguments = arguments
        self._action = action
        self._camera = SlidingWindowCamera(**arguments)
        self._mid: float | None = None
        self._last_t: int | None = None

    def resume(self, rule: Rule, since_t: int | None, reason: str | None) -> None:
        """Go on under the rule that a run had when it was stopped; before the first tick."""
        self.status = replace(self.status, rule=rule, since_t=since_t, reason=reason)
        if rule != self.status.configured:
            del self._camera
            self._camera = SlidingWindowCamera(**(self._arguments | {"proximity": rule}))

    def carry(self, last_t: int | None, mid: float | None) -> None:
        """Begin behind ticks that others have taken in, up to `last_t`; before the first tick.

        Args:
            last_t: the last tick taken in, from which `t` increases; None: there was none.
            mid: the last known mid.
        """
        self._last_t, self._mid = last_t, mid

    def check_room(self, agents: int) -> None:
        """Raise `LimitError` if the rule that was configured has no room for so many agents."""
        self._camera.check_room(agents)

    def ingest_tick(self, tick: Tick) -> None:
        """Take in a tick, or pass it by while waiting.

        Raises:
            TickError: its `t` does not increase.
            LimitError: there is no room for its agents, and the choice is to stop.
        """
        if self._last_t is not None and tick.t <= self._last_t:
            problem = f"must increase from {self._last_t}"
            raise TickError(problem, t=tick.t, field="t", value=tick.t)
        if tick.mid is None and self._mid is not None:
            # The camera carries a mid of its own, but may be new, or have missed some ticks.
            tick = replace(tick, mid=self._mid)
        try:
            self._camera.ingest_tick(tick)
        except LimitError as error:
            self._outgrow(tick, error)
        else:
            self._fit(tick.t)
        self._mid, self._last_t = tick.mid, tick.t

    def maybe_frame(self, t: int) -> Frame | None:
        """Return the frame of tick `t`, or None where none is due."""
        return self._camera.maybe_frame(t)

    def _outgrow(self, tick: Tick, error: LimitError) -> None:
        """Do what was chosen for a tick that the camera has no room for."""
        if self.status.rule != "pairs":
            raise error
        if self._action == "stop":
            raise LimitError(f"tick {tick.t}: {error}; {_WAYS_ON}") from error
        if self._action == "wait":
            self._wait(tick.t, str(error))
        else:
            self._change_rule(tick, str(error))

    def _change_rule(self, tick: Tick, reason: str) -> None:
        self.outgrown += 1
        # First it lets go of the old table: there may be no room for anything beside it.
        del self._camera
        self._camera = SlidingWindowCamera(**(self._arguments | {"proximity": "neighbors"}))
        self.status = replace(self.status, rule="neighbors", since_t=tick.t, reason=reason)
        note = "frames resume once a window of ticks has been filmed under the new rule"
        log.error("proximity_rule_changed", t=tick.t, rule="neighbors", reason=reason, note=note)
        self._camera.ingest_tick(tick)

    def _wait(self, t: int, reason: str) -> None:
        self.waited_ticks += 1
        if self.status.waiting:
            return
        self.outgrown += 1
        self.status = replace(self.status, waiting=True, since_t=t, reason=reason)
        note = "no frames until the agents fit again; metrics go on"
        log.error("frames_suspended", t=t, reason=reason, note=note)

    def _fit(self, t: int) -> None:
        if self.status.waiting:
            self.status = replace(self.status, waiting=False, since_t=t, reason=None)
            note = "frames resume once a window of ticks has been filmed"
            log.warning("frames_resumed", t=t, waited_ticks=self.waited_ticks, note=note)
