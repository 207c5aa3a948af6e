"""What does taking in one tick cost, by the number of agents?"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.yardstick("python")  # of few agents, a tick is mostly calls


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
def test_arrays(benchmark, film, agents, proximity):
    """The live path: a tick that is arrays already."""
    running = film(proximity=proximity)
    benchmark.extra_info["agents"] = agents

    def next_columns():
        return running.next_tick().columns(), {}

    benchmark.pedantic(running.camera.ingest_arrays, setup=next_columns, rounds=2000)


def test_dicts(benchmark, film, agents):
    """The dict form: read, checked and turned into arrays first."""
    running = film()
    benchmark.extra_info["agents"] = agents

    def next_dict():
        return (running.next_tick().as_dict(),), {}

    benchmark.pedantic(running.camera.ingest, setup=next_dict, rounds=500)
