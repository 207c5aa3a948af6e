from __future__ import annotations

import asyncio
import time

import pytest

from marketcam.server.lag import LAG_BOUNDS, PROBE_SECONDS, Histogram, LagProbe


def test_values_are_counted_by_their_bound() -> None:
    histogram = Histogram((1.0, 2.0, 5.0))
    for value in (0.5, 1.0, 1.5, 5.0, 7.0):
        histogram.add(value)
    assert histogram.cumulative() == [2, 3, 4, 5]
    assert histogram.sum == pytest.approx(15.0)


def test_bounds_ascend_and_have_the_target() -> None:
    assert list(LAG_BOUNDS) == sorted(set(LAG_BOUNDS))
    assert 0.01 in LAG_BOUNDS


def test_a_loop_that_is_held_is_seen() -> None:
    async def scenario() -> list[float]:
        now = [0.0]
        probe = LagProbe(lambda: now[0])
        seen: list[float] = []
        probe.start()
        for held in (0.0, 0.25):
            before = len(seen)
            now[0] += PROBE_SECONDS + held
            while len(seen) == before:
                await asyncio.sleep(PROBE_SECONDS / 4)
                if probe.lags.cumulative()[-1] > before:
                    seen.append(probe.last)
        probe.stop()
        return seen

    assert asyncio.run(scenario()) == pytest.approx([0.0, 0.25])


def test_stopped_it_looks_no_more() -> None:
    async def scenario() -> None:
        probe = LagProbe(time.monotonic)
        probe.stop()
        probe.start()
        probe.stop()
        await asyncio.sleep(3 * PROBE_SECONDS)
        assert probe.lags.cumulative()[-1] == 0

    asyncio.run(scenario())
