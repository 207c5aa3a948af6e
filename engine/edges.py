"""The edges a frame keeps: an exact top EDGE_CAP, with a share set aside for trades.

An edge is one number, its *rank key*: from the high bits to the low ones W - count, the type,
and the row numbers of `src` and `dst` among the frame's nodes. Rows follow ascending ids, so
sorting keys ranks edges by weight descending, `match` before `quote_proximity`, then `src`, then
`dst`. Only candidates become keys: a histogram of counts gives the smallest count that can be
kept, and where more pairs have just that count than fit, the last `src` that can.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from marketcam.engine.frame import Edges
from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.tiles import TileRows

__all__ = [
    "MATCH",
    "MOST_NODES",
    "PROXIMITY",
    "EdgeCap",
    "NodeRows",
    "keys_from_rows",
]

MATCH: Final = 0
PROXIMITY: Final = 1

_NODE_BITS: Final = 23
_KIND_BIT: Final = 2 * _NODE_BITS
_COUNT_BIT: Final = _KIND_BIT + 1
_NODE_MASK: Final = (1 << _NODE_BITS) - 1
_PAIR_MASK: Final = (1 << _KIND_BIT) - 1

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
        kept = np.empty(min(self.cap, matches.size + proximity.size), dtype=np.int64)
        merge_best(matches, proximity, self.reserved, kept)
        return kept

    def edges(self, keys: NDArray[np.int64], agent_id: NDArray[np.int64]) -> Edges:
        """Spell out rank keys; `agent_id` are the ids of the frame's nodes."""
        src = np.empty(keys.size, dtype=np.int64)
        dst = np.empty(keys.size, dtype=np.int64)
        kind = np.empty(keys.size, dtype=np.int8)
        w = np.empty(keys.size)
        spell_out(keys, agent_id, self._weights, (src, dst), kind, w)
        return Edges(src, dst, kind, w)


class NodeRows(NamedTuple):
    """Where the agents that hold slots stand among a frame's nodes.

    Attributes:
        of_slot: int32[capacity], row by slot, -1 for slots that nobody holds.
        size: nodes.
        ordered: whether rows ascend with slots, as they do until a slot is handed on.
    """

    of_slot: NDArray[np.int32]
    size: int
    ordered: bool


def keys_from_rows(
    rows: TileRows, nodes: NodeRows, W: int, most: int
) -> tuple[NDArray[np.int64], int]:
    """Return the `most` best rank keys among some rows of tiles, sorted, and their least count.

    Pairs in other rows must not be among the best. Cost: O(rows x side), a few passes, of which
    those over rows of equal counts are vectorized.
    """
    histogram = np.zeros(W + 1, dtype=np.int64)
    count_rows(rows, histogram)
    least, wanted, most = threshold(histogram, most)
    last_src = nodes.size
    if histogram[least] > wanted:
        ties = np.zeros(nodes.size, dtype=np.int64)
        tie_rows(rows, least, nodes.of_slot, nodes.ordered, ties)
        last_src = int(np.searchsorted(np.cumsum(ties), wanted))
    keys = np.empty(most + nodes.size, dtype=np.int64)
    found = gather_rows(rows, (least, last_src), W, nodes.of_slot, nodes.ordered, keys)
    return sort_keys(keys[:found], nodes.size, W)[:most], least


@kernel
def merge_best(
    matches: NDArray[np.int64], proximity: NDArray[np.int64], reserved: int, kept: NDArray[np.int64]
) -> None:
    """Fill `kept` with the best of two sorted lists, up to `reserved` matches first; sorted."""
    n_matches = min(reserved, matches.size)
    n_proximity = 0
    while n_matches + n_proximity < kept.size:
        if n_proximity == proximity.size or (
            n_matches < matches.size and matches[n_matches] < proximity[n_proximity]
        ):
            n_matches += 1
        else:
            n_proximity += 1
    i = j = 0
    for k in range(kept.size):
        if j == n_proximity or (i < n_matches and matches[i] < proximity[j]):
            kept[k] = matches[i]
            i += 1
        else:
            kept[k] = proximity[j]
            j += 1


@kernel
def sort_keys(keys: NDArray[np.int64], nodes: int, W: int) -> NDArray[np.int64]:
    """Return rank keys of one type, sorted: a radix sort by `dst`, `src` and count.

    Pairs that came in order need the last pass only. Cost: O(keys + nodes + W).
    """
    for k in range(1, keys.size):
        if (keys[k] & _PAIR_MASK) < (keys[k - 1] & _PAIR_MASK):
            keys = sort_by_field(keys, 0, _NODE_MASK, nodes)
            keys = sort_by_field(keys, _NODE_BITS, _NODE_MASK, nodes)
            break
    return sort_by_field(keys, _COUNT_BIT, 0xFFFF, W)


@kernel
def sort_by_field(keys: NDArray[np.int64], bit: int, mask: int, greatest: int) -> NDArray[np.int64]:
    """Return keys sorted by one field, up to `greatest`; equal ones stay in their order."""
    begin = np.zeros(greatest + 2, dtype=np.int64)
    for key in keys:
        begin[(key >> bit & mask) + 1] += 1
    for value in range(greatest):
        begin[value + 1] += begin[value]
    ordered = np.empty(keys.size, dtype=np.int64)
    for key in keys:
        value = key >> bit & mask
        ordered[begin[value]] = key
        begin[value] += 1
    return ordered


@kernel
def threshold(histogram: NDArray[np.int64], most: int) -> tuple[int, int, int]:
    """Return the least count among the `most` best, how many of just that fit, how many in all."""
    left = most
    for count in range(histogram.size - 1, 0, -1):
        if histogram[count] >= left:
            return count, left, most
        left -= histogram[count]
    return 1, histogram[1], most - left


@kernel
def spell_out(
    keys: NDArray[np.int64],
    agent_id: NDArray[np.int64],
    weights: NDArray[np.float64],
    ends: tuple[NDArray[np.int64], NDArray[np.int64]],
    kind: NDArray[np.int8],
    w: NDArray[np.float64],
) -> None:
    """Write the columns of the edges that rank keys stand for."""
    src, dst = ends
    for k in range(keys.size):
        key = keys[k]
        src[k] = agent_id[key >> _NODE_BITS & _NODE_MASK]
        dst[k] = agent_id[key & _NODE_MASK]
        kind[k] = key >> _KIND_BIT & 1
        w[k] = weights[key >> _COUNT_BIT]


@kernel
def rank_key(a: int, b: int, count: int, kind: int, W: int) -> int:
    """Compose the rank key of an edge between the nodes at rows `a` and `b`."""
    src = np.int64(min(a, b))
    dst = np.int64(max(a, b))
    return int(np.int64(W - count) << _COUNT_BIT | kind << _KIND_BIT | src << _NODE_BITS | dst)


@kernel
def row_of_counts(rows: TileRows, place: int) -> tuple[int, int, NDArray[np.uint16]]:
    """Return the slot of a row of tiles, the slot of its first count, and the counts."""
    side = rows.tiles.shape[1]
    tile = place // side
    bj = int((math.sqrt(8.0 * tile + 1.0) - 1.0) / 2.0)
    left = bj * side
    i = (tile - bj * (bj + 1) // 2) * side + place % side
    begin = max(left, i + 1)
    right = min(left + side, rows.used)
    return i, begin, rows.tiles[tile, place % side, begin - left : right - left]


@kernel
def extremes(counts: NDArray[np.uint16]) -> tuple[int, int]:
    """Return the least and the greatest count."""
    low = high = counts[0]
    for j in range(counts.size):
        count = counts[j]
        low = count if count < low else low
        high = count if count > high else high
    return low, high


@kernel
def occurrences(counts: NDArray[np.uint16], wanted: int) -> int:
    """Return how many of fewer than 2**16 counts are the `wanted` one."""
    found = np.uint16(0)
    sixteen_bits = np.uint16(wanted)
    for j in range(counts.size):
        found += np.uint16(counts[j] == sixteen_bits)
    return int(found)


@kernel
def count_rows(rows: TileRows, histogram: NDArray[np.int64]) -> None:
    """Add the number of pairs by count to histogram[0 … W]."""
    for place in rows.places:
        _, _, counts = row_of_counts(rows, place)
        low, high = extremes(counts)
        if low == high:
            histogram[low] += counts.size
        else:
            for count in counts:
                histogram[count] += 1


@kernel
def tie_rows(
    rows: TileRows,
    least: int,
    node_of: NDArray[np.int32],
    ordered: bool,
    ties: NDArray[np.int64],
) -> None:
    """Count by `src` row the pairs whose count is `least`; `ordered`: slots are in order of ids."""
    for place in rows.places:
        i, begin, counts = row_of_counts(rows, place)
        if ordered:
            ties[node_of[i]] += occurrences(counts, least)
        else:
            for j in range(counts.size):
                if counts[j] == least:
                    ties[min(node_of[i], node_of[begin + j])] += 1


@kernel
def gather_rows(
    rows: TileRows,
    cut: tuple[int, int],
    W: int,
    node_of: NDArray[np.int32],
    ordered: bool,
    out: NDArray[np.int64],
) -> int:
    """Write the keys of the pairs that `cut` keeps; return how many."""
    least, last_src = cut
    found = 0
    for place in rows.places:
        i, begin, counts = row_of_counts(rows, place)
        a = node_of[i]
        if ordered and a > last_src and extremes(counts)[1] <= least:
            continue
        for j in range(counts.size):
            if counts[j] < least:
                continue
            b = node_of[begin + j]
            if counts[j] > least or min(a, b) <= last_src:
                out[found] = rank_key(a, b, counts[j], PROXIMITY, W)
                found += 1
    return found
