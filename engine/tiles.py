"""How a triangular table of pairs is cut into square tiles.

Tile (bi, bj), bi <= bj, holds the pairs of slots ``bi * TILE …`` with slots ``bj * TILE …`` and
stands at ``bj (bj + 1) / 2 + bi``: more slots mean more tiles behind, and none moves.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_SLOTS", "TILE", "TileRows", "most_agents", "pair_table_bytes", "tile_count"]

TILE: Final = 512
"""Slots along a tile's side. The ranks of 20 ticks by 512 slots, 20 KiB, fit into a first-level
cache; with 128 the update took three times as long, for what each row costs beside its counts."""

MOST_SLOTS: Final = 2**16 - 1
"""Slots whose ranks 16 bits can tell apart, with one value left for "does not quote"."""


class TileRows(NamedTuple):
    """Some rows of a table of tiles.

    Attributes:
        tiles: uint16[tiles, side, side].
        places: int64[n], places in the list of all rows of all tiles.
        used: slots in use; what lies beyond them or across the diagonal is left out.
    """

    tiles: NDArray[np.uint16]
    places: NDArray[np.int64]
    used: int


def tile_count(slots: int, side: int) -> int:
    """Return the number of tiles, `side` slots wide, that `slots` slots take."""
    blocks = -(-slots // side)
    return blocks * (blocks + 1) // 2


def pair_table_bytes(agents: int, ticks: int, side: int = TILE) -> int:
    """Return the memory of the rule `pairs`: about agents² bytes of counts, 6 a rank.

    `ticks` are the ticks whose ranks are kept, ``W + stride`` at most.
    """
    return tile_count(agents, side) * side * side * 2 + agents * ticks * 6


def most_agents(budget: int, ticks: int, side: int = TILE) -> int:
    """Return how many agents fit into `budget` bytes; see `pair_table_bytes`."""
    fits = range(MOST_SLOTS + 1)
    return bisect_right(fits, budget, key=lambda n: pair_table_bytes(n, ticks, side)) - 1
