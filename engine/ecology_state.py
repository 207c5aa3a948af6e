"""What the ecology is at the end of a tick, and its JSON form, exact to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.ecology_climate import Climate
from marketcam.engine.ecology_rules import RESIDENTS
from marketcam.engine.errors import LimitError
from marketcam.engine.market_kernels import HIGH, LOW
from marketcam.engine.saved_state import SavedState, array_from_text, array_to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["SavedEcology"]

_CLIMATE: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedEcology(SavedState):
    """All that the ticks to come depend on, beside the market's arguments.

    Attributes:
        climate: what all agents see alike.
        fitness: float64[N].
        held: int8[N], 0 nothing, 1 long, 2 short.

    The others are those of `SavedState`.
    """

    climate: Climate
    fitness: NDArray[np.float64]
    held: NDArray[np.int8]

    def to_dict(self) -> dict[str, Any]:
        """Return it as what JSON can express, as `SavedState` does."""
        return SavedState.to_dict(self) | {
            "climate": array_to_text(self.climate.to_array(), "<f8"),
            "fitness": array_to_text(self.fitness, "<f8"),
            "held": array_to_text(self.held, "|i1"),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> SavedEcology:
        """Read what `to_dict` returned.

        Raises:
            LimitError: a field is missing or is not what it must be; names it.
        """
        common = SavedState.from_dict(saved)
        if common.agent_id[:RESIDENTS].tolist() != list(range(RESIDENTS)):
            raise LimitError("agent_id must begin with 0, 1 and 2, who never leave")
        size = common.agent_id.size
        return cls(
            **common.fields(),
            climate=_climate(saved),
            fitness=array_from_text(saved, "fitness", "<f8", np.float64, size),
            held=_held(saved, size),
        )


def _climate(saved: Mapping[str, Any]) -> Climate:
    values = array_from_text(saved, "climate", "<f8", np.float64, _CLIMATE)
    climate = Climate(*values.tolist())
    if not LOW <= climate.price <= HIGH or not climate.turbulence > 0.0:
        raise LimitError(
            f"climate must have a price of {LOW:g} to {HIGH:g} and a turbulence above 0, got "
            f"{climate.price:g} and {climate.turbulence:g}"
        )
    return climate


def _held(saved: Mapping[str, Any], size: int) -> NDArray[np.int8]:
    held = array_from_text(saved, "held", "|i1", np.int8, size)
    if ((held < 0) | (held > 2)).any():
        raise LimitError("held must hold 0, 1 and 2 only")
    return held
