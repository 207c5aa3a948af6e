"""What the V5 market is at the end of a tick, and its JSON form, exact to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.saved_state import SavedState, array_from_text, array_to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["VALUES", "SavedMarket"]

VALUES: Final = 5
"""Numbers in the `state` vector of the market's kernels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMarket(SavedState):
    """All that the ticks to come depend on, beside the market's arguments.

    Attributes:
        values: float64[5], the market's state.
        experience: float64[N].

    The others are those of `SavedState`.
    """

    values: NDArray[np.float64]
    experience: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return it as what JSON can express, as `SavedState` does."""
        return SavedState.to_dict(self) | {
            "values": array_to_text(self.values, "<f8"),
            "experience": array_to_text(self.experience, "<f8"),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> SavedMarket:
        """Read what `to_dict` returned.

        Raises:
            LimitError: a field is missing or is not what it must be; names it.
        """
        common = SavedState.from_dict(saved)
        size = common.agent_id.size
        return cls(
            **common.fields(),
            values=array_from_text(saved, "values", "<f8", np.float64, VALUES),
            experience=array_from_text(saved, "experience", "<f8", np.float64, size),
        )
