"""What does a frame cost, by the number of agents?"""

from __future__ import annotations

import pytest

from marketcam.io import encode_frame


def rounds_for(agents):
    return 200 if agents <= 300 else 50


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
def test_frame(benchmark, film, agents, proximity):
    """Developing one frame, its ten ticks having been taken in."""
    running = film(proximity=proximity)
    benchmark.pedantic(running.frame, setup=running.take_until_due, rounds=rounds_for(agents))
    benchmark.extra_info.update(agents=agents, edges=len(running.frame().edges))


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
def test_whole_stride(benchmark, film, agents, proximity):
    """Ten ticks in, their frame out as JSON: all that the engine's thread does."""
    running = film(proximity=proximity)

    def stride():
        running.take_ready()
        return encode_frame(running.frame())

    text = benchmark.pedantic(stride, setup=running.make_ready, rounds=rounds_for(agents))
    benchmark.extra_info.update(agents=agents, json_bytes=len(text))
    if benchmark.enabled:
        per_second = running.stride / benchmark.stats["median"]
        benchmark.extra_info["ticks_per_second"] = round(per_second)


def test_wide_stride(benchmark, film, agents):
    """A frame of a window that is new from end to end: nothing carries over."""
    running = film(W=100, stride=100)
    benchmark.pedantic(running.frame, setup=running.take_until_due, rounds=20)
    benchmark.extra_info["agents"] = agents
