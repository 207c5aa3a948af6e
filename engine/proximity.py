"""The `pairs` rule: in how many ticks of the window each two agents quoted within eps.

*Rank intervals.* Sort a tick's prices. The agents within eps of agent i are those whose rank
lies in one interval [low, low + width], found for all agents by one sweep of two pointers. "j is
within eps of i" is then one 16-bit subtraction and one unsigned comparison,
``uint16(rank_j - low_i) <= width_i``: exact, without branches, sixteen pairs to an AVX2 register,
and at a cost that does not depend on where the prices lie.

*Tiles.* Counts are uint16, one for every two slots, in square tiles (`tiles.py`). Once a stride a
pass over the tiles adds the new ticks and subtracts those that left, while a tile is in cache.
Counts are whole numbers: nothing drifts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.edges import keys_from_tiles
from marketcam.engine.jit import kernel
from marketcam.engine.tiles import TILE, most_agents, pair_table_bytes, tile_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.quotes import Quotes

__all__ = ["PairTable"]

_TILE: Final = TILE
_ABSENT: Final = 0xFFFF
_RANK: Final = 0
_LOW: Final = 1
_WIDTH: Final = 2


class PairTable:
    """Windowed counts of all pairs of slots, updated once a stride.

    Memory: `pair_table_bytes` for the counts and 6 bytes a slot and tick for the ranks, the
    ticks being ``W + stride``.
    """

    def __init__(self, W: int, stride: int, eps_pct: float, budget: int) -> None:
        self._W = W
        self._eps_pct = eps_pct
        self._budget = budget
        # Adding and taking away 2 * stride ticks must cost less than counting W anew.
        self._incremental = 2 * stride < W
        self._rows = W + stride if self._incremental else W
        self._quotes = np.zeros(self._rows, dtype=np.int64)
        self._ranks = np.empty((self._rows, 3, 0), dtype=np.uint16)
        self._ordered = np.empty(0)
        self._tiles = np.zeros((0, TILE, TILE), dtype=np.uint16)
        self.clear()

    def clear(self) -> None:
        """Forget everything; the room stays."""
        self._quotes.fill(0)
        self._tiles.fill(0)
        self._counted_from = self._counted_to = 0  # half-open range of the ticks counted

    @property
    def most_agents(self) -> int:
        """Agents a window can hold within the budget."""
        return most_agents(self._budget)

    def limit(self, agents: int) -> str:
        """Say what `agents` agents would need, and the ways out."""
        return (
            f"the proximity rule 'pairs' would need {pair_table_bytes(agents) / 2**20:,.0f} MiB of "
            f"the {self._budget / 2**20:,.0f} MiB it may take; raise pair_budget_bytes "
            "(IG_CAM_PAIR_BUDGET_BYTES) or choose the rule 'neighbors' (IG_CAM_PROXIMITY)"
        )

    def make_room(self, used: int, capacity: int) -> None:
        """Make room for `capacity` slots, `used` of them in use."""
        old = self._ranks
        if capacity > old.shape[2]:
            self._ranks = np.full((self._rows, 3, capacity), _ABSENT, dtype=np.uint16)
            self._ranks[:, :, : old.shape[2]] = old
            self._ordered = np.empty(capacity)
        needed = tile_count(used)
        if needed > len(self._tiles):
            tiles = np.zeros((max(needed, 2 * len(self._tiles)), TILE, TILE), dtype=np.uint16)
            tiles[: len(self._tiles)] = self._tiles
            self._tiles = tiles

    def add(self, t: int, quotes: Quotes) -> None:
        """Take in the quotes of tick `t`. Cost: O(N log N)."""
        place = t % self._rows
        self._quotes[place] = 0
        if quotes.mid is None or quotes.mid <= 0.0:
            return
        ranks = self._ranks[place]
        ranks[_RANK].fill(_ABSENT)
        eps = self._eps_pct * quotes.mid
        order = quotes.price.argsort()
        self._quotes[place] = rank_intervals(
            order, quotes.price, quotes.slots, eps, self._ordered, ranks
        )

    def count(self, t0: int, t: int, used: int) -> None:
        """Bring the counts to the ticks from `t0` to `t`, both included.

        Cost: O(used² x ticks added and taken away).
        """
        kept = self._incremental and t0 <= self._counted_to
        if not kept or t + 1 - self._counted_from > self._rows:
            self._tiles[: tile_count(used)].fill(0)
            self._counted_from = self._counted_to = t0
        added = self._places(self._counted_to, t + 1)
        removed = self._places(self._counted_from, t0)
        if added.size + removed.size:
            update_tiles(self._tiles, self._ranks, used, added, removed)
        self._counted_from, self._counted_to = t0, t + 1

    def fill(self, first: int, t: int, used: int) -> None:
        """Count ahead while the window still fills, so that the first frame is not late."""
        if self._incremental:
            self.count(first, t, used)

    def best(
        self, t0: int, t: int, used: int, node_of: NDArray[np.int32], most: int
    ) -> NDArray[np.int64]:
        """Return the rank keys of the `most` best edges of the window from `t0` to `t`, sorted."""
        self.count(t0, t, used)
        return keys_from_tiles(self._tiles, self._W, node_of, used, most)

    def _places(self, begin: int, end: int) -> NDArray[np.int64]:
        """Return the rows of the ticks in [begin, end) in which any two agents quoted."""
        places = np.arange(begin, end, dtype=np.int64) % self._rows
        return places[self._quotes[places] > 1]


@kernel
def rank_intervals(
    order: NDArray[np.int64],
    price: NDArray[np.float64],
    slots: NDArray[np.int32],
    eps: float,
    ordered: NDArray[np.float64],
    ranks: NDArray[np.uint16],
) -> int:
    """Fill ranks uint16[3, capacity] (rank, low, width by slot); return the number of quotes.

    `order` sorts `price`, NaN last; `ordered` is room for the sorted prices.
    """
    quotes = 0
    for k in range(order.size):
        p = price[order[k]]
        if np.isnan(p):
            break
        ordered[k] = p
        quotes += 1
    low = high = 0
    for k in range(quotes):
        while ordered[k] - ordered[low] > eps:
            low += 1
        while high + 1 < quotes and ordered[high + 1] - ordered[k] <= eps:
            high += 1
        slot = slots[order[k]]
        ranks[_RANK, slot] = k
        ranks[_LOW, slot] = low
        ranks[_WIDTH, slot] = high - low
    return quotes


# In the next two, numbers are widened so that interpreted Python computes as compiled code does;
# LLVM narrows them again to 16 bits and vectorizes.


@kernel
def count_within(
    counts: NDArray[np.uint16], ranks: NDArray[np.uint16], low: int, width: int
) -> None:
    """Add 1 to the count of every rank in [low, low + width], modulo 2**16."""
    for j in range(counts.size):
        counts[j] = np.int64(counts[j]) + (((np.int64(ranks[j]) - low) & _ABSENT) <= width)


@kernel
def uncount_within(
    counts: NDArray[np.uint16], ranks: NDArray[np.uint16], low: int, width: int
) -> None:
    """Take 1 from the count of every rank in [low, low + width], modulo 2**16."""
    for j in range(counts.size):
        counts[j] = np.int64(counts[j]) - (((np.int64(ranks[j]) - low) & _ABSENT) <= width)


@kernel
def update_tiles(
    tiles: NDArray[np.uint16],
    ranks: NDArray[np.uint16],
    used: int,
    added: NDArray[np.int64],
    removed: NDArray[np.int64],
) -> None:
    """Add and subtract the ticks at rows `added` and `removed` of ranks[rows, 3, capacity]."""
    blocks = (used + _TILE - 1) // _TILE
    for bj in range(blocks):
        left = bj * _TILE
        right = min(left + _TILE, used)
        for bi in range(bj + 1):
            tile = tiles[bj * (bj + 1) // 2 + bi]
            for i in range(bi * _TILE, min(bi * _TILE + _TILE, used)):
                begin = max(left, i + 1)
                counts = tile[i - bi * _TILE, begin - left : right - left]
                for row in added:
                    if ranks[row, _RANK, i] != _ABSENT:
                        count_within(
                            counts, ranks[row, _RANK, begin:right],
                            ranks[row, _LOW, i], ranks[row, _WIDTH, i],
                        )  # fmt: skip
                for row in removed:
                    if ranks[row, _RANK, i] != _ABSENT:
                        uncount_within(
                            counts, ranks[row, _RANK, begin:right],
                            ranks[row, _LOW, i], ranks[row, _WIDTH, i],
                        )  # fmt: skip
