"""How a triangular table of pairs is cut into square tiles.

Tile (bi, bj), bi <= bj, holds the pairs of slots ``bi * TILE …`` with slots ``bj * TILE …`` and
stands at ``bj (bj + 1) / 2 + bi``: more slots mean more tiles behind, and none moves.
"""

from typing import Final

__all__ = ["TILE", "pair_table_bytes", "tile_count"]

TILE: Final = 128
"""Slots along a tile's side: 32 KiB a tile, which a first-level cache holds."""


def tile_count(slots: int) -> int:
    """Return the number of tiles that `slots` slots take."""
    blocks = -(-slots // TILE)
    return blocks * (blocks + 1) // 2


def pair_table_bytes(agents: int) -> int:
    """Return the memory the rule `pairs` needs for its counts, about agents² bytes."""
    return tile_count(agents) * TILE * TILE * 2
