"""The pairs of neighbors in price order, against the plain twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import neighbors
from marketcam.engine.crew import Crew
from marketcam.engine.edges import NodeRows
from marketcam.engine.neighbors import NeighborCounts
from marketcam.engine.quotes import QuoteBlock
from tests.oracle import adjacent_quotes

pytestmark = pytest.mark.kernel

SIDES = {0: "none", 1: "buy", 2: "sell"}
extremes = [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 1.7e308, -1.7e308, 40_000.0, 60_000.0]
prices = st.one_of(st.sampled_from(extremes), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def crowds(draw):
    """Prices, sides and ids by slot, from few agents to a few hundred."""
    many = draw(st.sampled_from([0, 1, 2, 7, 49, 120]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    drawn = np.array(draw(st.lists(prices, min_size=1, max_size=12)))
    spread = draw(st.sampled_from([0.0, 1e-9, 1.0, 1e4, 1e300]))
    price = np.clip(drawn, -1.6e308, 1.6e308)[rng.integers(0, drawn.size, many)]
    price = np.clip(price + spread * rng.integers(-3, 4, many), -1.7e308, 1.7e308)
    side = rng.integers(0, 3, many).astype(np.int8)
    ids = rng.permutation(many).astype(np.int64) * 7
    if draw(st.booleans()):
        ids.sort()
    return np.where(side == 0, math.nan, price), side, ids


def found_pairs(price, side, ids, eps, capacity):
    desk = neighbors._Desk.for_slots(capacity)
    pairs = np.empty((capacity, 2), dtype=np.int32)
    by_id = neighbors._slots_by_id(ids)
    quotes = (price.view(np.int64), side)
    many = neighbors.neighbor_pairs(quotes, by_id, eps, desk, pairs)
    return sorted(tuple(sorted(pair)) for pair in ids[pairs[:many]].tolist())


def twins_pairs(price, side, ids, eps):
    quotes = {
        int(agent): (SIDES[int(of)], float(at))
        for agent, of, at in zip(ids, side, price, strict=True)
        if of
    }
    return sorted(adjacent_quotes(quotes, eps))


@given(crowds(), st.sampled_from([0.0, 5e-324, 1.0, 150.0, 1e308, math.inf]), st.integers(0, 3))
def test_pairs_of_one_tick(crowd, eps, room):
    price, side, ids = crowd
    assert found_pairs(price, side, ids, eps, ids.size + room) == twins_pairs(price, side, ids, eps)


def test_no_pairs_without_a_reach():
    price, side, ids = np.ones(4), np.ones(4, dtype=np.int8), np.arange(4)
    assert found_pairs(price, side, ids, math.nan, 4) == []
    assert len(found_pairs(price, side, ids, 0.0, 4)) == 3


@pytest.mark.parametrize("many", [48, 49, 2049, 3000])
@pytest.mark.parametrize("sign", [-1, 1])
def test_sizes_at_which_the_way_of_sorting_changes(many, sign):
    rng = np.random.default_rng(many)
    price = sign * rng.uniform(-10.0 if many == 3000 else 4e4, 6e4, many).round(1)
    side = np.full(many, 2, dtype=np.int8)
    ids = rng.permutation(many).astype(np.int64)
    expected = twins_pairs(price, side, ids, 1500.0)
    assert found_pairs(price, side, ids, 1500.0, many) == expected
    assert len(expected) > many / 2


@pytest.mark.parametrize("capacity", [64, 1024])
def test_blocks_of_any_size_and_threads_make_the_same_edges(monkeypatch, capacity):
    monkeypatch.setattr(neighbors, "_FEW_QUOTES", 0)
    rng = np.random.default_rng(0)
    ticks, used = 40, 40
    price = np.full((ticks, capacity), math.nan)
    side = np.zeros((ticks, capacity), dtype=np.int8)
    side[:, :used] = rng.integers(0, 3, (ticks, used))
    price[:, :used] = np.where(side[:, :used] == 0, math.nan, rng.integers(0, 30, (ticks, used)))
    eps = np.where(np.arange(ticks) % 7 == 3, math.nan, 1.0)
    ids = rng.permutation(capacity)
    of_slot = np.full(capacity, -1, dtype=np.int32)
    of_slot[ids[:used].argsort()] = np.arange(used)
    nodes = NodeRows(of_slot, used, ordered=False)
    made = []
    for block, size in [(1, 1), (3, 2), (20, 2), (40, 3)]:
        counts = NeighborCounts(25, Crew(size))
        counts.make_room(used, capacity)
        for t in range(0, ticks, block):
            rows = slice(t, min(t + block, ticks))
            many = rows.stop - t
            counts.take(QuoteBlock(t, many, price[rows], side[rows], eps[rows], ids, used))
        made.append(counts.best(ticks - 25, ticks - 1, used, nodes, 200).tolist())
    assert len(made[0]) == 200
    assert made == [made[0]] * 4
