from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from marketcam.server.running.lag import LAG_BOUNDS, PROBE_SECONDS, Histogram, LagProbe
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable


def test_values_are_counted_by_their_bound() -> None:
    histogram = Histogram((1.0, 2.0, 5.0))
    for value in (0.5, 1.0, 1.5, 5.0, 7.0):
        histogram.add(value)
    assert histogram.cumulative() == [2, 3, 4, 5]
    assert histogram.sum == pytest.approx(15.0)


def test_bounds_ascend_and_have_the_target() -> None:
    assert list(LAG_BOUNDS) == sorted(set(LAG_BOUNDS))
    assert 0.01 in LAG_BOUNDS


class Timers:
    """What the probe wants of a loop, with a clock of its own: timers that fire when told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.armed: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self.now + delay, callback)
        self.armed.append(timer)
        return timer

    def fire(self, late: float) -> None:
        """Let the time of the next timer come, and call it as late as said."""
        timer = self.armed.pop(0)
        self.now = timer.due + late
        timer.callback()


class Timer:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


def started() -> tuple[LagProbe, Timers]:
    timers = Timers()
    probe = LagProbe(timers.time)
    probe.start(timers.call_later)
    return probe, timers


def test_a_loop_that_is_held_is_seen() -> None:
    probe, timers = started()
    for late in (0.0, 0.25, -0.001):  # loops whose timers go by milliseconds may be early
        before = timers.now
        timers.fire(late)
        assert timers.now == pytest.approx(before + PROBE_SECONDS + late)
        assert probe.last == pytest.approx(max(0.0, late))
    assert probe.lags.cumulative()[-1] == 3
    assert probe.lags.sum == pytest.approx(0.25)


def test_stopped_it_looks_no_more() -> None:
    LagProbe().stop()  # never started
    probe, timers = started()
    timers.fire(0.0)
    probe.stop()
    assert [timer.is_cancelled for timer in timers.armed] == [True]


def test_it_looks_on_a_real_loop() -> None:
    async def scenario() -> None:
        looked = asyncio.Event()

        def clock() -> float:
            looked.set()
            return time.monotonic()

        probe = LagProbe(clock)
        probe.start()
        looked.clear()
        async with asyncio.timeout(PATIENCE):
            await looked.wait()
        probe.stop()
        assert probe.lags.cumulative()[-1] >= 1

    asyncio.run(scenario())
