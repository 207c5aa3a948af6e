"""The light message of every tick: the market's state and three figures about its agents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from marketcam.engine.tick import MarketState

if TYPE_CHECKING:
    from marketcam.engine.tick import Tick

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One `metric` message. Floats are rounded to 6 decimals.

    Attributes:
        t: tick number.
        s: the market's state.
        n_agents: ids in `agents` or `actions`; the message's `N`.
        avg_exp: mean of the known experiences, 0.0 without any.
        matches_n: matches of the tick, those with the pool included.
    """

    t: int
    s: MarketState
    n_agents: int
    avg_exp: float
    matches_n: int

    @classmethod
    def of(cls, tick: Tick) -> Metric | None:
        """Take the metric of a tick, or None where the tick has no state. Cost: O(N)."""
        if tick.state is None:
            return None
        known = tick.experience[~np.isnan(tick.experience)]
        average = _mean(known.tolist()) if known.size else 0.0
        return cls(
            tick.t,
            MarketState(*map(_rounded, tick.state)),
            tick.agent_id.size,
            _rounded(average),
            len(tick.matches),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the message as a dict, fields in their published order."""
        return {
            "type": "metric",
            "t": self.t,
            "s": self.s._asdict(),
            "N": self.n_agents,
            "avg_exp": self.avg_exp,
            "matches_n": self.matches_n,
        }


def _mean(values: list[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # of the sum, not of the mean
        return math.fsum(value / len(values) for value in values)


def _rounded(value: float) -> float:
    return round(value, 6) + 0.0  # + 0.0 turns -0.0 into 0.0
