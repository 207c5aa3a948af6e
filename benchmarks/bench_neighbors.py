"""What does the rule `neighbors` cost, by the number of agents?"""

from __future__ import annotations

import pytest

ROUNDS = {74: 200, 1_000: 50, 10_000: 10, 100_000: 3}
COUNTS = [74, *(pytest.param(count, marks=pytest.mark.large) for count in list(ROUNDS)[1:])]


@pytest.mark.parametrize("agents", COUNTS)
def test_stride(benchmark, film, agents):
    """Ten ticks and their frame. From 10,000 agents on most of it is sorting and hashing."""
    running = film(proximity="neighbors")

    def stride():
        running.take_ready()
        running.frame()

    benchmark.pedantic(stride, setup=running.make_ready, rounds=ROUNDS[agents])
    benchmark.extra_info["agents"] = agents
