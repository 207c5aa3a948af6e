"""What all embedded markets promise: the twin's ticks, a seed's ticks, unbroken by a restart."""

from __future__ import annotations

import json
import random
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.errors import LimitError
from marketcam.engine.market import InfiniteGameMarket
from marketcam.engine.scenarios import Scenario, saved_market
from marketcam.engine.tick import POOL
from tests.ecology_twin import PlainEcology
from tests.market_checks import assert_same, digest
from tests.market_twin import PlainMarket

if TYPE_CHECKING:
    from marketcam.engine.embedded import EmbeddedMarket
    from marketcam.engine.saved_state import SavedState

pytestmark = pytest.mark.kernel


class Case(NamedTuple):
    scenario: Scenario
    market: type[EmbeddedMarket]
    twin: type[Any]

    @property
    def least(self) -> int:
        return self.market.least_agents


CASES = [
    Case("v5", InfiniteGameMarket, PlainMarket),
    Case("ecology", EcologyMarket, PlainEcology),
]
of_all = pytest.mark.parametrize("case", CASES, ids=lambda case: case.scenario)


@pytest.mark.parametrize("pool_only", [False, True])
@pytest.mark.parametrize(
    ("more_agents", "adjust_interval", "ticks"),
    [(0, 3, 300), (1, 20, 400), (2, 60, 500), (4, 1, 300), (16, 4, 300), (73, 2, 200)],
)
@pytest.mark.parametrize("seed", [0, 7])
@of_all
def test_every_tick_is_the_twins(case, more_agents, adjust_interval, ticks, seed, pool_only):
    agents = case.least + more_agents
    market = case.market(agents, seed, adjust_interval, pool_only=pool_only)
    twin = case.twin(agents, seed, adjust_interval, pool_only=pool_only)
    for tick in islice(market, ticks):
        assert_same(tick, twin.step())


@st.composite
def asked(draw: st.DrawFn) -> tuple[Case, tuple[Any, ...], bool]:
    """A market, its arguments, and whether all fills are with the pool."""
    case = draw(st.sampled_from(CASES))
    agents = draw(st.integers(case.least, 50))
    room = draw(st.none() | st.integers(0, 5))
    seed, interval = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 30))
    arguments = (agents, seed, interval, None if room is None else agents + room)
    return case, arguments, draw(st.booleans())


@settings(max_examples=40, deadline=None)
@given(asked())
def test_any_market_is_the_twins(asked):
    case, arguments, pool_only = asked
    twin = case.twin(*arguments, pool_only=pool_only)
    for tick in islice(case.market(*arguments, pool_only=pool_only), 100):
        assert_same(tick, twin.step())


@of_all
def test_the_same_seed_gives_the_same_ticks_whatever_else_runs(case):
    quiet, noisy = case.market(30, 5, 3), case.market(30, 5, 3)
    expected = [digest(quiet.step()) for _ in range(50)]
    seen = []
    for _ in range(50):
        np.random.seed(1)  # noqa: NPY002 - the global state is what must not matter
        random.seed(1)
        case.market(4, 5).step()
        seen.append(digest(noisy.step()))
    assert seen == expected
    assert digest(case.market(30, 6, 3).step()) != expected[0]


@of_all
def test_the_pool_switch_changes_the_matches_and_nothing_else(case):
    paired, pooled = case.market(40, 9, 5), case.market(40, 9, 5, pool_only=True)
    for ours, original in islice(zip(paired, pooled, strict=True), 100):
        assert (original.matches[:, 1] == POOL).all()
        partners = ours.matches[ours.matches[:, 1] != POOL]
        assert len(partners) > 0
        fills = np.concatenate([ours.matches[:, 0], partners[:, 1]])
        assert sorted(fills.tolist()) == sorted(original.matches[:, 0].tolist())
        assert digest(ours)[:-1] == digest(original)[:-1]


@of_all
def test_a_tick_does_not_change_once_handed_out(case):
    market = case.market(20, 4, adjust_interval=1)
    ticks = list(islice(market, 60))
    again = case.market(20, 4, adjust_interval=1)
    assert [digest(tick) for tick in ticks] == [digest(again.step()) for _ in range(60)]


@of_all
def test_agent_ids_are_shared_while_the_population_stays(case):
    market = case.market(20, 4, adjust_interval=1000)
    assert market.step().agent_id is market.step().agent_id


@of_all
def test_nobody_joins_beyond_the_maximum(case):
    sizes = [tick.agent_id.size for tick in islice(case.market(3, 0, 1, 8), 2000)]
    assert max(sizes) == 8


@of_all
def test_closing_ends_the_iteration(case):
    market = case.market()
    ticks = iter(market)
    assert next(ticks).t == 0
    market.close()
    assert list(ticks) == []


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("agents", 0, "agents must be a whole number of {least} to 100000, got 0"),
        ("agents", 100_001, "agents must be a whole number of {least} to 100000, got 100001"),
        ("agents", 3.0, "agents must be a whole number of {least} to 100000, got 3.0"),
        ("agents", True, "agents must be a whole number of {least} to 100000, got True"),
        ("seed", -1, "seed must be a whole number of 0 to 4294967295, got -1"),
        ("seed", 2**32, "seed must be a whole number of 0 to 4294967295, got 4294967296"),
        ("adjust_interval", 0, "adjust_interval must be a whole number of 1 to 9007199254740991"),
        ("max_agents", 2, "max_agents must be a whole number of 3 to 9007199254740991, got 2"),
    ],
)
@of_all
def test_arguments_out_of_range_are_named(case, argument, value, message):
    with pytest.raises(LimitError) as refusal:
        case.market(**{argument: value})
    assert str(refusal.value).startswith(message.format(least=case.least))


@of_all
def test_numpy_integers_are_integers(case):
    given_as_numpy = case.market(np.int64(5), np.uint32(3), np.int16(7), np.int64(9))
    plain = case.market(5, 3, 7, 9)
    for _ in range(20):
        assert given_as_numpy.step().to_dict() == plain.step().to_dict()


def through_json(scenario: Scenario, saved: SavedState) -> SavedState:
    return saved_market(scenario, json.loads(json.dumps(saved.to_dict())))


@settings(max_examples=40, deadline=None)
@given(asked(), st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_a_restored_market_goes_on_as_if_it_had_never_stopped(asked, stops):
    case, arguments, pool_only = asked
    unbroken = case.market(*arguments, pool_only=pool_only)
    expected = [digest(tick) for tick in islice(unbroken, sum(stops) + 80)]
    market = case.market(*arguments, pool_only=pool_only)
    seen = []
    for stop in stops:
        seen += [digest(tick) for tick in islice(market, stop)]
        saved = through_json(case.scenario, market.state())
        market = case.market(*arguments, pool_only=pool_only)
        market.restore(saved)
    seen += [digest(tick) for tick in islice(market, 80)]
    assert seen == expected


@of_all
def test_what_was_saved_stands_while_the_market_goes_on(case):
    market = case.market(20, 1, 3)
    list(islice(market, 50))
    saved = market.state()
    text = json.dumps(saved.to_dict())
    expected = [digest(tick) for tick in islice(market, 200)]
    assert json.dumps(saved.to_dict()) == text
    again = case.market(20, 1, 3)
    again.restore(saved)
    assert [digest(tick) for tick in islice(again, 200)] == expected


@of_all
def test_a_market_with_less_room_refuses_the_agents(case):
    saved = case.market(30).state()
    with pytest.raises(LimitError, match="saved agents must be 20 at most, got 30"):
        case.market(3, max_agents=20).restore(saved)
