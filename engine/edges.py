"""The edges a frame keeps: an exact top EDGE_CAP, with a share set aside for trades.

An edge is one number, its *rank key*: from the high bits to the low ones W - count, the type,
and the row numbers of `src` and `dst` among the frame's nodes. Rows follow ascending ids, so
sorting keys ranks edges by weight descending, `match` before `quote_proximity`, then `src`, then
`dst`. Only candidates become keys: a histogram of counts gives the smallest count that can be
kept, and where more pairs have just that count than fit, the last `src` that can.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.frame import Edges
from marketcam.engine.jit import kernel
from marketcam.engine.tiles import TILE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.pair_counts import PairCounts

__all__ = ["MOST_NODES", "EdgeCap", "keys_from_counts", "keys_from_tiles"]

MATCH: Final = 0
PROXIMITY: Final = 1

_NODE_BITS: Final = 23
_KIND_BIT: Final = 2 * _NODE_BITS
_COUNT_BIT: Final = _KIND_BIT + 1
_NODE_MASK: Final = (1 << _NODE_BITS) - 1
_SLOT_BITS: Final = 32
_EMPTY: Final = -1
_TILE: Final = TILE

MOST_NODES: Final = 1 << _NODE_BITS
"""Agents a window can hold: what fits into a rank key."""


class EdgeCap:
    """How many edges a frame keeps and how many of those are set aside for matches."""

    def __init__(self, W: int, cap: int, match_share: float) -> None:
        self.cap = cap
        self.reserved = min(cap, math.floor(cap * match_share + 1e-9))
        self._weights = np.array([round(count / W, 6) for count in range(W, -1, -1)])

    def keep(self, matches: NDArray[np.int64], proximity: NDArray[np.int64]) -> NDArray[np.int64]:
        """Choose among the rank keys of each type, sorted; return those kept, sorted."""
        aside, rest = matches[: self.reserved], matches[self.reserved :]
        best = np.sort(np.concatenate((rest, proximity)))[: self.cap - aside.size]
        return np.sort(np.concatenate((aside, best)))

    def edges(self, keys: NDArray[np.int64], agent_id: NDArray[np.int64]) -> Edges:
        """Spell out rank keys; `agent_id` are the ids of the frame's nodes."""
        return Edges(
            src=agent_id[keys >> _NODE_BITS & _NODE_MASK],
            dst=agent_id[keys & _NODE_MASK],
            kind=(keys >> _KIND_BIT & 1).astype(np.int8),
            w=self._weights[keys >> _COUNT_BIT],
        )


def keys_from_counts(
    pairs: PairCounts, kind: int, node_of: NDArray[np.int32], most: int
) -> NDArray[np.int64]:
    """Return the `most` best rank keys of a windowed pair count, sorted.

    `node_of` is int32[capacity], the row of each slot's agent among the frame's nodes.
    Cost: O(size of the table), up to twice.
    """
    most = min(most, int(pairs.histogram[1:].sum()))
    least, wanted = threshold(pairs.histogram, most)
    last_src = node_of.size
    if pairs.histogram[least] > wanted:
        ties = np.zeros(node_of.size, dtype=np.int64)
        tie_counts(pairs.keys, pairs.counts, least, pairs.histogram.size - 1, node_of, ties)
        last_src = int(np.searchsorted(np.cumsum(ties), wanted))
    keys = np.empty(most + node_of.size, dtype=np.int64)
    found = gather_counts(
        pairs.keys, pairs.counts, (least, last_src), kind, pairs.histogram.size - 1, node_of, keys
    )
    return np.sort(keys[:found])[:most]


def keys_from_tiles(
    tiles: NDArray[np.uint16], W: int, node_of: NDArray[np.int32], used: int, most: int
) -> NDArray[np.int64]:
    """Return the `most` best rank keys of a tiled pair table, sorted.

    Cost: O(used²), two or three passes over the tiles.
    """
    histogram = np.zeros(W + 1, dtype=np.int64)
    count_tiles(tiles, used, histogram)
    most = min(most, int(histogram[1:].sum()))
    least, wanted = threshold(histogram, most)
    last_src = node_of.size
    if histogram[least] > wanted:
        ties = np.zeros(node_of.size, dtype=np.int64)
        tie_tiles(tiles, used, least, node_of, ties)
        last_src = int(np.searchsorted(np.cumsum(ties), wanted))
    keys = np.empty(most + node_of.size, dtype=np.int64)
    found = gather_tiles(tiles, used, (least, last_src), W, node_of, keys)
    return np.sort(keys[:found])[:most]


@kernel
def threshold(histogram: NDArray[np.int64], most: int) -> tuple[int, int]:
    """Return the least count among the `most` best, and how many of just that count fit."""
    left = most
    for count in range(histogram.size - 1, 0, -1):
        if histogram[count] >= left:
            return count, left
        left -= histogram[count]
    return 1, histogram[1]


@kernel
def rank_key(a: int, b: int, count: int, kind: int, W: int) -> int:
    """Compose the rank key of an edge between the nodes at rows `a` and `b`."""
    src = np.int64(min(a, b))
    dst = np.int64(max(a, b))
    return int(np.int64(W - count) << _COUNT_BIT | kind << _KIND_BIT | src << _NODE_BITS | dst)


@kernel
def tie_counts(
    keys: NDArray[np.int64],
    counts: NDArray[np.int32],
    least: int,
    W: int,
    node_of: NDArray[np.int32],
    ties: NDArray[np.int64],
) -> None:
    """Count by `src` row the pairs whose count, capped at W, is `least`."""
    for at in range(keys.size):
        if keys[at] != _EMPTY and min(counts[at], W) == least:
            ties[min(node_of[keys[at] >> _SLOT_BITS], node_of[keys[at] & 0xFFFFFFFF])] += 1


@kernel
def gather_counts(
    keys: NDArray[np.int64],
    counts: NDArray[np.int32],
    cut: tuple[int, int],
    kind: int,
    W: int,
    node_of: NDArray[np.int32],
    out: NDArray[np.int64],
) -> int:
    """Write the keys of the pairs that `cut` keeps; return how many.

    Kept are counts above the cut's first number, and those at it up to its second, a `src` row.
    """
    least, last_src = cut
    found = 0
    for at in range(keys.size):
        count = min(counts[at], W)
        if keys[at] == _EMPTY or count < least:
            continue
        a = node_of[keys[at] >> _SLOT_BITS]
        b = node_of[keys[at] & 0xFFFFFFFF]
        if count > least or min(a, b) <= last_src:
            out[found] = rank_key(a, b, count, kind, W)
            found += 1
    return found


@kernel
def tile_row(
    tiles: NDArray[np.uint16], used: int, bi: int, bj: int, i: int
) -> tuple[NDArray[np.uint16], int]:
    """Return the counts of slot i with the slots of block bj above it, and the first of those."""
    begin = max(bj * _TILE, i + 1)
    row = tiles[bj * (bj + 1) // 2 + bi, i - bi * _TILE]
    return row[begin - bj * _TILE : min(_TILE, used - bj * _TILE)], begin


@kernel
def count_tiles(tiles: NDArray[np.uint16], used: int, histogram: NDArray[np.int64]) -> None:
    """Add the number of pairs by count to histogram[0 … W]."""
    for bj in range((used + _TILE - 1) // _TILE):
        for bi in range(bj + 1):
            for i in range(bi * _TILE, min(bi * _TILE + _TILE, used)):
                counts, _ = tile_row(tiles, used, bi, bj, i)
                for count in counts:
                    histogram[count] += 1


@kernel
def tie_tiles(
    tiles: NDArray[np.uint16],
    used: int,
    least: int,
    node_of: NDArray[np.int32],
    ties: NDArray[np.int64],
) -> None:
    """Count by `src` row the pairs whose count is `least`."""
    for bj in range((used + _TILE - 1) // _TILE):
        for bi in range(bj + 1):
            for i in range(bi * _TILE, min(bi * _TILE + _TILE, used)):
                counts, begin = tile_row(tiles, used, bi, bj, i)
                for j in range(counts.size):
                    if counts[j] == least:
                        ties[min(node_of[i], node_of[begin + j])] += 1


@kernel
def gather_tiles(
    tiles: NDArray[np.uint16],
    used: int,
    cut: tuple[int, int],
    W: int,
    node_of: NDArray[np.int32],
    out: NDArray[np.int64],
) -> int:
    """Write the keys of the pairs that `cut` keeps; return how many.

    Kept are counts above the cut's first number, and those at it up to its second, a `src` row.
    """
    least, last_src = cut
    found = 0
    for bj in range((used + _TILE - 1) // _TILE):
        for bi in range(bj + 1):
            for i in range(bi * _TILE, min(bi * _TILE + _TILE, used)):
                counts, begin = tile_row(tiles, used, bi, bj, i)
                for j in range(counts.size):
                    if counts[j] < least:
                        continue
                    a = node_of[i]
                    b = node_of[begin + j]
                    if counts[j] > least or min(a, b) <= last_src:
                        out[found] = rank_key(a, b, counts[j], PROXIMITY, W)
                        found += 1
    return found
