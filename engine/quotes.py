"""Quotes as the proximity rules take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["QuoteBlock"]


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
