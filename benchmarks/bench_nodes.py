"""What do the nodes' features cost a stride, by the number of agents and how strides meet W?"""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("stride", [10, 7, 100])
def test_stride_without_edges(benchmark, film, agents, stride):
    """Ticks and a frame whose edges are cut to none; 7 does not divide W: panes are cut."""
    running = film(stride=stride, edge_cap=0, eps_pct=0.0, proximity="neighbors")

    def ticks_and_frame():
        running.take_ready()
        running.frame()

    benchmark.pedantic(ticks_and_frame, setup=running.make_ready, rounds=30)
    benchmark.extra_info.update(agents=agents, ticks=stride)
