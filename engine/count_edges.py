"""The best edges out of windowed pair counts, as rank keys; see `edges.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine.edges import rank_key, sort_keys, threshold
from marketcam.engine.jit import kernel
from marketcam.engine.pair_buckets import REPEATED, SINGLE, VACANT, Share, rest_bits, unmixed
from marketcam.engine.pair_grid import PairGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.edges import NodeRows
    from marketcam.engine.pair_buckets import PairBuckets
    from marketcam.engine.pair_counts import PairCounts

__all__ = ["keys_from_counts"]

_SPARSE = 16  # nodes a key from which sorting by comparisons beats counting nodes


def keys_from_counts(pairs: PairCounts, kind: int, nodes: NodeRows, most: int) -> NDArray[np.int64]:
    """Return the `most` best rank keys of a windowed pair count, as it was settled, sorted.

    Cost: O(nodes² / 2) while slots are few; else O(pairs that occur more than once), and O(all
    pairs) where those are fewer than `most`.
    """
    counts = pairs.counts
    if isinstance(counts, PairGrid):
        grid = (counts.cells, counts.capacity)
        return best_of_grid(grid, counts.histogram, kind, nodes.of_slot, nodes.size, most)
    return _best_of_buckets(counts, kind, nodes, most)


def _best_of_buckets(
    counts: PairBuckets, kind: int, nodes: NodeRows, most: int
) -> NDArray[np.int64]:
    tally = np.sum([share.tally for share in counts.shares], axis=0)
    histogram = tally[REPEATED:]
    histogram[1] += tally[SINGLE]
    least, wanted, most = threshold(histogram, most)
    last_src = nodes.size
    if histogram[least] > wanted:
        ties = np.zeros(nodes.size, dtype=np.int64)
        for share in counts.shares:
            count_ties(share, least, nodes.of_slot, ties)
        last_src = int(np.searchsorted(np.cumsum(ties), wanted))
    keys = np.empty(most + nodes.size, dtype=np.int64)
    found = 0
    for share in counts.shares:
        cut = (least, last_src)
        found += gather_share(share, cut, kind, nodes.of_slot, keys[found:])
    keys = keys[:found]
    if nodes.size > _SPARSE * found:
        keys.sort()
    else:
        keys = sort_keys(keys, nodes.size, counts.W)
    return keys[:most]


@kernel
def best_of_grid(
    grid: tuple[NDArray[np.int32], int],
    histogram: NDArray[np.int64],
    kind: int,
    node_of: NDArray[np.int32],
    nodes: int,
    most: int,
) -> NDArray[np.int64]:
    """Return the `most` best rank keys of a `PairGrid`, sorted.

    Pairs are visited by `src` and `dst`, so that it only remains to sort them by count: each goes
    to the next place among those of its count.
    """
    cells, capacity = grid
    W = histogram.size - 1
    least, _, most = threshold(histogram, most)
    place = np.empty(W + 1, dtype=np.int64)
    begin = 0
    for count in range(W, least - 1, -1):
        place[count] = begin
        begin += histogram[count]
    keys = np.empty(most, dtype=np.int64)
    slot_at = np.empty(nodes, dtype=np.int64)
    for slot in range(node_of.size):
        if node_of[slot] >= 0:
            slot_at[node_of[slot]] = slot
    for src in range(nodes):
        mine = slot_at[src]
        for dst in range(src + 1, nodes):
            other = slot_at[dst]
            low, high = (mine, other) if mine < other else (other, mine)
            count = min(np.int64(cells[low * capacity + high]), W)
            if count < least:
                continue
            at = place[count]
            place[count] = at + 1
            if at < most:  # else one of too many with the least count
                keys[at] = rank_key(src, dst, count, kind, W)
    return keys


@kernel
def count_ties(
    share: Share, least: int, node_of: NDArray[np.int32], ties: NDArray[np.int64]
) -> None:
    """Count by `src` row the pairs of a share whose count, capped at W, is `least`."""
    W = share.tally.size - 2
    for at in range(share.keys.size):
        if min(np.int64(share.counts[at]), W) == least:  # at vacant places the count is 0
            a, b = unmixed(share.keys[at])
            ties[min(node_of[a], node_of[b])] += 1
    if least > 1:
        return
    rest = rest_bits(share)
    for place in range(share.buckets.size):
        if share.buckets[place] != VACANT:
            a, b = single_pair(share, place, rest)
            ties[min(node_of[a], node_of[b])] += 1


@kernel
def gather_share(
    share: Share,
    cut: tuple[int, int],
    kind: int,
    node_of: NDArray[np.int32],
    out: NDArray[np.int64],
) -> int:
    """Write the rank keys of the pairs of a share that `cut` keeps; return how many.

    Kept are counts above the cut's first number, and those at it up to its second, a `src` row.
    """
    least, last_src = cut
    W = share.tally.size - 2
    found = 0
    for at in range(share.keys.size):
        count = min(np.int64(share.counts[at]), W)
        if count < least:  # as at vacant places, where it is 0
            continue
        a, b = unmixed(share.keys[at])
        src, dst = node_of[a], node_of[b]
        if count > least or min(src, dst) <= last_src:
            out[found] = rank_key(src, dst, count, kind, W)
            found += 1
    if least > 1:
        return found
    rest = rest_bits(share)
    for place in range(share.buckets.size):
        if share.buckets[place] != VACANT:
            a, b = single_pair(share, place, rest)
            src, dst = node_of[a], node_of[b]
            if min(src, dst) <= last_src:
                out[found] = rank_key(src, dst, 1, kind, W)
                found += 1
    return found


@kernel
def single_pair(share: Share, place: int, rest: int) -> tuple[int, int]:
    """Return the slots of the pair that stands at a place of the buckets."""
    upper = (share.index << (46 - share.bits - rest)) | (place >> 4)
    return unmixed(upper << rest | np.int64(share.buckets[place]))
