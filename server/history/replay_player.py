"""Plays what was recorded at its pace, as its viewer tells it to: the rules, without any socket.

Messages and the answers to controls that were followed are sent by one task, in one order. So
nothing from before a seek comes after its answer. Pongs, heartbeats and the errors of controls that
cannot be followed come from other tasks, between two of these. Nothing is dropped: while a message
is on its way the time stands still for a viewer that cannot take it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

import orjson

from marketcam.server.history.history import tell_unreadable
from marketcam.server.history.replay_control import (
    ControlError,
    Pause,
    Play,
    Seek,
    Speed,
    Step,
    parse_control,
)
from marketcam.server.history.replay_feed import LOOK_SECONDS, Nothing
from marketcam.server.stream.ending import NORMAL
from marketcam.server.stream.messages import Body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from marketcam.server.history.recorded import Told
    from marketcam.server.history.replay_control import Control
    from marketcam.server.history.replay_feed import Feed
    from marketcam.server.stream.ending import Ending
    from marketcam.server.web.asking import Span

__all__ = ["Player", "Terms"]

_LATE_SECONDS: Final = 0.5
"""What is later than this is not made up for: a viewer that was held up goes on at its pace."""

_LONGEST_SILENCE_SECONDS: Final = 60.0
"""Recorded time that is played without a message at most; a longer one is shortened to it."""

_SHORTEST_WAIT_SECONDS: Final = 0.001
_WAITING_CONTROLS: Final = 16


@dataclass(frozen=True, slots=True)
class Terms:
    """What a replay is of; it does not change.

    Attributes:
        run: the run's name.
        span: its part that is played.
        kinds: the kinds of message.
        tick_rate: ticks a second at which it was recorded.
        idle_seconds: how long it may stand still without being told anything.
    """

    run: str
    span: Span
    kinds: tuple[str, ...]
    tick_rate: float
    idle_seconds: float

    @property
    def step_kind(self) -> str:
        """The kind of message that a step goes to."""
        return next(kind for kind in ("frame", "metric", "tick") if kind in self.kinds)


class Player:
    """Plays a feed to one viewer.

    Attributes:
        t: tick up to which it has played since it began, or since the last seek; None before.
    """

    def __init__(
        self,
        feed: Feed,
        terms: Terms,
        speed: float,
        say: Callable[[Body], Awaitable[None]],
        ending: Ending,
    ) -> None:
        self.t: int | None = None
        self._feed = feed
        self._terms = terms
        self._speed = speed
        self._say = say
        self._ending = ending
        self._clock = asyncio.get_running_loop().time
        self._is_paused = False
        self._has_ended = False
        self._steps = 0
        self._item: Told | None = None  # next to be sent, when its time has come
        self._anchor: tuple[float, float] | None = None  # a moment, and the tick that is due then
        self._controls: deque[Control] = deque()
        self._something = asyncio.Event()
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Play until the connection is to end."""
        await self._tell()
        while self._ending.closing is None:
            if self._is_next_due():
                await self._obey(self._controls.popleft())
                self._room.set()
            elif self._has_ended or (self._is_paused and not self._steps):
                await self._stand_still()
            else:
                await self._go_on()

    async def take(self, text: str | bytes) -> None:
        """Take what the viewer says; wait while too much of that is still to be done."""
        try:
            control = parse_control(text, self._terms.span)
        except ControlError as error:
            await self._say_error(str(error))
            return
        while len(self._controls) >= _WAITING_CONTROLS:
            self._room.clear()
            await self._room.wait()
        self._controls.append(control)
        self._something.set()

    def _is_next_due(self) -> bool:
        """Return whether a control is to be followed now; a step waits for the one before it."""
        return bool(self._controls) and not (self._steps and isinstance(self._controls[0], Step))

    async def _obey(self, control: Control) -> None:
        if self._steps:  # which are cut short, and answered
            await self._stop_stepping()
        match control:
            case Play():
                self._is_paused = False
            case Pause():
                self._is_paused = True
            case Speed(speed):
                self._speed = speed
            case Seek(t):
                await self._seek(t)
                return
            case Step(n):
                await self._step(n)
                return
            case _:
                assert_never(control)
        self._anchor = None if self.t is None else (self._clock(), self.t)
        await self._tell()

    async def _seek(self, t: int) -> None:
        await self._feed.seek(t)
        self._item = self._anchor = self.t = None
        self._has_ended = False
        await self._say_fields({"type": "seek", "t": t, **self._position()})

    async def _step(self, n: int) -> None:
        if self._has_ended:
            await self._tell()
        elif self._is_paused:
            self._steps = n
        else:
            await self._say_error("step must come while the replay is paused, it is playing")

    async def _stop_stepping(self) -> None:
        self._steps = 0
        await self._tell()

    async def _stand_still(self) -> None:
        limit = self._terms.idle_seconds
        if not await self._is_told_within(limit):
            self._ending.close(NORMAL, f"idle: told nothing for {limit:g} s")

    async def _go_on(self) -> None:
        if self._item is None:
            await self._fetch()
        if self._item is None:
            return
        wait = self._seconds_until(self._item.place.t)
        if wait > _SHORTEST_WAIT_SECONDS and await self._is_told_within(wait):
            return  # to see to that first
        item, self._item = self._item, None
        await self._say(item.body)
        self.t = item.last_t
        if item.kind == "gap":
            self._anchor = None  # what is missing is not waited for
        elif self._steps and item.kind == self._terms.step_kind:
            self._steps -= 1
            if not self._steps:
                await self._tell()

    async def _fetch(self) -> None:
        """Get the next message ready, or find out why there is none."""
        try:
            got = await self._feed.next()
        except Exception as error:  # noqa: BLE001 - told to the viewer, and to the log
            tell_unreadable("replay_unreadable", error, run=self._terms.run)
            await self._say_error("the recording cannot be read on, see the server's log")
            await self._end()
            return
        if got is Nothing.YET:
            await self._is_told_within(LOOK_SECONDS)
        elif got is Nothing.MORE:
            await self._end()
        else:
            self._item = got
            self._shorten_silence(got.place.t)

    async def _end(self) -> None:
        self._has_ended = True
        self._steps = 0
        await self._tell()

    def _seconds_until(self, t: int) -> float:
        """Return how long it is until a tick is due, at this speed."""
        if self._speed == 0 or self._steps:
            self._anchor = None
            return 0.0
        now = self._clock()
        if self._anchor is None:
            self._anchor = now, t
        at, anchor_t = self._anchor
        wait = at + (t - anchor_t) / (self._terms.tick_rate * self._speed) - now
        if wait < -_LATE_SECONDS:
            self._anchor = now, t
        return wait

    def _shorten_silence(self, t: int) -> None:
        if self._anchor is not None and self.t is not None:
            too_many = t - self.t - _LONGEST_SILENCE_SECONDS * self._terms.tick_rate
            if too_many > 0:
                at, anchor_t = self._anchor
                self._anchor = at, anchor_t + too_many

    async def _is_told_within(self, seconds: float) -> bool:
        """Wait for a control message; return whether one came."""
        self._something.clear()
        if self._is_next_due():
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._something.wait()
        except TimeoutError:
            return False
        return True

    async def _tell(self) -> None:
        await self._say_fields({"type": "replay", "t": self.t, **self._position()})

    def _position(self) -> dict[str, object]:
        state = "ended" if self._has_ended else "paused" if self._is_paused else "playing"
        span = self._terms.span
        return {
            "state": state,
            "speed": self._speed,
            "run": self._terms.run,
            "from_t": span.from_t,
            "to_t": span.to_t,
            "tick_rate": self._terms.tick_rate,
        }

    async def _say_error(self, message: str) -> None:
        await self._say_fields({"type": "error", "message": message})

    async def _say_fields(self, fields: dict[str, object]) -> None:
        await self._say(Body(orjson.dumps(fields)))
