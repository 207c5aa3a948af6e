"""The last few ticks by slot: what is dealt with once a block rather than at every tick."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.quotes import QuoteBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MOST_TICKS", "TickBlock"]

MOST_TICKS: Final = 64
"""Ticks in a block at most: what is summed at once should stay near the processor."""


class TickBlock:
    """Room for a few consecutive ticks, one row a tick, one column a slot.

    A row holds every slot in use: those that a tick does not name are marked as absent.

    Attributes:
        size: ticks taken in.
        price: float64[B, capacity], NaN where the agent does not quote.
        side: int8[B, capacity], 0 none, 1 buy, 2 sell.
        experience: float64[B, capacity], NaN where unknown.
        mid: float64[B], NaN for a tick without one.
        eps: float64[B], NaN for a tick that makes no proximity pairs.

    Memory: 17 bytes a slot and tick.
    """

    def __init__(self, most_ticks: int) -> None:
        self.size = 0
        self.mid = np.full(most_ticks, math.nan)
        self.eps = np.full(most_ticks, math.nan)
        self._allocate(0)

    @property
    def arrays(self) -> tuple[NDArray[np.float64], ...]:
        """Price, side, experience, mid and eps, for kernels."""
        return self.price, self.side, self.experience, self.mid, self.eps  # type: ignore[return-value]

    def make_room(self, used: int, now_used: int, capacity: int) -> None:
        """Make room for `capacity` slots; those from `used` to `now_used` are new."""
        if capacity > self.price.shape[1]:
            old = self.price, self.side, self.experience
            self._allocate(capacity)
            for ours, theirs in zip((self.price, self.side, self.experience), old, strict=True):
                ours[: self.size, :used] = theirs[: self.size, :used]
        rows, columns = slice(0, self.size), slice(used, now_used)
        self.price[rows, columns] = math.nan
        self.side[rows, columns] = 0
        self.experience[rows, columns] = math.nan

    def quotes(self, last_t: int, ids: NDArray[np.int64], used: int) -> QuoteBlock:
        """Return the quotes of the ticks up to `last_t`; `ids` are the agents by slot."""
        first = last_t - self.size + 1
        return QuoteBlock(first, self.size, self.price, self.side, self.eps, ids, used)

    def _allocate(self, capacity: int) -> None:
        shape = self.mid.size, capacity
        self.price = np.empty(shape)
        self.side = np.empty(shape, dtype=np.int8)
        self.experience = np.empty(shape)
