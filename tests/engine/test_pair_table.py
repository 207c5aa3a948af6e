"""The rule `pairs` by slot: blocks of quotes in, the best pairs of the window out."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine.crew import Crew
from marketcam.engine.edges import COUNT_BIT, NODE_BITS, NODE_MASK, NodeRows
from marketcam.engine.lanes import SIDE
from marketcam.engine.priced_ticks import PRICED_UP_TO, PricedTicks
from marketcam.engine.proximity import PairTable
from marketcam.engine.quotes import QuoteBlock
from marketcam.engine.tile_counts import TICKS_A_PASS
from marketcam.engine.tiles import MOST_SLOTS, kept_ticks, most_agents, pair_table_bytes
from tests.conftest import INTERPRETED
from tests.pair_twin import best_pairs, within_reach

pytestmark = pytest.mark.kernel

NO_LIMIT = 2**40


class Run:
    """A table and, beside it, all prices it was given."""

    def __init__(self, W, stride, threads=1):
        self.W, self.stride, self.t = W, stride, 0
        self.table = PairTable(W, stride, NO_LIMIT, crew=Crew(threads))
        self.price = {}
        self.eps = {}
        self.used = 0

    def take(self, prices, eps):
        """Take in a block: float64[ticks, n] prices and an eps for each tick."""
        size, n = prices.shape
        self.used = max(self.used, n)
        self.table.make_room(self.used, self.used + 7)
        room = np.full((size + 2, self.used + 7), 12.5)  # what lies beyond means nothing
        room[:size, : self.used] = np.nan
        room[:size, :n] = prices
        self.table.take(
            QuoteBlock(
                t=self.t,
                size=size,
                price=room,
                side=np.ones(room.shape, dtype=np.int8),
                eps=np.array([*eps, 99.0, 99.0]),
                ids=np.arange(room.shape[1]),
                used=self.used,
            )
        )
        for k in range(size):
            self.price[self.t + k], self.eps[self.t + k] = prices[k], eps[k]
        self.t += size

    def best(self, nodes, most):
        """Return the best pairs of the window as (count, src, dst)."""
        t = self.t - 1
        keys = self.table.best(t - self.W + 1, t, self.used, nodes, most)
        assert (np.diff(keys) > 0).all()
        counts = self.W - (keys >> COUNT_BIT)
        ends = keys >> NODE_BITS & NODE_MASK, keys & NODE_MASK
        return list(zip(*(column.tolist() for column in (counts, *ends)), strict=True))

    def expected(self, nodes, most):
        counts = np.zeros((self.used, self.used), dtype=np.int64)
        for t in range(self.t - self.W, self.t):
            n = self.price[t].size
            counts[:n, :n] += within_reach(self.price[t], self.eps[t])
        return best_pairs(counts, nodes.of_slot, most)


def in_order(n):
    return NodeRows(np.arange(n, dtype=np.int32), n, ordered=True)


def mixed(rng, n):
    return NodeRows(rng.permutation(n).astype(np.int32), n, ordered=False)


def prices_of(rng, kind, ticks, n):
    """Prices to which an eps of 1 means: few close, many equal, all close, or a mixture."""
    if kind == "apart":
        return rng.uniform(0.0, 300.0, (ticks, n))
    if kind == "steps":  # of just eps
        return rng.integers(0, 40, (ticks, n)).astype(float)
    if kind == "equal":
        return np.full((ticks, n), 7.0)
    prices = rng.uniform(0.0, 30.0, (ticks, n))
    prices[rng.random((ticks, n)) < 0.3] = np.nan
    return prices


KINDS = st.sampled_from(["apart", "steps", "equal", "some"])
POPULATIONS = st.sampled_from([1, 2, 9, SIDE - 1, SIDE, SIDE + 1, 2 * SIDE + 5])


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(1, 1), (3, 7), (4, 2), (9, 2), (12, 5), (TICKS_A_PASS + 9, 18)]),
    agents=st.tuples(POPULATIONS, POPULATIONS),
    kinds=st.lists(KINDS, min_size=1, max_size=3),
    most=st.sampled_from([1, 5, 300, 2**53]),
)
def test_the_best_pairs_are_the_twins(seed, shape, agents, kinds, most):
    """Over three windows and more, the population growing, the prices changing their kind."""
    rng = np.random.default_rng(seed)
    W, stride = shape
    run = Run(W, stride)
    frames = 3 * W // stride + 3
    for frame in range(frames):
        n = agents[2 * frame // frames]
        eps = np.where(rng.random(stride) < 0.1, np.nan, 1.0)
        for begin in range(0, stride, 5):
            ticks = min(5, stride - begin)
            kind = kinds[frame % len(kinds)]
            run.take(prices_of(rng, kind, ticks, n), eps[begin : begin + ticks])
        if run.t < W:
            run.table.fill(0, run.t - 1, run.used)
        elif frame % 4 != 1:  # a frame that nobody asks for
            nodes = mixed(rng, run.used) if frame % 2 else in_order(run.used)
            assert run.best(nodes, most) == run.expected(nodes, most)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("most", [1, 40, 3000])
def test_more_ties_than_there_is_room_for(ordered, most):
    """With candidates far beyond the room to sort them, the smallest rows are kept."""
    n = 2 * SIDE + 30 if most < 3000 else 2 * SIDE
    run = Run(2, 1)
    rng = np.random.default_rng(most)
    nodes = in_order(n) if ordered else mixed(rng, n)
    for _ in range(3):
        run.take(np.full((1, n), 5.0), [0.0])
        if run.t >= 2:
            assert run.best(nodes, most) == run.expected(nodes, most)


def test_counts_that_rise_row_by_row():
    """Each row's pairs beat those of all rows before: what was kept has to give way, again and
    again."""
    n, W = 150, 150
    run = Run(W, 75)
    for t in range(W):
        price = np.arange(n) * 10.0
        price[n - 1 - t :] = 1e6
        run.take(price[None], [1.0])
    assert run.best(in_order(n), 7) == run.expected(in_order(n), 7)


def test_a_guess_that_turns_out_too_high():
    run = Run(40, 10)
    rng = np.random.default_rng(0)
    for kind in ["equal"] * 5 + ["apart"] * 5:
        run.take(prices_of(rng, kind, 10, 30), np.ones(10))
        if run.t >= 40:
            assert run.best(in_order(30), 20) == run.expected(in_order(30), 20)


def test_a_cleared_table_begins_anew():
    """Few agents first, then as many as before: nothing of the old ticks shows up beside them."""
    run = Run(6, 2)
    rng = np.random.default_rng(0)
    for _ in range(5):
        run.take(prices_of(rng, "equal", 2, SIDE + 20), np.ones(2))
    assert run.best(in_order(SIDE + 20), 1)[0][0] == 6
    run.table.clear()
    run.t += 1000
    run.used = 0
    for n in (3, 20, 40, SIDE + 20):
        run.take(prices_of(rng, "some", 2, n), np.ones(2))
    nodes = in_order(SIDE + 20)
    assert run.best(nodes, 500) == run.expected(nodes, 500)


@pytest.mark.parametrize("kind", ["apart", "equal", "some"])
def test_any_number_of_threads_gives_the_same(kind):
    n, ticks = (4 * SIDE + 3, 3) if INTERPRETED else (6 * SIDE + 3, 10)
    runs = [Run(2 * ticks + 1, ticks, threads) for threads in (1, 2, 3)]
    frames = []
    for run in runs:
        rng = np.random.default_rng(5)
        for _ in range(4):
            run.take(prices_of(rng, kind, ticks, n), np.ones(ticks))
            if run.t > 2 * ticks:
                frames.append(run.best(in_order(n), 500))
    assert len(frames) == 6
    assert frames[:2] == frames[2:4] == frames[4:]
    assert frames[1] == runs[0].expected(in_order(n), 500)


# ---- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("agents", [1, SIDE, PRICED_UP_TO, PRICED_UP_TO + 1, 5 * SIDE])
@pytest.mark.parametrize(("W", "stride"), [(30, 5), (30, 15), (30, 40)])
def test_the_memory_that_is_stated_is_what_the_table_takes(agents, W, stride):
    table = PairTable(W, stride, NO_LIMIT, crew=Crew(1))
    table.make_room(agents, agents)
    ticks = table._ticks
    if isinstance(ticks, PricedTicks):
        kept = (ticks.price, ticks.eps, *ticks._near)
    else:
        kept = (*ticks._ring, *ticks._benches[0])
    rooms = (table._counts, table._maxima, *kept)
    assert pair_table_bytes(agents, kept_ticks(W, stride)) == sum(room.nbytes for room in rooms)


@given(st.integers(0, 2**36), st.integers(1, 2**17))
def test_the_most_agents_fit_and_one_more_does_not(budget, ticks):
    most = most_agents(budget, ticks)
    assert most == 0 or pair_table_bytes(most, ticks) <= budget
    assert most == MOST_SLOTS or pair_table_bytes(most + 1, ticks) > budget


def test_a_refusal_names_the_memory_or_the_slots_whichever_is_the_limit():
    table = PairTable(30, 5, 10 * 2**20)
    assert re.fullmatch(
        r"the proximity rule 'pairs' would need 4,186 MiB of the 10 MiB it may take; "
        r"raise pair_budget_bytes \(IG_CAM_PAIR_BUDGET_BYTES\) or choose .*",
        table.limit(MOST_SLOTS),
    )
    rich = PairTable(30, 5, 2**40)
    assert rich.most_agents == MOST_SLOTS
    for refusing in (table, rich):
        refusal = refusing.limit(MOST_SLOTS + 1)
        assert refusal.startswith("the proximity rule 'pairs' counts 65535 agents at most, ")
        assert "neighbors" in refusal
        assert "pair_budget_bytes" not in refusal


def test_room_is_made_a_block_at_a_time():
    table = PairTable(30, 5, NO_LIMIT)
    sizes = []
    for used in range(0, 3 * SIDE + 1, 16):
        table.make_room(used, 10_000)
        sizes.append(table._counts.size // SIDE**2)
    assert [size for size, _ in itertools.groupby(sizes)] == [0, 1, 3, 6]
