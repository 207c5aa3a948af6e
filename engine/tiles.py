"""How a triangular table of pairs is cut into square tiles, and what it weighs.

Tile (bi, bj), bi <= bj, holds the pairs of slots ``bi * SIDE …`` with slots ``bj * SIDE …`` and
stands at ``bj (bj + 1) / 2 + bi``: more slots mean more tiles behind, and none moves. The tiles of
a column lie one below the other, so that the row of slot i in column bj is row
``bj (bj + 1) / 2 * SIDE + i`` of all rows.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from marketcam.engine.lanes import LANES, SIDE
from marketcam.engine.priced_ticks import PRICED_UP_TO, priced_bytes
from marketcam.engine.rank_intervals import BYTES_PER_RANK
from marketcam.engine.tile_counts import TICKS_A_PASS

__all__ = [
    "MOST_SLOTS",
    "block_count",
    "kept_ticks",
    "most_agents",
    "pair_table_bytes",
    "tile_count",
]

MOST_SLOTS: Final = 2**16 - 1
"""Slots whose ranks, and one number more, 16 bits can tell apart."""


def block_count(slots: int) -> int:
    """Return the number of blocks of `SIDE` slots that `slots` slots take."""
    return -(-slots // SIDE)


def tile_count(slots: int) -> int:
    """Return the number of tiles that `slots` slots take."""
    blocks = block_count(slots)
    return blocks * (blocks + 1) // 2


def kept_ticks(W: int, stride: int) -> int:
    """Return of how many ticks the rule `pairs` keeps the quotes.

    Those that leave the window are kept for another stride, to be taken away from the counts,
    where adding and taking away ``2 * stride`` ticks costs less than counting W anew.
    """
    return W + stride if 2 * stride < W else W


def pair_table_bytes(agents: int, ticks: int) -> int:
    """Return the memory of the rule `pairs`: about agents² bytes of counts, 7 a rank or 8 a price.

    `ticks` are the ticks whose quotes are kept, see `kept_ticks`; few agents' take 8 bytes a price
    in place of 7 a rank. Every thread that helps takes another 65 bytes an agent, the choice of
    edges 64 an edge of the cap and 8 an agent.
    """
    blocks = block_count(agents)
    slots = blocks * SIDE
    counts = tile_count(agents) * SIDE * SIDE * 2
    maxima = slots * blocks * 2
    if slots <= PRICED_UP_TO:
        return counts + maxima + priced_bytes(slots, ticks)
    ranks = ticks * (slots * BYTES_PER_RANK + blocks + 8)
    bench = TICKS_A_PASS * (2 * slots + LANES + SIDE) + slots + 1 + LANES
    return counts + maxima + ranks + bench


def most_agents(budget: int, ticks: int) -> int:
    """Return how many agents fit into `budget` bytes; see `pair_table_bytes`."""
    fits = range(MOST_SLOTS + 1)
    return max(0, bisect_right(fits, budget, key=lambda n: pair_table_bytes(n, ticks)) - 1)
