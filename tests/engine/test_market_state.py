"""A market that was saved and restored against one that was never stopped."""

from __future__ import annotations

import base64
import json
from itertools import islice

import numpy as np
import pytest

from marketcam.engine.errors import LimitError
from marketcam.engine.market import InfiniteGameMarket
from marketcam.engine.market_state import SavedMarket

pytestmark = pytest.mark.kernel


def through_json(saved: SavedMarket) -> SavedMarket:
    return SavedMarket.from_dict(json.loads(json.dumps(saved.to_dict())))


def test_the_population_grows_and_shrinks_across_a_restart():
    unbroken = InfiniteGameMarket(60, 3, 4)
    sizes = [tick.agent_id.size for tick in islice(unbroken, 1200)]
    market = InfiniteGameMarket(60, 3, 4)
    seen = []
    for _ in range(12):
        seen += [tick.agent_id.size for tick in islice(market, 100)]
        saved = through_json(market.state())
        market = InfiniteGameMarket(60, 3, 4)
        market.restore(saved)
    assert seen == sizes
    changes = set(np.sign(np.diff(sizes)).tolist())
    assert changes == {-1, 0, 1}  # some joined, some left


def test_the_generator_is_saved_to_the_last_of_its_128_bits():
    market = InfiniteGameMarket(1, 2**32 - 1)
    list(islice(market, 7))
    assert through_json(market.state()).generator == market.state().generator


def spoiled(**fields: object) -> dict[str, object]:
    return InfiniteGameMarket(3, 0).state().to_dict() | fields


def numbers(*values: float, form: str = "<f8") -> str:
    return base64.b64encode(np.array(values, dtype=form).tobytes()).decode()


GENERATOR = InfiniteGameMarket(1).state().to_dict()["generator"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"t": -1}, "t must be a whole number"),
        ({"t": None}, "t must be a whole number"),
        ({"newcomer": 2}, "agent_id must be ascending numbers from 0 to below newcomer"),
        ({"agent_id": numbers(2, 1, 0, form="<i8")}, "agent_id must be ascending"),
        ({"agent_id": ""}, "agent_id must be ascending"),
        ({"agent_id": "%"}, "agent_id must be base64 of numbers <i8, got '%'"),
        ({"experience": numbers(0.5)}, "experience must be base64 of 3 numbers <f8"),
        ({"experience": numbers(0.5, np.nan, 0.1)}, "experience must hold finite numbers only"),
        ({"values": "AAAA"}, "values must be base64 of 5 numbers <f8, got 'AAAA'"),
        ({"values": 5}, "values must be base64 of 5 numbers <f8, got 5"),
        ({"differences": numbers(*range(18))}, "differences must be base64 of 19 numbers"),
        ({"generator": None}, "generator must be the state of a PCG64, got None"),
        ({"generator": GENERATOR | {"bit_generator": "MT19937"}}, "generator must be the state"),
        ({"generator": GENERATOR | {"state": str(2**128)}}, "generator state must be the digits"),
        ({"generator": GENERATOR | {"inc": -1}}, "generator inc must be the digits of 128 bits"),
        ({"generator": GENERATOR | {"has_uint32": 2}}, "has_uint32 must be a whole number"),
        ({"generator": GENERATOR | {"uinteger": 2**32}}, "uinteger must be a whole number"),
    ],
)
def test_what_cannot_be_a_market_is_refused_by_name(fields, message):
    with pytest.raises(LimitError) as refusal:
        SavedMarket.from_dict(spoiled(**fields))
    assert message in str(refusal.value)
