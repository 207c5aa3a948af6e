"""Frames as graphs of NetworkX."""

from __future__ import annotations

import builtins

import pytest

from marketcam.engine import FrameError
from marketcam.io import MissingExtraError, frame_graph
from tests.frame_columns_helpers import small_frame

nx = pytest.importorskip("networkx")


def test_a_graph_has_what_the_frame_has():
    frame = small_frame(agents=12, W=10)
    message = frame.to_dict()
    graph = frame_graph(frame)
    assert dict(graph.nodes(data=True)) == {n["agent_id"]: n["features"] for n in message["nodes"]}
    assert list(graph.nodes) == sorted(graph.nodes)
    ids = {node["node_id"]: node["agent_id"] for node in message["nodes"]}
    edges = {(u, v, key): data for u, v, key, data in graph.edges(keys=True, data=True)}
    assert edges == {
        (ids[e["src"]], ids[e["dst"]], e["type"]): {"type": e["type"], "w": e["w"]}
        for e in message["edges"]
    }
    assert {key for _, _, key in edges} == {"match", "quote_proximity"}
    span = {"t": frame.t, "t0": frame.t0, "t1": frame.t1, "W": frame.W, "stride": frame.stride}
    assert graph.graph == span | message["events"]


def test_two_agents_may_have_traded_and_quoted_close():
    graph = frame_graph(small_frame(agents=12, W=10))
    both = [(u, v) for u, v in {(u, v) for u, v, _ in graph.edges} if len(graph[u][v]) == 2]
    assert both
    assert set(graph[both[0][0]][both[0][1]]) == {"match", "quote_proximity"}


def test_a_message_and_its_columns_give_the_same_graph():
    frame = small_frame()
    assert nx.utils.graphs_equal(frame_graph(frame), frame_graph(frame.to_dict()))


def test_one_kind_of_relation_as_a_plain_graph():
    graph = frame_graph(small_frame(agents=12, W=10))
    trades = nx.Graph(graph.edge_subgraph(e for e in graph.edges if e[2] == "match"))
    assert set(nx.get_edge_attributes(trades, "type").values()) == {"match"}
    assert max(dict(trades.degree(weight="w")).values()) > 0


def test_what_is_no_frame_is_said():
    with pytest.raises(FrameError, match="nodes must be a list"):
        frame_graph(small_frame().to_dict() | {"nodes": None})


def test_without_networkx_it_is_said_how_to_get_it(monkeypatch):
    def refuse(name, *rest):
        if name == "networkx":
            raise ModuleNotFoundError("no networkx", name=name)
        return imported(name, *rest)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"pip install 'marketcam\[graph\]'"):
        frame_graph(small_frame())
