"""The embedded market against its plain twin, and what it promises about its ticks."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketcam.engine import market_kernels
from marketcam.engine.market import InfiniteGameMarket
from marketcam.engine.market_kernels import MAX_BUCKETS, median
from marketcam.engine.tick import POOL, Tick
from tests.conftest import INTERPRETED
from tests.market_checks import EXACT, digest
from tests.market_twin import PlainMarket

pytestmark = pytest.mark.kernel


def test_the_multiplier_falls_every_ten_thousand_ticks_as_the_twins():
    market, twin = InfiniteGameMarket(6, 3), PlainMarket(6, 3)
    market._t = twin.t = 29_990
    twin.state.history = [0.5]
    for tick in islice(market, 30):
        plain = twin.step()
        assert [tuple(match) for match in tick.matches.tolist()] == plain.matches


def test_a_seed_means_the_same_market_in_every_release():
    *_, last = islice(InfiniteGameMarket(5, 42, 100), 1000)
    assert last.agent_id.size == 14
    assert last.mid == pytest.approx(46751.246682763434, rel=EXACT)
    assert last.matches.tolist() == [[2, 1], [4, 7], [6, 13], [12, POOL]]
    assert last.state == pytest.approx(
        (0.4920117542523265, 0.0014574961485814702, 0.5, -0.14285713265306196), rel=1e-9
    )


def test_pairs_are_of_a_buyer_and_a_seller_and_the_pool_gets_one_side():
    for tick in islice(InfiniteGameMarket(60, 2), 100):
        side = dict(zip(tick.agent_id.tolist(), tick.side.tolist(), strict=True))
        paired = [(a, b) for a, b in tick.matches.tolist() if b != POOL]
        assert all((side[a], side[b]) == (1, 2) for a, b in paired)
        assert len({side[a] for a, b in tick.matches.tolist() if b == POOL}) <= 1


def test_every_possible_pair_meets_equally_often():
    """Three filled buys and two filled sells or so: no place in the list is favoured."""
    met = np.zeros((8, 8))
    for tick in islice(InfiniteGameMarket(8, 1, adjust_interval=10**9), 20_000):
        pairs = tick.matches[tick.matches[:, 1] != POOL]
        np.add.at(met, (pairs[:, 0], pairs[:, 1]), 1)
    off_diagonal = met[~np.eye(8, dtype=bool)]
    assert (np.diag(met) == 0).all()
    mean = off_diagonal.mean()
    assert np.abs(off_diagonal - mean).max() < 5 * np.sqrt(mean)


def test_newcomers_take_the_next_unused_number():
    seen: set[int] = set()
    population: list[int] = []
    left = joined = 0
    for tick in islice(InfiniteGameMarket(6, 0, adjust_interval=2), 800):
        ids = tick.agent_id.tolist()
        new = [agent for agent in ids if agent not in population]
        left += len([agent for agent in population if agent not in ids])
        joined += len(new)
        assert all(agent == len(seen) + k for k, agent in enumerate(new))
        seen.update(ids)
        population = ids
    assert left >= 4
    assert joined > 6 + left


def test_the_shape_of_a_tick():
    tick = InfiniteGameMarket(5, 0).step()
    assert tick.t == 0
    dtypes = [a.dtype.str for a in (tick.agent_id, tick.experience, tick.side, tick.price)]
    assert dtypes == ["<i8", "<f8", "|i1", "<f8"]
    assert tick.matches.dtype == np.int64
    assert tick.matches.shape[1] == 2
    assert tick.mid == np.median(tick.price)
    assert type(tick.mid) is float
    assert tick.state is not None
    assert [type(value) for value in tick.state] == [float] * 4
    assert tick.state.volatility == 0.3
    again = Tick.from_dict(tick.to_dict())
    assert digest(again) == digest(tick)


def test_a_large_market_is_consistent():
    tick = InfiniteGameMarket(5000, 1).step()
    assert tick.mid == np.median(tick.price)
    fills = len(tick.matches) + np.count_nonzero(tick.matches[:, 1] != POOL)
    assert tick.state is not None
    assert tick.state.liquidity == fills / 5000


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")
def test_one_tick_compiles_all_that_any_market_needs():
    InfiniteGameMarket(1).step()
    public = [getattr(market_kernels, name) for name in market_kernels.__all__]
    kernels = [kernel for kernel in public if hasattr(kernel, "signatures")]
    assert len(kernels) == 7
    compiled = [len(kernel.signatures) for kernel in kernels]
    assert max(compiled) == 1  # 0: it was loaded within the one that calls it
    for agents, pool_only in [(2, False), (30, True), (3000, False)]:
        list(islice(InfiniteGameMarket(agents, 1, 1, pool_only=pool_only), 30))
    assert [len(kernel.signatures) for kernel in kernels] == compiled


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(40_000, 60_000), min_size=1, max_size=70))
def test_median_is_exact(prices):
    values = np.array(prices)
    counts = np.empty(min(values.size, MAX_BUCKETS), dtype=np.int64)
    assert median(values, counts, np.empty(values.size)) == np.median(values)


@pytest.mark.parametrize("n", [MAX_BUCKETS - 1, MAX_BUCKETS, 5000])
def test_median_of_many_is_exact(n):
    values = np.random.default_rng(n).uniform(40_000, 60_000, n)
    counts = np.empty(min(n, MAX_BUCKETS), dtype=np.int64)
    assert median(values, counts, np.empty(n)) == np.median(values)
