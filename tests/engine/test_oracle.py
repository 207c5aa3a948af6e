"""The twin itself, against frames computed by hand."""

from __future__ import annotations

import math
import re

import pytest

from tests import oracle
from tests.faults import FAULTS
from tests.oracle import MalformedTick, OracleCamera
from tests.raw_ticks import STATE, quote, tick


def test_a_frame_computed_by_hand():
    camera = OracleCamera(W=2, stride=2, eps_pct=0.01, edge_cap=10)
    first = tick(1, buys={0: 100.0}, sells={7: 101.0}, agents={0: 0.5, 7: None})
    second = tick(2, None, buys={0: 104.0}, agents={0: 0.75})
    second["actions"]["3"] = quote("none")
    camera.ingest(first | {"matches": [[7, 0], [0, -1]]})
    assert camera.maybe_build_frame(1) is None
    camera.ingest(second | {"matches": [{"a": 3, "b": 9}]})
    assert camera.maybe_build_frame(2) == {
        "type": "frame",
        "t": 2,
        "window": {"W": 2, "t0": 1, "t1": 2, "stride": 2},
        "nodes": [
            _node(0, (2, 0, 0), 2, (102.0, 2.0, 0.02), (0.5, 0.75, 0.25), "buy"),
            _node(3, (0, 0, 2), 1, (0.0, 0.0, 0.0), (None, None, 0.0), "none"),
            _node(7, (0, 1, 1), 1, (101.0, 0.0, 0.01), (None, None, 0.0), "sell"),
            _node(9, (0, 0, 2), 1, (0.0, 0.0, 0.0), (None, None, 0.0), "none"),
        ],
        "edges": [
            _edge(0, 7, "match", 0.5),
            _edge(3, 9, "match", 0.5),
            _edge(0, 7, "quote_proximity", 0.5),
        ],
        "events": {"bursts": [], "shocks": []},
    }
    assert camera.maybe_build_frame(2) == camera.maybe_build_frame(2)
    assert camera.maybe_build_frame(1) is None
    assert camera.maybe_build_frame(4) is None


def _node(agent, counts, match_count, quotes, experience, side):
    return {
        "node_id": f"agent:{agent}@t:1-2",
        "agent_id": agent,
        "t0": 1,
        "t1": 2,
        "features": {
            "buy_count": counts[0],
            "sell_count": counts[1],
            "none_count": counts[2],
            "match_count": match_count,
            "match_rate": match_count / 2,
            "quote_price_mean": quotes[0],
            "quote_price_std": quotes[1],
            "quote_dist_to_mid_mean": quotes[2],
            "experience_start": experience[0],
            "experience_end": experience[1],
            "experience_delta": experience[2],
            "dominant_side": side,
        },
    }


def _edge(src, dst, kind, w):
    return {"src": f"agent:{src}@t:1-2", "dst": f"agent:{dst}@t:1-2", "type": kind, "w": w}


@pytest.mark.parametrize(
    ("proximity", "expected"),
    [
        # 1 and 4 buy, 2 and 3 sell; all within 3 of each other but 1 and 4, who are 4 apart
        ("pairs", {(1, 2), (1, 3), (2, 3), (2, 4), (3, 4)}),
        ("neighbors", {(2, 3)}),
    ],
)
def test_the_two_rules_of_proximity(proximity, expected):
    camera = OracleCamera(1, 1, 0.03, 10, proximity)
    camera.ingest(tick(5, buys={1: 98.0, 4: 102.0}, sells={2: 99.0, 3: 101.0}))
    assert _pairs(camera.maybe_build_frame(5)) == expected


def test_neighbors_of_equal_price_are_adjacent_by_id():
    camera = OracleCamera(1, 1, 0.0, 10, "neighbors")
    camera.ingest(tick(1, buys={30: 50.0, 4: 50.0, 12: 50.0}))
    assert _pairs(camera.maybe_build_frame(1)) == {(4, 12), (12, 30)}


def _agent(name):
    return int(re.fullmatch(r"agent:([0-9]+)@t:.*", name)[1])


def _pairs(frame):
    return {(_agent(edge["src"]), _agent(edge["dst"])) for edge in frame["edges"]}


@pytest.mark.parametrize(
    ("share", "cap", "kept"),
    [
        # best first: quote_proximity 1-2 at 3/3, match 1-3 at 2/3, match 2-4 and 3-4 at 1/3
        (0.0, 1, ["quote_proximity 1 2"]),
        (0.0, 2, ["quote_proximity 1 2", "match 1 3"]),
        (0.5, 1, ["quote_proximity 1 2"]),  # floor(0.5): none is set aside
        (0.5, 2, ["quote_proximity 1 2", "match 1 3"]),
        (1.0, 1, ["match 1 3"]),
        (1.0, 2, ["match 1 3", "match 2 4"]),
        (1.0, 3, ["match 1 3", "match 2 4", "match 3 4"]),
        (1.0, 9, ["quote_proximity 1 2", "match 1 3", "match 2 4", "match 3 4"]),
        (0.3, 0, []),
    ],
)
def test_the_share_of_matches_in_the_cap(share, cap, kept):
    camera = OracleCamera(3, 1, 0.01, cap, match_share=share)
    for t, matches in ((1, [[1, 3], [4, 2]]), (2, [[3, 1]]), (3, [[3, 4]])):
        camera.ingest(tick(t, buys={1: 50.0}, sells={2: 50.0}, matches=matches))
    edges = camera.maybe_build_frame(3)["edges"]
    assert [f"{e['type']} {_agent(e['src'])} {_agent(e['dst'])}" for e in edges] == kept


def test_a_share_that_is_whole_but_for_its_last_bit():
    """0.29 * 100 is 28.999999999999996, and means 29."""
    camera = OracleCamera(1, 1, 0.01, 100, match_share=0.29)
    heavy = dict.fromkeys(range(100, 200), 50.0)
    camera.ingest(tick(1, buys=heavy, matches=[[a, a + 50] for a in range(40)]))
    kinds = [edge["type"] for edge in camera.maybe_build_frame(1)["edges"]]
    assert kinds.count("match") == 40  # all weights are 1 here, and a match goes first
    camera = OracleCamera(2, 1, 0.01, 100, match_share=0.29)
    camera.ingest(tick(1, buys=heavy))
    camera.ingest(tick(2, buys=heavy, matches=[[a, a + 50] for a in range(40)]))
    kinds = [edge["type"] for edge in camera.maybe_build_frame(2)["edges"]]
    assert kinds.count("match") == 29


def test_matches_beyond_the_window_weigh_one_and_rank_as_equals():
    camera = OracleCamera(1, 1, 0.01, 10)
    camera.ingest(tick(1, matches=[[5, 6], [6, 5], [5, 6], [1, 2]]))
    frame = camera.maybe_build_frame(1)
    assert [(_agent(e["src"]), e["w"]) for e in frame["edges"]] == [(1, 1.0), (5, 1.0)]
    assert frame["nodes"][2]["features"]["match_rate"] == 3.0


def test_a_burst_exactly_at_the_threshold():
    """One match in 17 ticks: mean 1/17, std 4/17, so that it stands out by exactly 4."""
    camera = OracleCamera(17, 1, 0.01, 10)
    for t in range(1, 18):
        camera.ingest(tick(t, matches=[[1, -1]] if t == 9 else []))
    assert camera.maybe_build_frame(17)["events"]["bursts"] == [{"t": 9, "value": 1, "score": 4.0}]


def test_shocks_are_signed_and_skip_ticks_without_a_positive_mid():
    camera = OracleCamera(7, 1, 0.01, 10, shock_z=1.7)
    for t, mid in enumerate([100.0, 100.0, 100.0, 0.0, 50.0, 50.0, 25.0], start=1):
        camera.ingest(tick(t, mid))
    # returns 0, 0, 0 and -ln 2 at ticks 2, 3, 6 and 7: mean -ln 2 / 4, std ln 2 * sqrt(3) / 4
    assert camera.maybe_build_frame(7)["events"]["shocks"] == [
        {"t": 7, "value": -0.693147, "score": round(-math.sqrt(3), 6)}
    ]


def test_holes_restart_the_window_and_keep_the_mid():
    camera = OracleCamera(2, 1, 0.01, 10)
    camera.ingest(tick(1, 100.0))
    camera.ingest(tick(3, None, buys={1: 90.0}))
    assert camera.maybe_build_frame(3) is None
    camera.ingest(tick(4, None, buys={1: 90.0}))
    node = camera.maybe_build_frame(4)["nodes"][0]
    assert node["features"]["quote_dist_to_mid_mean"] == 0.1


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_refuses_every_fault_at_its_place(fault):
    camera = OracleCamera(1, 1, 0.01, 10)
    camera.ingest(tick(1))
    before = camera.maybe_build_frame(1)
    with pytest.raises(MalformedTick) as refused:
        camera.ingest(tick(2) | fault.patch)
    assert (refused.value.field, refused.value.agent) == (fault.field, fault.agent)
    assert camera.maybe_build_frame(1) == before


@pytest.mark.parametrize("t", [4, 3, 0, -1])
def test_it_refuses_a_tick_number_that_does_not_increase(t):
    camera = OracleCamera(1, 1, 0.01, 10)
    camera.ingest(tick(4))
    with pytest.raises(MalformedTick) as refused:
        camera.ingest(tick(t))
    assert refused.value.field == "t"


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0, "0.0"), (-4e-7, "0.0"), (5e-7, "0.0"), (1.5e-6, "2e-06"), (2, "2.0")],
)
def test_rounding(value, text):
    assert repr(oracle.round6(value)) == text


def test_a_metric_computed_by_hand():
    raw = tick(3, agents={1: 0.25, 2: None, 5: 1}, buys={9: 4.0}, matches=[[7, -1]]) | {"s": STATE}
    assert oracle.metric(raw) == {
        "type": "metric",
        "t": 3,
        "s": {"price_norm": 0.5, "volatility": 0.3, "liquidity": 0.5, "imbalance": 0.0},
        "N": 4,
        "avg_exp": 0.625,
        "matches_n": 1,
    }
    assert oracle.metric(tick(3)) is None
