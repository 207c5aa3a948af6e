"""What the embedded market is at the end of a tick, and its JSON form, exact to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.limits import whole_number
from marketcam.engine.market_kernels import DIFFERENCES
from marketcam.engine.saved_numbers import (
    array_from_text,
    array_to_text,
    generator_from_dict,
    generator_to_dict,
    population_from_dict,
)
from marketcam.engine.tick import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["VALUES", "SavedMarket"]

VALUES: Final = 5
"""Numbers in the `state` vector of the market's kernels."""


@dataclass(frozen=True, slots=True)
class SavedMarket:
    """All that the ticks to come depend on, beside the market's arguments.

    Holding one costs no copy of the agents: a market makes new arrays of them, it never changes
    those it has handed out.

    Attributes:
        t: the next tick.
        generator: the random generator's state, as NumPy's `PCG64` gives it.
        values: float64[5], the market's state.
        differences: float64[19], the ring of price changes.
        agent_id: int64[N].
        experience: float64[N].
        newcomer: the number that the next agent to join is given.
    """

    t: int
    generator: Mapping[str, Any]
    values: NDArray[np.float64]
    differences: NDArray[np.float64]
    agent_id: NDArray[np.int64]
    experience: NDArray[np.float64]
    newcomer: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as what JSON can express: arrays as base64 of little-endian numbers.

        Cost: about 5 ns an agent; the text has 22 bytes an agent.
        """
        return {
            "t": self.t,
            "generator": generator_to_dict(self.generator),
            "values": array_to_text(self.values, "<f8"),
            "differences": array_to_text(self.differences, "<f8"),
            "agent_id": array_to_text(self.agent_id, "<i8"),
            "experience": array_to_text(self.experience, "<f8"),
            "newcomer": self.newcomer,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> SavedMarket:
        """Read what `to_dict` returned.

        Raises:
            LimitError: a field is missing or is not what it must be; names it.
        """
        agent_id, newcomer = population_from_dict(saved)
        return cls(
            t=whole_number("t", saved.get("t"), 0, MAX_ID),
            generator=generator_from_dict(saved.get("generator")),
            values=array_from_text(saved, "values", "<f8", np.float64, VALUES),
            differences=array_from_text(saved, "differences", "<f8", np.float64, DIFFERENCES),
            agent_id=agent_id,
            experience=array_from_text(saved, "experience", "<f8", np.float64, agent_id.size),
            newcomer=newcomer,
        )
