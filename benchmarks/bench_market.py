"""How fast does the embedded market play, by the number of agents?"""

from __future__ import annotations

import pytest

from marketcam.engine.scenarios import market_of

COUNTS = [3, 74, 1_000, pytest.param(100_000, marks=pytest.mark.large)]


@pytest.mark.parametrize("agents", COUNTS)
def test_step(benchmark, agents):
    """One tick of a population that stays."""
    _play(benchmark, "v5", agents)


@pytest.mark.parametrize("agents", COUNTS)
def test_step_of_the_ecology(benchmark, agents):
    """The same of the market with groups."""
    _play(benchmark, "ecology", agents)


def _play(benchmark, scenario, agents):
    market = market_of(scenario, agents=agents, seed=1, max_agents=agents, adjust_interval=10**9)
    benchmark(market.step)
    benchmark.extra_info["agents"] = agents
    if benchmark.enabled:
        benchmark.extra_info["ticks_per_second"] = round(1 / benchmark.stats["median"])
