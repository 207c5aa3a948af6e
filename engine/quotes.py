"""One tick's quotes, as the proximity rules take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Quotes", "quoted_prices"]


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


@kernel
def quoted_prices(
    side: NDArray[np.int8], price: NDArray[np.float64], quoted: NDArray[np.float64]
) -> None:
    """Write to `quoted` the prices of buys and sells, NaN for the others."""
    for k in range(side.size):
        quoted[k] = price[k] if side[k] != 0 else np.nan
