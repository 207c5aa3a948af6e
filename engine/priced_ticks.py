"""Counting by the prices themselves, while agents are few.

What ranks save at every comparison, they cost in sorting. Up to some hundred agents it is faster to
compare prices, sixteen to a step, than to rank them and compare ranks, sixty-four to a step.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from marketcam.engine.jit import kernel
from marketcam.engine.lanes import FEW_LANES, SIDE, change_close
from marketcam.engine.tile_counts import TICKS_A_PASS, Change

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.quotes import QuoteBlock
    from marketcam.engine.tile_counts import Tables

__all__ = ["PRICED_UP_TO", "PricedTicks", "priced_bytes"]

PRICED_UP_TO: Final = 2 * SIDE
"""Slots up to which prices are compared rather than ranks."""

_Quotes: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64]]"
"""Prices by tick and slot, NaN where a slot's agent does not quote, and eps by tick."""


def priced_bytes(slots: int, ticks: int) -> int:
    """Return the memory of `PricedTicks` of `ticks` rows."""
    return (ticks + TICKS_A_PASS) * (slots + 1) * 8


class PricedTicks:
    """The quotes of the last ticks, kept as prices.

    Attributes:
        price: float64[rows, slots], by ``t % rows``, NaN where a slot's agent does not quote.
        eps: float64[rows], NaN for a tick that makes no pairs.
    """

    def __init__(self, rows: int, slots: int) -> None:
        self.price = np.full((rows, slots), math.nan)
        self.eps = np.full(rows, math.nan)
        self._near = np.empty((TICKS_A_PASS, slots)), np.empty(TICKS_A_PASS)

    def clear(self) -> None:
        """Forget the ticks."""
        self.eps.fill(math.nan)

    def widen(self, slots: int) -> None:
        """Make room for `slots` slots, a multiple of `SIDE`."""
        price, had = self.price, self.price.shape[1]
        self.price = np.full((len(price), slots), math.nan)
        self.price[:, :had] = price
        self._near = np.empty((TICKS_A_PASS, slots)), np.empty(TICKS_A_PASS)

    def take(self, block: QuoteBlock) -> None:
        """Take in a block of ticks. Cost: O(ticks x used)."""
        quotes = block.price, block.eps
        keep_prices(quotes, block.t, block.size, block.used, (self.price, self.eps))

    def count(self, tables: Tables, change: Change, used: int) -> None:
        """Bring the counts up to date. Cost: O(used² x ticks)."""
        count_close(tables, (self.price, self.eps), change, used, self._near)


@kernel
def keep_prices(
    quotes: _Quotes,
    t: int,
    size: int,
    used: int,
    ring: _Quotes,
) -> None:
    """Copy `size` ticks' prices and eps, from tick `t` on, to their rows of the ring."""
    prices, eps = ring
    for k in range(size):
        row = (t + k) % eps.size
        prices[row, :used] = quotes[0][k, :used]
        prices[row, used:] = math.nan
        eps[row] = quotes[1][k]


@kernel
def lay_out_prices(
    ring: _Quotes,
    change: Change,
    used: int,
    near: _Quotes,
) -> tuple[int, int]:
    """Copy the ticks of a change side by side; return how many come, and how many in all.

    Only the slots in use are copied, and those that are compared along with them.
    """
    end = (used + FEW_LANES - 1) // FEW_LANES * FEW_LANES
    prices, eps = ring
    n_added = n = 0
    for k in range(change.more + change.fewer):
        t = change.begin + k if k < change.more else change.end + k - change.more
        row = t % eps.size
        if math.isnan(eps[row]):
            continue
        near[0][n, :end] = prices[row, :end]
        near[1][n] = eps[row]
        n += 1
        n_added += k < change.more
    return n_added, n


@kernel
def count_close(
    tables: Tables,
    ring: _Quotes,
    change: Change,
    used: int,
    near: _Quotes,
) -> None:
    """Bring all tiles up to date, and the greatest count of each of their rows.

    Does what `tile_counts.count_columns` does. `ring` is float64[rows, slots] prices and
    float64[rows] eps; `near` the same for `TICKS_A_PASS` ticks, as room to work in.
    """
    counts, maxima = tables
    ticks = lay_out_prices(ring, change, used, near)
    for block in range((used + SIDE - 1) // SIDE):
        left = block * SIDE
        right = min(left + SIDE, used)
        for i in range(right):
            begin = max(left, (i + 1) // FEW_LANES * FEW_LANES)
            at = (block * (block + 1) // 2 * SIDE + i) * SIDE
            most = 0
            for lane in range(begin, right, FEW_LANES):
                row = (at + lane - left, lane, i, i + 1 - lane)
                greatest = change_close(counts, row, near[0], near[1], ticks)
                most = greatest if greatest > most else most
            maxima[i, block] = most
