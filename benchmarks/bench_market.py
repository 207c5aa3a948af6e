"""How fast does the embedded market play, by the number of agents?"""

from __future__ import annotations

import pytest

from marketcam.engine.market import InfiniteGameMarket

COUNTS = [3, 74, 1_000, pytest.param(100_000, marks=pytest.mark.large)]


@pytest.mark.parametrize("agents", COUNTS)
def test_step(benchmark, agents):
    """One tick of a population that stays."""
    market = InfiniteGameMarket(agents, seed=1, max_agents=agents, adjust_interval=10**9)
    ticks = max(1, 10_000 // agents)

    def play():
        for _ in range(ticks):
            market.step()

    play()
    benchmark(play)
    benchmark.extra_info.update(agents=agents, ticks=ticks)
    if benchmark.enabled:
        benchmark.extra_info["ticks_per_second"] = round(ticks / benchmark.stats["median"])
