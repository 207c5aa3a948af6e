"""Counting, tile by tile, the ticks that come into the window and those that leave it.

*Bytes.* Within a tile, ranks fit into a byte: the quotes of a column's block are numbered from 1
in price order, 0 standing for "does not quote". Of the ranks within eps of an agent, those that
are the block's are an interval again, (low, high], with low and high the number of the block's
ranks below the ends of the agent's own interval. "Agent j is within eps" is then
``uint8(high - place_j) < uint8(high - low)``: exact, without branches, 64 pairs to a register,
at a cost that does not depend on where the prices lie.

*Once a frame.* For each row of a tile the change over all ticks is summed in registers, then added
to the row's counts, so that the counts, which are most of the memory, are read and written once.
Counts are whole numbers: nothing drifts.

*Column by column.* All rows of a column of tiles look up the same few bytes for a tick, one tick
after the other, so that these, a byte a rank, stay in the first-level cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from marketcam.engine.jit import kernel
from marketcam.engine.lanes import LANES, SIDE, change_row, fill_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.rank_intervals import RankRing

__all__ = ["TICKS_A_PASS", "Bench", "Change", "Tables", "count_columns"]

Tables: TypeAlias = "tuple[NDArray[np.uint16], NDArray[np.uint16]]"
"""The counts, uint16[tiles * SIDE * SIDE], see `tiles.py`, and the greatest of each row of a tile,
uint16[slots, blocks]."""

TICKS_A_PASS: Final = 32
"""Ticks counted at once at most: sums of bytes would hold 127, and their room grows with them."""


class Change(NamedTuple):
    """What one pass counts: `more` ticks from `begin` on come, and `fewer` from `end` on leave."""

    begin: int
    more: int
    end: int
    fewer: int


class Bench(NamedTuple):
    """One thread's working room for counting.

    Attributes:
        below: uint8[slots + 1 + a block], how many of a block's ranks are below each rank.
        reach: uint8[TICKS_A_PASS, 2 * slots], low and high of every agent in a block's ranks.
        place: uint8[TICKS_A_PASS, SIDE], the ranks within the block.
    """

    below: NDArray[np.uint8]
    reach: NDArray[np.uint8]
    place: NDArray[np.uint8]

    @classmethod
    def empty(cls, slots: int) -> Bench:
        """Return working room for `slots` agents."""
        # A line more to each row: rows a power of two apart drive each other out of the cache.
        return cls(
            below=np.zeros(slots + 1 + LANES, dtype=np.uint8),
            reach=np.zeros((TICKS_A_PASS, 2 * slots + LANES), dtype=np.uint8),
            place=np.zeros((TICKS_A_PASS, SIDE), dtype=np.uint8),
        )


@kernel
def rank_below(
    member: NDArray[np.uint16], members: int, quotes: int, below: NDArray[np.uint8]
) -> None:
    """Write to below[0 … quotes] how many of a block's ranks, `member`, are smaller."""
    begin = 0
    for k in range(members):
        end = int(np.int64(member[k])) + 1
        for at in range(begin, end, LANES):  # what is too much is overwritten by what follows
            fill_block(below, at, k)
        begin = end
    for at in range(begin, quotes + 1, LANES):
        fill_block(below, at, members)


@kernel
def reach_within(
    interval: NDArray[np.uint32], rows: int, below: NDArray[np.uint8], reach: NDArray[np.uint8]
) -> None:
    """Write where the intervals of the first `rows` agents begin and end among a block's ranks."""
    for i in range(rows):
        both = np.int64(interval[i])
        reach[2 * i] = below[both & 0xFFFF]
        reach[2 * i + 1] = below[both >> 16]


@kernel
def reach_of_all(interval: NDArray[np.uint32], rows: int, reach: NDArray[np.uint8]) -> None:
    """Write the intervals of the first `rows` agents, all quotes being one block's."""
    for i in range(rows):
        reach[2 * i] = interval[i] & np.uint32(0xFF)
        reach[2 * i + 1] = interval[i] >> np.uint32(16)


@kernel
def lay_out(change: Change, ring: RankRing, block: int, rows: int, bench: Bench) -> tuple[int, int]:
    """Fill the bench for a column's block; return how many ticks come, and how many in all."""
    n_added = n = 0
    left = block * SIDE
    for k in range(change.more + change.fewer):
        t = change.begin + k if k < change.more else change.end + k - change.more
        row = t % ring.quotes.size
        quotes = ring.quotes[row]
        if quotes == 0:
            continue
        bench.place[n, :] = ring.place[row, left : left + SIDE]
        members = ring.members[row, block]
        if members == quotes:  # as in a market of one block: ranks within it are ranks
            reach_of_all(ring.interval[row], rows, bench.reach[n])
        else:
            rank_below(ring.member[row, left : left + SIDE], members, quotes, bench.below)
            reach_within(ring.interval[row], rows, bench.below, bench.reach[n])
        n += 1
        n_added += k < change.more
    return n_added, n


@kernel
def count_column(
    counts: NDArray[np.uint16],
    maxima: NDArray[np.uint16],
    ring: RankRing,
    change: Change,
    rows: int,
    block: int,
    bench: Bench,
) -> None:
    """Bring the first `rows` rows of one column of tiles up to date; see `count_columns`."""
    ticks = lay_out(change, ring, block, rows, bench)
    first = block * (block + 1) // 2 * SIDE
    for i in range(rows):
        # On the diagonal, what an agent has with itself and with those before it is no pair.
        begin = max(0, i + 1 - block * SIDE)
        row = ((first + i) * SIDE, begin, i)
        maxima[i, block] = change_row(counts, row, bench.place, bench.reach, ticks)


@kernel
def count_columns(
    counts: NDArray[np.uint16],
    maxima: NDArray[np.uint16],
    ring: RankRing,
    change: Change,
    used: int,
    columns: tuple[int, int],
    bench: Bench,
) -> None:
    """Bring some columns of tiles up to date, and the greatest count of each of their rows.

    Args:
        counts: uint16[tiles * SIDE * SIDE]; see `tiles.py`.
        maxima: uint16[slots, blocks], the greatest count by row and column of tiles.
        ring: the ticks' ranks.
        change: the ticks, at most `TICKS_A_PASS`.
        used: slots in use.
        columns: the first column, and the one after the last.
        bench: working room.

    Cost: O(pairs x ticks); see `lanes.py` for the instructions.
    """
    first, end = columns
    for block in range(first, end):
        rows = min(used, (block + 1) * SIDE)
        count_column(counts, maxima, ring, change, rows, block, bench)
