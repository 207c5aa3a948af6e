"""The best edges out of windowed pair counts, as rank keys; see `edges.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine.edges import MATCH, NodeRows, rank_key, sort_keys, threshold
from marketcam.engine.jit import kernel
from marketcam.engine.pair_buckets import (
    REPEATED,
    SINGLE,
    VACANT,
    PairBuckets,
    Share,
    rehash,
    rest_bits,
    split_buckets,
    unmixed,
)
from marketcam.engine.pair_counts import GRID_SLOTS, PairCounts
from marketcam.engine.pair_grid import PairGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["keys_from_counts", "rehearse_counts"]

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


def rehearse_counts() -> None:
    """Call every kernel of windowed counts once, those for few slots and those for many.

    For the warm-up: compiled they are when they are first called.
    """
    nodes = NodeRows(np.arange(3, dtype=np.int32), 3, ordered=True)
    pairs = np.array([[0, 1], [1, 2]], dtype=np.int32)
    for capacity in (len(nodes.of_slot), GRID_SLOTS + 1):
        counts = PairCounts(2)
        counts.make_room(capacity)
        for t in range(3):
            counts.note(t, pairs)
            counts.settle(t)
            keys_from_counts(counts, MATCH, nodes, 1)  # of two as good: ties are cut
        counts.make_room(capacity + 1)  # of few: counted anew
        if isinstance(counts.counts, PairBuckets):
            share = counts.counts.shares[0]
            split_buckets(share, np.empty_like(share.buckets, shape=2 * share.buckets.size))
            rehash(share, share._replace(keys=share.keys.copy()))


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
    one_less = rank_key(0, 0, 0, kind, 1) - rank_key(0, 0, 1, kind, 1)
    for src in range(nodes):
        mine = slot_at[src]
        best = rank_key(src, src, W, kind, W)
        for dst in range(src + 1, nodes):
            other = slot_at[dst]
            low, high = (mine, other) if mine < other else (other, mine)
            count = capped(cells[low * capacity + high], W)
            if count < least:
                continue
            at = place[count]
            place[count] = at + 1
            if at < most:  # else one of too many with the least count
                keys[at] = best + (W - count) * one_less + dst - src
    return keys


@kernel
def capped(count: int, W: int) -> int:
    """Return a count, or W if it is more."""
    return int(count) if count < W else W


@kernel
def count_ties(
    share: Share, least: int, node_of: NDArray[np.int32], ties: NDArray[np.int64]
) -> None:
    """Count by `src` row the pairs of a share whose count, capped at W, is `least`."""
    W = share.tally.size - 2
    for at in range(share.keys.size):
        if capped(share.counts[at], W) == least:  # at vacant places the count is 0
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
        count = capped(share.counts[at], W)
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
    upper = (share.prefix << (46 - share.bits - rest)) | (place >> 4)
    return unmixed(upper << rest | int(share.buckets[place]))
