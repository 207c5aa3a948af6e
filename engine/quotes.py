"""Quotes as the proximity rules take them: one tick's by agent, or a block of ticks' by slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["QuoteBlock", "Quotes", "quoted_prices"]


class Quotes(NamedTuple):
    """Columns of length N, one row an agent that the tick names.

    Attributes:
        slots: int32, the agents' slots.
        ids: int64, the agents' ids.
        side: int8, 0 none, 1 buy, 2 sell.
        price: float64, NaN where the agent does not quote.
        mid: the tick's mid, its own or carried, or None.
    """

    slots: NDArray[np.int32]
    ids: NDArray[np.int64]
    side: NDArray[np.int8]
    price: NDArray[np.float64]
    mid: float | None


class QuoteBlock(NamedTuple):
    """The quotes of a few consecutive ticks, by slot.

    A block has room for B ticks and may hold fewer. Of its arrays, only the first `size` rows and
    the first `used` columns mean anything.

    Attributes:
        t: the first tick.
        size: ticks, from 1 to B.
        price: float64[B, capacity], NaN where the agent does not quote.
        side: int8[B, capacity], 0 none, 1 buy, 2 sell.
        eps: float64[B], how far apart two prices within reach may be, ``eps_pct * mid``; NaN for
            a tick that makes no pairs, its mid being unknown or not above 0.
        ids: int64[capacity], the agents that hold the slots.
        used: slots handed out so far; those beyond never were.
    """

    t: int
    size: int
    price: NDArray[np.float64]
    side: NDArray[np.int8]
    eps: NDArray[np.float64]
    ids: NDArray[np.int64]
    used: int


@kernel
def quoted_prices(
    side: NDArray[np.int8], price: NDArray[np.float64], quoted: NDArray[np.float64]
) -> None:
    """Write to `quoted` the prices of buys and sells, NaN for the others."""
    for k in range(side.size):
        quoted[k] = price[k] if side[k] != 0 else np.nan
