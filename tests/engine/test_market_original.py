"""The market's rules against 3,000 recorded ticks of the original simulator.

What is decided by the rules alone (experience, state, mid) must come out exactly; fills are
random, and must be as frequent as the rules say.
"""

from __future__ import annotations

import json
import math
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from tests.market_twin import PlainState, adjustment, chaos, fill_probability, learned
from tests.original_ticks import ORIGINAL_TICKS, needs_original_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_original_ticks


def recorded_ticks() -> Iterator[dict[str, Any]]:
    with zstandard.open(ORIGINAL_TICKS, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def test_the_rules_are_the_originals():
    state = PlainState()
    experience: dict[str, float] = {}
    expected_change = "stay"
    surplus = variance = 0.0
    for raw in recorded_ticks():
        t, actions = raw["t"], raw["actions"]
        joined = actions.keys() - experience.keys()
        left = experience.keys() - actions.keys()
        assert (len(joined), len(left)) == {
            "join": (1, 0), "leave": (0, 1), "stay": (0, 0),
        }[expected_change] or t == 0  # fmt: skip
        experience = {agent: experience.get(agent, 0.0) for agent in actions}
        filled = {str(a) for a, _ in raw["matches"]}

        prices = [action["price"] for action in actions.values()]
        buys = sum(action["side"] == "buy" for action in actions.values())
        level = chaos(t, prices, buys, sum(experience.values()) / len(experience))
        for agent, action in actions.items():
            chance = fill_probability(action["price"], level, state)
            surplus += (agent in filled) - chance
            variance += chance * (1 - chance)
            experience[agent] = learned(experience[agent], agent in filled, state)
        state.update(buys, len(actions) - buys, len(filled))

        assert raw["agents"] == pytest.approx(experience, rel=1e-12, abs=1e-12)
        assert raw["mid"] == median(prices)
        seen = [raw["s"][name] for name in ("price_norm", "volatility", "liquidity", "imbalance")]
        ours = [state.price_norm, state.volatility, state.liquidity, state.imbalance]
        assert seen == pytest.approx(ours, rel=1e-9, abs=1e-12)
        adjusting = t > 0 and t % 60 == 0
        expected_change = adjustment(list(experience.values()), None) if adjusting else "stay"
    assert abs(surplus) / math.sqrt(variance) < 4
