"""What does the rule `pairs` cost a stride, by the number of agents and where the prices lie?"""

from __future__ import annotations

import pytest

from benchmarks.workloads import PRICES, close_prices

ROUNDS = {74: 200, 300: 100, 1_000: 30, 3_000: 10, 10_000: 5}
COUNTS = [74, *(pytest.param(count, marks=pytest.mark.large) for count in list(ROUNDS)[1:])]


@pytest.mark.parametrize("agents", COUNTS)
@pytest.mark.parametrize("prices", ["uniform", "close"])
def test_stride(benchmark, film, agents, prices):
    """Ten ticks and the frame, of which few edges are kept; all close is the most to count."""
    running = film(close_prices(0.003) if prices == "close" else PRICES, edge_cap=200)

    def stride():
        running.take_ready()
        running.frame()

    benchmark.pedantic(stride, setup=running.make_ready, rounds=ROUNDS[agents])
    benchmark.extra_info["agents"] = agents
    if benchmark.enabled:
        pairs = agents * (agents - 1) / 2 * 2 * running.stride  # ticks that came and that went
        nanoseconds = 1e9 * benchmark.stats["min"] / pairs
        benchmark.extra_info["nanoseconds_a_pair_and_tick"] = round(nanoseconds, 4)
