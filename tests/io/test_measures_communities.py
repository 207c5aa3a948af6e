"""Communities: the same at every call, as good as moving one agent can make them, and connected."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import igraph
import networkx as nx
import pytest
from hypothesis import given, settings

from marketcam.io import MeasureOptions, measures
from marketcam.io.measuring.agent_graph import agent_graph
from marketcam.io.measuring.communities import find_communities
from marketcam.io.measuring.names import GRAPHS, column
from tests.frame_columns_helpers import small_frame
from tests.measure_frames import MATCH, cliques, frame_of, graph_frames
from tests.measure_twin import moves, simple_graph, twin_modularity

ROOT = Path(__file__).parents[2]
ALL = MeasureOptions()
TOLERANCE = 1e-9  # as in test_measures


def groups_of(frame, graph="match", options=ALL):
    return [set(each.tolist()) for each in find_communities(agent_graph(frame, graph), options)]


@settings(max_examples=100, deadline=None)
@given(graph_frames())
def test_modularity_is_that_of_the_communities(frame):
    for options in (ALL, MeasureOptions(resolution=2.5)):
        values = measures(frame, options)
        for name in GRAPHS:
            groups, graph = groups_of(frame, name, options), simple_graph(frame, name)
            expected = twin_modularity(graph, groups, options.resolution)
            found = values[column(name, "modularity")]
            assert found == (None if expected is None else pytest.approx(expected, abs=TOLERANCE))
            assert values[column(name, "communities")] == len(groups)
            assert values[column(name, "largest_community")] == max(map(len, groups), default=0)


@settings(max_examples=100, deadline=None)
@given(graph_frames())
def test_communities_are_apart_connected_and_no_move_of_one_agent_is_better(frame):
    groups, graph = groups_of(frame, "both"), simple_graph(frame, "both")
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert all(len(group) > 1 and nx.is_connected(graph.subgraph(group)) for group in groups)
    assert groups == sorted(groups, key=lambda group: (-len(group), min(group)))
    if groups:
        best = twin_modularity(graph, groups)
        assert all(
            twin_modularity(graph, each) <= best + TOLERANCE for each in moves(graph, groups)
        )


def test_groups_that_hang_together_by_one_trade_are_found():
    frame = cliques(range(5), range(10, 16), range(20, 24), (4, 10), (15, 20))
    assert groups_of(frame) == [set(range(10, 16)), set(range(5)), set(range(20, 24))]
    coarse = groups_of(frame, options=MeasureOptions(resolution=0.01))
    assert coarse == [set(frame.nodes.agent_id.tolist())]


def test_weight_counts():
    strong, weak = 1.0, 0.01
    edges = [
        (a, b, MATCH, strong if (a < 4) == (b < 4) else weak) for a in range(8) for b in range(a)
    ]
    assert groups_of(frame_of(range(8), edges)) == [{0, 1, 2, 3}, {4, 5, 6, 7}]


def test_agents_without_an_edge_are_in_no_community():
    frame = frame_of([1, 2, 3, 9], [(2, 9, MATCH, 0.5)])
    assert groups_of(frame) == [{2, 9}]
    assert groups_of(frame, "quote_proximity") == []


def test_the_same_graph_has_the_same_communities_whoever_else_draws():
    frame = small_frame(agents=40, W=20)
    found = groups_of(frame)
    random.seed(7)
    before = random.getstate()
    assert groups_of(frame) == found
    assert random.getstate() == before, "the generator of others is left alone"
    igraph.Graph.Erdos_Renyi(10, m=20)
    assert random.getstate() != before, "and is igraph's again"


def test_and_in_every_process():
    program = (
        "from tests.frame_columns_helpers import small_frame\n"
        "from tests.io.test_measures_communities import groups_of\n"
        "print([sorted(group) for group in groups_of(small_frame(agents=40, W=20))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([sorted(g) for g in groups_of(small_frame(agents=40, W=20))])
