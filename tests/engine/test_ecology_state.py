"""An ecology that was saved and restored against one that was never stopped."""

from __future__ import annotations

import base64
import json
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.ecology_state import SavedEcology
from marketcam.engine.errors import LimitError
from tests.market_checks import digest

pytestmark = pytest.mark.kernel


def through_json(saved: SavedEcology) -> SavedEcology:
    return SavedEcology.from_dict(json.loads(json.dumps(saved.to_dict())))


@settings(max_examples=40, deadline=None)
@given(
    agents=st.integers(3, 60),
    seed=st.integers(0, 2**32 - 1),
    adjust_interval=st.integers(1, 30),
    room=st.none() | st.integers(0, 5),
    pool_only=st.booleans(),
    stops=st.lists(st.integers(0, 60), min_size=1, max_size=4),
)
def test_a_restored_market_goes_on_as_if_it_had_never_stopped(
    agents, seed, adjust_interval, room, pool_only, stops
):
    arguments = (agents, seed, adjust_interval, None if room is None else agents + room)
    unbroken = EcologyMarket(*arguments, pool_only=pool_only)
    expected = [digest(tick) for tick in islice(unbroken, sum(stops) + 80)]
    market = EcologyMarket(*arguments, pool_only=pool_only)
    seen = []
    for stop in stops:
        seen += [digest(tick) for tick in islice(market, stop)]
        saved = through_json(market.state())
        market = EcologyMarket(*arguments, pool_only=pool_only)
        market.restore(saved)
    seen += [digest(tick) for tick in islice(market, 80)]
    assert seen == expected


def test_what_was_saved_stands_while_the_market_goes_on():
    market = EcologyMarket(20, 1, 3)
    list(islice(market, 50))
    saved = market.state()
    text = json.dumps(saved.to_dict())
    expected = [digest(tick) for tick in islice(market, 200)]
    assert json.dumps(saved.to_dict()) == text
    again = EcologyMarket(20, 1, 3)
    again.restore(saved)
    assert [digest(tick) for tick in islice(again, 200)] == expected


def spoiled(**fields: object) -> dict[str, object]:
    return EcologyMarket(3, 0).state().to_dict() | fields


def numbers(*values: float, form: str = "<f8") -> str:
    return base64.b64encode(np.array(values, dtype=form).tobytes()).decode()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"t": -1}, "t must be a whole number"),
        ({"generator": None}, "generator must be the state of a PCG64, got None"),
        ({"newcomer": 2}, "agent_id must be ascending numbers from 0 to below newcomer"),
        (
            {"agent_id": numbers(0, 1, 3, form="<i8"), "newcomer": 4},
            "agent_id must begin with 0, 1 and 2, who never leave",
        ),
        ({"fitness": numbers(0.5)}, "fitness must be base64 of 3 numbers <f8"),
        ({"fitness": numbers(0.5, np.nan, 0.1)}, "fitness must hold finite numbers only"),
        ({"held": numbers(0, 3, 1, form="|i1")}, "held must hold 0, 1 and 2 only"),
        ({"held": numbers(0, 1, form="|i1")}, "held must be base64 of 3 numbers |i1"),
        ({"differences": numbers(*range(18))}, "differences must be base64 of 19 numbers"),
        ({"climate": numbers(5e4, 5e4, 0, 0, 1e-4)}, "climate must be base64 of 6 numbers"),
        (
            {"climate": numbers(7e4, 5e4, 0, 0, 1e-4, 0.5)},
            "climate must have a price of 40000 to 60000 and a turbulence above 0, got 70000",
        ),
        ({"climate": numbers(5e4, 5e4, 0, 0, 0, 0.5)}, "and a turbulence above 0, got 50000 and 0"),
    ],
)
def test_what_cannot_be_a_market_is_refused_by_name(fields, message):
    with pytest.raises(LimitError) as refusal:
        SavedEcology.from_dict(spoiled(**fields))
    assert message in str(refusal.value)


def test_a_market_with_less_room_refuses_the_agents():
    saved = EcologyMarket(30).state()
    with pytest.raises(LimitError, match="saved agents must be 20 at most, got 30"):
        EcologyMarket(3, max_agents=20).restore(saved)
