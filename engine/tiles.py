"""How a triangular table of pairs is cut into square tiles.

Tile (bi, bj), bi <= bj, holds the pairs of slots ``bi * TILE …`` with slots ``bj * TILE …`` and
stands at ``bj (bj + 1) / 2 + bi``: more slots mean more tiles behind, and none moves.
"""

from __future__ import annotations

import math
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
        tiles: uint16[tiles, TILE, TILE].
        places: int64[n], places in the list of all rows of all tiles.
        used: slots in use; what lies beyond them or across the diagonal is left out.
    """

    tiles: NDArray[np.uint16]
    places: NDArray[np.int64]
    used: int


def tile_count(slots: int) -> int:
    """Return the number of tiles that `slots` slots take."""
    blocks = -(-slots // TILE)
    return blocks * (blocks + 1) // 2


def pair_table_bytes(agents: int) -> int:
    """Return the memory the rule `pairs` needs for its counts, about agents² bytes."""
    return tile_count(agents) * TILE * TILE * 2


def most_agents(budget: int) -> int:
    """Return how many agents fit into `budget` bytes, the inverse of `pair_table_bytes`."""
    tiles = budget // pair_table_bytes(1)
    blocks = (math.isqrt(8 * tiles + 1) - 1) // 2
    return min(blocks * TILE, MOST_SLOTS)
