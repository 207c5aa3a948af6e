"""Edges: who is close, what the cap keeps, in which order."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import SlidingWindowCamera, film
from marketcam.io import encode_frame
from tests.comparing import compare, film_with_twin
from tests.conftest import INTERPRETED
from tests.oracle import OracleCamera
from tests.raw_ticks import MAX_ID, tick

pytestmark = pytest.mark.kernel


def edges_of(*ticks, **arguments):
    """Film the ticks and return the last frame's edges as (type, src, dst, w)."""
    camera = SlidingWindowCamera(stride=1, **arguments)
    for raw in ticks:
        camera.ingest(raw)
    edges = camera.maybe_build_frame(ticks[-1]["t"])["edges"]
    return [(e["type"], _agent(e["src"]), _agent(e["dst"]), e["w"]) for e in edges]


def _agent(name):
    return int(name.removeprefix("agent:").split("@")[0])


# ---- who is close --------------------------------------------------------------------------------

far_prices = st.floats(-1e9, 1e9)


@given(st.floats(1e-3, 1e6), st.floats(0.0, 2.0), far_prices, st.integers(-2, 2))
def test_the_reach_is_exact_to_the_last_bit(mid, eps_pct, price, ulps):
    """Two prices about eps * mid apart are close by the plain formula or not at all."""
    other = price + eps_pct * mid
    for _ in range(abs(ulps)):
        other = math.nextafter(other, math.copysign(math.inf, ulps))
    close = abs(price - other) <= eps_pct * mid
    raw = tick(1, mid, buys={1: price, 2: other})
    for proximity in ("pairs", "neighbors"):
        edges = edges_of(raw, W=1, eps_pct=eps_pct, proximity=proximity)
        assert edges == ([("quote_proximity", 1, 2, 1.0)] if close else [])


@given(st.floats(1e-3, 1e6), st.floats(0.0, 2.0))
def test_exactly_eps_apart_is_close_and_one_ulp_more_is_not(mid, eps_pct):
    reach = eps_pct * mid
    beyond = math.nextafter(reach, math.inf)
    raw = tick(1, mid, buys={1: 0.0, 2: reach}, sells={3: -beyond})
    edges = edges_of(raw, W=1, eps_pct=eps_pct)
    expected = [(1, 2), *([(2, 3)] if abs(reach + beyond) <= reach else [])]
    assert [(src, dst) for _, src, dst, _ in edges] == expected


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
@pytest.mark.parametrize("mid", [None, 0.0, -100.0])
def test_ticks_without_a_positive_mid_make_no_proximity(proximity, mid):
    raw = tick(1, mid, buys={1: 50.0, 2: 50.0})
    assert edges_of(raw, W=1, eps_pct=0.5, proximity=proximity) == []


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
@pytest.mark.parametrize("spread", [0.0, 0.4, 1.0, 3.0, 50.0])
def test_crowded_prices(proximity, spread):
    """Everybody at one price, on a few prices, and everybody in everybody's reach."""
    rng = random.Random(int(spread * 10))
    ids = [0, MAX_ID, *rng.sample(range(1, 2**40), 32)]

    def one(t):
        quoted = {i: 100.0 + spread * rng.choice([0.0, 0.25, 0.5, rng.random()]) for i in ids}
        sells = {i: quoted.pop(i) for i in rng.sample(ids, 13)}
        return tick(t, buys=quoted, sells=sells)

    arguments = {"W": 4, "stride": 3, "eps_pct": 0.01, "edge_cap": 3000, "proximity": proximity}
    assert film_with_twin([one(t) for t in range(14)], **arguments) == 3


def test_either_side_counts_under_pairs_and_only_ones_own_under_neighbors():
    raw = tick(1, buys={1: 100.0, 3: 100.2}, sells={2: 100.1, 4: 100.3})
    everybody = list(itertools.combinations([1, 2, 3, 4], 2))
    close = {
        rule: edges_of(raw, W=1, eps_pct=0.01, proximity=rule) for rule in ("pairs", "neighbors")
    }
    assert [(src, dst) for _, src, dst, _ in close["pairs"]] == everybody
    assert [(src, dst) for _, src, dst, _ in close["neighbors"]] == [(1, 3), (2, 4)]


# ---- what the cap keeps --------------------------------------------------------------------------

FEW_CAPS = (0, 1, 2, 9, 24, 25, 37, 59) if INTERPRETED else range(61)
"""The caps that are tried, where all would take the interpreter a minute."""


@pytest.fixture(scope="module")
def busy_window():
    """A window of 6 ticks with many equal weights in both types."""
    rng = random.Random(3)
    ids = rng.sample(range(200), 11)
    return [
        tick(
            t,
            buys={i: 100.0 + rng.choice([0.0, 0.0, 2.0, 4.0]) for i in rng.sample(ids, 8)},
            matches=[rng.sample(ids, 2) for _ in range(9)],
        )
        for t in range(1, 7)
    ]


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.29, 0.5, 1 / 3, 0.7, 1.0])
def test_every_cap_keeps_the_best(busy_window, proximity, share):
    for cap in (*FEW_CAPS, 100, 2000, 65_536):
        arguments = {"edge_cap": cap, "match_share": share, "proximity": proximity}
        camera = SlidingWindowCamera(W=6, stride=1, eps_pct=0.01, **arguments)
        twin = OracleCamera(W=6, stride=1, eps_pct=0.01, **arguments)
        for raw in busy_window:
            camera.ingest(raw)
            twin.ingest(raw)
        assert compare(camera, twin, 6)


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.29, 0.5, 1 / 3, 0.7, 1.0])
@pytest.mark.parametrize("cap", [25, 60, 65_536])
def test_fewer_edges_are_those_of_a_smaller_cap(busy_window, proximity, share, cap):
    """To the byte; and what is kept of a smaller cap is among what is kept of a larger one."""

    def frame(edge_cap):
        arguments = {"edge_cap": edge_cap, "match_share": share, "proximity": proximity}
        (made,) = film(busy_window, W=6, stride=6, eps_pct=0.01, **arguments)
        return made

    whole = frame(cap)
    for fewer in (*(few for few in FEW_CAPS if few < cap), 100, 1000, cap):
        cut = whole.with_fewer_edges(fewer, share)
        assert encode_frame(cut) == encode_frame(frame(min(fewer, cap)))
        if fewer:
            again = cut.with_fewer_edges(fewer - 1, share)
            assert encode_frame(again) == encode_frame(whole.with_fewer_edges(fewer - 1, share))


def test_a_frame_without_more_edges_is_itself(busy_window):
    (whole,) = film(busy_window, W=6, stride=6, eps_pct=0.01, edge_cap=20)
    assert whole.with_fewer_edges(20) is whole
    assert whole.with_fewer_edges(10**9) is whole
    assert len(whole.with_fewer_edges(0).edges) == 0


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
@pytest.mark.parametrize("cap", [10**9, 10**12, 2**53])
def test_a_cap_beyond_all_edges_costs_no_memory(busy_window, proximity, cap):
    arguments = {"W": 6, "eps_pct": 0.01, "proximity": proximity}
    enough = edges_of(*busy_window, edge_cap=10_000, **arguments)
    assert edges_of(*busy_window, edge_cap=cap, **arguments) == enough


@pytest.mark.parametrize(("share", "matches"), [(0.0, 0), (0.28, 28), (0.29, 29), (1.0, 40)])
def test_the_share_that_is_set_aside(share, matches):
    """40 matches of weight 1/2 against thousands of proximities of weight 1; 0.29 * 100 is 29."""
    buys = dict.fromkeys(range(100, 200), 50.0)
    pairs = [[a, a + 50] for a in range(40)]
    ticks = tick(1, buys=buys), tick(2, buys=buys, matches=pairs)
    edges = edges_of(*ticks, W=2, edge_cap=100, match_share=share)
    assert len(edges) == 100
    assert [kind for kind, *_ in edges].count("match") == matches
    assert edges == sorted(edges, key=lambda e: (-e[3], e[0], e[1], e[2]))


def test_matches_weigh_at_most_one_and_then_rank_as_equals():
    raw = tick(1, matches=[[5, 6], [6, 5], [5, 6], [1, 2], [8, 7]])
    ones = [("match", 1, 2, 1.0), ("match", 5, 6, 1.0), ("match", 7, 8, 1.0)]
    assert edges_of(raw, W=1) == ones
    assert edges_of(raw, W=1, edge_cap=2) == ones[:2]


def test_the_pool_makes_no_edge():
    assert edges_of(tick(1, matches=[[5, -1], [6, -1], [0, -1]]), W=1) == []


def test_matches_leave_with_their_tick():
    ticks = [tick(t, matches=[[1, 2]] if t in {2, 4} else []) for t in range(1, 9)]
    camera = SlidingWindowCamera(W=3, stride=1)
    weights = []
    for raw in ticks:
        camera.ingest(raw)
        if (frame := camera.maybe_build_frame(raw["t"])) is not None:
            weights.append([edge["w"] for edge in frame["edges"]])
    assert weights == [[0.333333], [0.666667], [0.333333], [0.333333], [], []]


def test_many_match_pairs_come_and_go():
    """Thousands of pairs, each seen for a while: whatever holds them must give room back."""
    rng = random.Random(11)

    def one(t):
        near = range(t * 3, t * 3 + 60)
        return tick(t, matches=[rng.sample(near, 2) for _ in range(40)])

    arguments = {"W": 10, "stride": 8, "edge_cap": 300, "eps_pct": 0.003}
    assert film_with_twin([one(t) for t in range(120)], **arguments) == 13
