"""How a triangular table of pairs is cut into square tiles.

Tile (bi, bj), bi <= bj, holds the pairs of slots ``bi * TILE …`` with slots ``bj * TILE …`` and
stands at ``bj (bj + 1) / 2 + bi``: more slots mean more tiles behind, and none moves.
"""

import math
from typing import Final

__all__ = ["MOST_SLOTS", "TILE", "most_agents", "pair_table_bytes", "tile_count"]

TILE: Final = 128
"""Slots along a tile's side: 32 KiB a tile, which a first-level cache holds."""

MOST_SLOTS: Final = 2**16 - 1
"""Slots whose ranks 16 bits can tell apart, with one value left for "does not quote"."""


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
