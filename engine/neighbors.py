"""The `neighbors` rule: agents next to each other in a side's price order, and within eps.

It costs O(N log N) a tick and memory for the pairs that occurred, never N². It is what the first
implementation did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine.edges import MOST_NODES, PROXIMITY, keys_from_counts
from marketcam.engine.jit import kernel
from marketcam.engine.pair_counts import PairCounts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.edges import NodeRows
    from marketcam.engine.quotes import Quotes

__all__ = ["NeighborCounts"]

_NO_PAIRS = np.empty((0, 2), dtype=np.int32)


class NeighborCounts:
    """Windowed counts of the pairs of slots that were neighbors."""

    def __init__(self, W: int, eps_pct: float) -> None:
        self._eps_pct = eps_pct
        self._counts = PairCounts(W)
        self._pairs = _NO_PAIRS

    @property
    def most_agents(self) -> int:
        """Agents a window can hold."""
        return MOST_NODES

    def limit(self, agents: int) -> str:
        """Say why `agents` agents are too many."""
        return f"a frame has at most {MOST_NODES} nodes, not {agents}"

    def clear(self) -> None:
        """Forget everything; the room stays."""
        self._counts.clear()

    def make_room(self, used: int, capacity: int) -> None:
        """Make room for a tick of `capacity` agents; how many are `used` does not matter."""
        if capacity > len(self._pairs):
            self._pairs = np.empty((capacity, 2), dtype=np.int32)

    def take(self, block):  # SHIM
        from marketcam.engine.quotes import Quotes

        for row in range(block.size):
            eps = block.eps[row]
            q = Quotes(
                np.arange(block.used, dtype=np.int32),
                block.ids[: block.used],
                block.side[row, : block.used],
                block.price[row, : block.used],
                None if np.isnan(eps) else 1.0,
            )
            self._eps = float(eps)
            self.add(block.t + row, q)

    def add(self, t: int, quotes: Quotes) -> None:
        """Take in the quotes of tick `t`, let go of those of ``t - W``. Cost: O(N log N)."""
        found = 0
        if quotes.mid is not None and quotes.mid > 0.0:
            order = quotes.price.argsort()
            sort_ties(order, quotes.ids, quotes.price)
            eps = self._eps
            found = adjacent(order, quotes.slots, quotes.side, quotes.price, eps, self._pairs)
        self._counts.advance(t, self._pairs[:found])

    def fill(self, first: int, t: int, used: int) -> None:
        """Do nothing: counts are always up to date."""

    def best(self, t0: int, t: int, used: int, nodes: NodeRows, most: int) -> NDArray[np.int64]:
        """Return the rank keys of the `most` best edges of the window, sorted."""
        return keys_from_counts(self._counts, PROXIMITY, nodes, most)


@kernel
def sort_ties(order: NDArray[np.int64], ids: NDArray[np.int64], price: NDArray[np.float64]) -> None:
    """Sort runs of equal prices in `order` by id, in place."""
    begin = 0
    for end in range(1, order.size + 1):
        if end < order.size and price[order[end]] == price[order[begin]]:
            continue
        if end - begin > 1:
            run = order[begin:end]
            run[:] = run[np.argsort(ids[run])]
        begin = end


@kernel
def adjacent(
    order: NDArray[np.int64],
    slots: NDArray[np.int32],
    side: NDArray[np.int8],
    price: NDArray[np.float64],
    eps: float,
    pairs: NDArray[np.int32],
) -> int:
    """Write the pairs of neighbors on each side; return how many.

    `order` sorts `price`, NaN last, ties by id.
    """
    found = 0
    last_buy = last_sell = -1
    for k in order:
        if np.isnan(price[k]):
            break
        before = last_buy if side[k] == 1 else last_sell
        if before >= 0 and price[k] - price[before] <= eps:
            pairs[found, 0] = slots[before]
            pairs[found, 1] = slots[k]
            found += 1
        if side[k] == 1:
            last_buy = k
        else:
            last_sell = k
    return found
