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

from marketcam.engine.edges import keys_from_rows
from marketcam.engine.jit import kernel
from marketcam.engine.tiles import TILE, TileRows, most_agents, pair_table_bytes, tile_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.edges import NodeRows
    from marketcam.engine.quotes import Quotes

__all__ = ["PairTable"]

_ABSENT: Final = 0xFFFF
_RANK: Final = 0
_LOW: Final = 1
_WIDTH: Final = 2
_NONE: Final = 2**16  # more than any count
_TICKS_A_PASS: Final = 64  # added at once at most, so that their ranks stay in cache


class PairTable:
    """Windowed counts of all pairs of slots, updated once a stride.

    Memory: `pair_table_bytes` for the counts and 6 bytes a slot and tick for the ranks, the
    ticks being ``W + stride``.
    """

    def __init__(
        self, W: int, stride: int, eps_pct: float, budget: int, *, side: int = TILE
    ) -> None:
        self._W = W
        self._eps_pct = eps_pct
        self._budget = budget
        self._side = side
        # Adding and taking away 2 * stride ticks must cost less than counting W anew.
        self._incremental = 2 * stride < W
        self._rows = W + stride if self._incremental else W
        self._quotes = np.zeros(self._rows, dtype=np.int64)
        self._ranks = np.empty((self._rows, 3, 0), dtype=np.uint16)
        self._ordered = np.empty(0)
        self._tiles = np.zeros((0, side, side), dtype=np.uint16)
        self.clear()

    def clear(self) -> None:
        """Forget everything; the room stays."""
        self._quotes.fill(0)
        self._tiles.fill(0)
        self._guess = 1
        self._counted: range | None = None  # the ticks counted

    @property
    def most_agents(self) -> int:
        """Agents a window can hold within the budget."""
        return most_agents(self._budget, self._rows, self._side)

    def limit(self, agents: int) -> str:
        """Say what `agents` agents would need, and the ways out."""
        needed = pair_table_bytes(agents, self._rows, self._side)
        return (
            f"the proximity rule 'pairs' would need {_mebibytes(needed)} MiB of the "
            f"{_mebibytes(self._budget)} MiB it may take; raise pair_budget_bytes "
            "(IG_CAM_PAIR_BUDGET_BYTES) or choose the rule 'neighbors' (IG_CAM_PROXIMITY)"
        )

    def make_room(self, used: int, capacity: int) -> None:
        """Make room for `capacity` slots, `used` of them in use."""
        old = self._ranks
        if capacity > old.shape[2]:
            self._ranks = np.full((self._rows, 3, capacity), _ABSENT, dtype=np.uint16)
            self._ranks[:, :, : old.shape[2]] = old
            self._ordered = np.empty(capacity)
        needed = tile_count(used, self._side)
        if needed > len(self._tiles):
            shape = (max(needed, 2 * len(self._tiles)), self._side, self._side)
            tiles = np.zeros(shape, dtype=np.uint16)
            tiles[: len(self._tiles)] = self._tiles
            self._tiles = tiles

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
        """Take in the quotes of tick `t`. Cost: O(N log N)."""
        place = t % self._rows
        self._quotes[place] = 0
        if quotes.mid is None or quotes.mid <= 0.0:
            return
        ranks = self._ranks[place]
        ranks[_RANK].fill(_ABSENT)
        eps = self._eps
        order = quotes.price.argsort()
        self._quotes[place] = rank_intervals(
            order, quotes.price, quotes.slots, eps, self._ordered, ranks
        )

    def fill(self, first: int, t: int, used: int) -> None:
        """Count ahead while the window still fills, so that the first frame is not late."""
        if self._incremental:
            self._count(first, t, used, _NONE)

    def best(self, t0: int, t: int, used: int, nodes: NodeRows, most: int) -> NDArray[np.int64]:
        """Return the rank keys of the `most` best edges of the window from `t0` to `t`, sorted.

        Only rows that hold a count of at least a guess are looked at: what the last frame kept,
        less one. Where that turns out too high, lower ones are tried.

        Cost: O(used² x ticks that came and went).
        """
        if most == 0:
            return np.empty(0, dtype=np.int64)
        rows = self._count(t0, t, used, self._guess)
        keys, least = keys_from_rows(rows, nodes, self._W, most)
        while self._guess > 1 and (keys.size < most or least < self._guess):
            self._guess //= 2
            rows = self._count(t0, t, used, self._guess)
            keys, least = keys_from_rows(rows, nodes, self._W, most)
        self._guess = max(1, least - 1) if keys.size == most else 1
        return keys

    def _count(self, t0: int, t: int, used: int, least: int) -> TileRows:
        """Bring the counts to the ticks from `t0` to `t`; return the rows that reach `least`."""
        counted = self._counted
        if not self._incremental or counted is None or not self._can_follow(counted, t0, t):
            self._tiles[: tile_count(used, self._side)].fill(0)
            counted = range(t0, t0)
        added = self._places(counted.stop, t + 1)
        removed = self._places(counted.start, t0)
        self._counted = range(t0, t + 1)
        places = np.empty(tile_count(used, self._side) * self._side, dtype=np.int64)
        for begin in range(_TICKS_A_PASS, added.size, _TICKS_A_PASS):
            ticks = added[begin : begin + _TICKS_A_PASS]
            update_tiles(self._tiles, self._ranks, used, (ticks, ticks.size), _NONE, places)
        ticks = np.concatenate((added[:_TICKS_A_PASS], removed))
        n_added = ticks.size - removed.size
        found = update_tiles(self._tiles, self._ranks, used, (ticks, n_added), least, places)
        return TileRows(self._tiles, places[:found], used)

    def _can_follow(self, counted: range, t0: int, t: int) -> bool:
        """Tell whether the counted ticks reach into the window and their ranks are still here."""
        return counted.start <= t0 <= counted.stop and t + 1 - counted.start <= self._rows

    def _places(self, begin: int, end: int) -> NDArray[np.int64]:
        """Return the rows of the ticks in [begin, end) in which any two agents quoted."""
        places = np.arange(begin, end, dtype=np.int64) % self._rows
        return places[self._quotes[places] > 1]


def _mebibytes(size: int) -> str:
    mebibytes = size / 2**20
    return f"{mebibytes:,.0f}" if mebibytes >= 10 else f"{mebibytes:.2g}"


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
def reaches(counts: NDArray[np.uint16], least: int) -> bool:
    """Tell whether any count is at least `least`."""
    greatest = np.uint16(0)
    for j in range(counts.size):
        greatest = counts[j] if counts[j] > greatest else greatest
    return bool(greatest >= least)


@kernel
def copy_ranks(
    ranks: NDArray[np.uint16], ticks: NDArray[np.int64], begin: int, end: int
) -> NDArray[np.uint16]:
    """Return rank, low and width of the slots begin … end in some ticks, uint16[ticks, 3, n].

    Where they stand, the ticks' rows lie a power of two apart and drive each other out of the
    cache: reading them in place took half as long again.
    """
    near = np.empty((ticks.size, 3, end - begin), dtype=np.uint16)
    for k in range(ticks.size):
        for column in range(3):
            for j in range(begin, end):
                near[k, column, j - begin] = ranks[ticks[k], column, j]
    return near


@kernel
def update_tile(
    tile: NDArray[np.uint16],
    mine: NDArray[np.uint16],
    theirs: NDArray[np.uint16],
    n_added: int,
    shape: tuple[int, int, bool],
    least: int,
    places: NDArray[np.int64],
) -> int:
    """Add the first `n_added` ticks of uint16[ticks, 3, side] ranks, take away the others.

    `shape` is the number of rows and of columns in use, and whether the tile lies on the diagonal.
    Writes to `places` the rows with a count of at least `least`, returns how many.
    """
    rows, columns, diagonal = shape
    found = 0
    for i in range(rows):
        begin = i + 1 if diagonal else 0
        counts = tile[i, begin:columns]
        for k in range(mine.shape[0]):
            if mine[k, _RANK, i] == _ABSENT:
                continue
            low, width = mine[k, _LOW, i], mine[k, _WIDTH, i]
            if k < n_added:
                count_within(counts, theirs[k, _RANK, begin:columns], low, width)
            else:
                uncount_within(counts, theirs[k, _RANK, begin:columns], low, width)
        if reaches(counts, least):
            places[found] = i
            found += 1
    return found


@kernel
def update_tiles(
    tiles: NDArray[np.uint16],
    ranks: NDArray[np.uint16],
    used: int,
    ticks: tuple[NDArray[np.int64], int],
    least: int,
    places: NDArray[np.int64],
) -> int:
    """Add and take away ticks, given as rows of ranks[rows, 3, capacity] and how many to add.

    Writes to `places` the rows of tiles with a count of at least `least`, returns how many.
    """
    rows_of_ticks, n_added = ticks
    found = 0
    side = tiles.shape[1]
    for bj in range((used + side - 1) // side):
        right = min(bj * side + side, used)
        theirs = copy_ranks(ranks, rows_of_ticks, bj * side, right)
        for bi in range(bj + 1):
            below = min(bi * side + side, used)
            mine = copy_ranks(ranks, rows_of_ticks, bi * side, below)
            shape = (below - bi * side, right - bj * side, bi == bj)
            tile = bj * (bj + 1) // 2 + bi
            reached = places[found:]
            more = update_tile(tiles[tile], mine, theirs, n_added, shape, least, reached)
            for k in range(more):
                reached[k] += tile * side
            found += more
    return found
