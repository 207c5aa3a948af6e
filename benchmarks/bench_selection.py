"""What does choosing the edges of a frame cost, by the edge cap and how many are alike?"""

from __future__ import annotations

import pytest

from benchmarks.workloads import PRICES, close_prices


@pytest.mark.parametrize("edge_cap", [0, 200, 2_000, 20_000])
@pytest.mark.parametrize("prices", ["uniform", "close"])
def test_frame_by_edge_cap(benchmark, film, agents, edge_cap, prices):
    """With all prices close every pair counts W ticks: all weights tie, and ids decide."""
    running = film(close_prices(0.003) if prices == "close" else PRICES, edge_cap=edge_cap)
    benchmark.pedantic(running.frame, setup=running.take_until_due, rounds=50)
    benchmark.extra_info.update(agents=agents, edges=len(running.frame().edges))


@pytest.mark.parametrize("match_share", [0.0, 0.5, 1.0])
@pytest.mark.large
def test_frame_by_match_share(benchmark, film, agents, match_share):
    running = film(match_share=match_share)
    benchmark.pedantic(running.frame, setup=running.take_until_due, rounds=50)
    benchmark.extra_info.update(agents=agents, edges=len(running.frame().edges))
