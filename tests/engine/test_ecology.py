"""The ecology against its plain twin, and what it promises about its ticks."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from marketcam.engine import ecology_kernels
from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.ecology_climate import Climate
from marketcam.engine.ecology_rules import (
    CHARTIST,
    FUNDAMENTALIST,
    MAKER,
    NOISE,
    group_of,
    traits_of,
)
from marketcam.engine.market_kernels import HIGH
from marketcam.engine.tick import POOL, Tick
from tests import ecology_twin
from tests.conftest import INTERPRETED

pytestmark = pytest.mark.kernel


def test_the_groups_are_the_last_digits():
    ids = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 999, 123_450, 123_451])
    letters = {MAKER: "M", FUNDAMENTALIST: "F", CHARTIST: "C", NOISE: "N"}
    named = [letters[group] for group in group_of(ids).tolist()]
    assert named == [ecology_twin.group_of(agent) for agent in ids.tolist()]


def test_the_fundamentalists_are_right_on_the_whole():
    ids = np.arange(100_000)
    views = traits_of(ids)[group_of(ids) == 1]
    assert views.mean() == pytest.approx(0, abs=1e-6)
    assert np.abs(views).max() == pytest.approx(0.02, rel=1e-3)


def test_what_is_earned_is_the_return_of_the_price_within_its_range():
    market = EcologyMarket(30, 1)
    market._climate = Climate(price=HIGH, value=1.5 * HIGH)
    market._held[:] = 1
    tick = market.step()
    assert tick.mid > HIGH
    assert market._climate.price == HIGH
    assert market._fitness.tolist() == market._edge.tolist()


def test_a_trade_is_of_a_buyer_and_a_seller_whose_prices_meet():
    for tick in islice(EcologyMarket(200, 2), 200):
        assert tick.mid is not None
        agents, counts = np.unique(tick.matches[tick.matches != POOL], return_counts=True)
        assert (counts == 1).all()
        assert np.isin(agents, tick.agent_id[tick.side > 0]).all()
        buyer, seller = tick.matches[tick.matches[:, 1] != POOL].T
        assert (tick.side[buyer] == 1).all()
        assert (tick.side[seller] == 2).all()
        assert (tick.price[buyer] >= tick.price[seller]).all()


def test_the_shape_of_a_tick():
    tick = EcologyMarket(50, 0).step()
    assert tick.t == 0
    dtypes = [a.dtype.str for a in (tick.agent_id, tick.experience, tick.side, tick.price)]
    assert dtypes == ["<i8", "<f8", "|i1", "<f8"]
    assert tick.matches.dtype == np.int64
    assert set(tick.side.tolist()) == {0, 1, 2}
    assert tick.mid == np.median(tick.price[tick.side > 0])
    assert type(tick.mid) is float
    assert tick.state is not None
    assert [type(value) for value in tick.state] == [float] * 4
    again = Tick.from_dict(tick.to_dict())
    quoted = tick.side > 0
    assert (again.price[quoted] == tick.price[quoted]).all()
    assert (again.t, again.mid, again.state) == (tick.t, tick.mid, tick.state)


@pytest.mark.parametrize("agents", [3, 11, 60])
def test_all_numbers_stay_in_their_ranges(agents):
    for tick in islice(EcologyMarket(agents, 3, adjust_interval=7), 1000):
        assert tick.state is not None
        assert 0 <= tick.state.price_norm <= 1
        assert 0 <= tick.state.volatility <= 1
        assert 0 <= tick.state.liquidity <= 1
        assert -1 <= tick.state.imbalance <= 1
        assert tick.experience.min() > 0
        assert tick.experience.max() < 1
        assert (np.isfinite(tick.price) == (tick.side > 0)).all()


def test_a_value_far_from_the_price_pulls_it_back():
    """Whatever state it begins in, the market goes back to its center."""
    market = EcologyMarket(40, 1)
    market.restore(replace(market.state(), climate=Climate(price=60_000.0, value=40_000.0)))
    mids = [tick.mid for tick in islice(market, 3000)]
    assert 40_000 < min(mids) < 44_000  # the value was there at first, and comes back slowly
    assert all(46_000 < mid < 54_000 for mid in mids[-500:])


def test_agents_join_and_leave_but_for_the_first_three():
    population, joined, left = list(range(40)), 0, 0
    for tick in islice(EcologyMarket(40, 0, adjust_interval=1), 1500):
        ids = tick.agent_id.tolist()
        joined += len(set(ids) - set(population))
        left += len(set(population) - set(ids))
        assert ids[:3] == [0, 1, 2]
        population = ids
    assert left >= 4
    assert joined >= 2
    assert population[-1] == 39 + joined


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")
def test_one_tick_compiles_all_that_any_market_needs():
    EcologyMarket(3).step()
    public = [getattr(ecology_kernels, name) for name in ecology_kernels.__all__]
    kernels = [kernel for kernel in public if hasattr(kernel, "signatures")]
    assert len(kernels) == 5
    compiled = [len(kernel.signatures) for kernel in kernels]
    assert max(compiled) == 1  # 0: it was loaded within the one that calls it
    for agents, pool_only in [(4, False), (30, True), (3000, False)]:
        list(islice(EcologyMarket(agents, 1, 1, pool_only=pool_only), 30))
    assert [len(kernel.signatures) for kernel in kernels] == compiled
