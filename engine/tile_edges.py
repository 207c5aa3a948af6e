"""The best edges among tiles of pair counts.

Rows of tiles are passed over by their greatest counts; what is read is only the rows that can
hold an edge better than the worst of the best found so far. Agents of one row come in the order
of their slots, as a rule that of their ids, so that among any number of equal counts the first few
rows are enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.edges import (
    COUNT_BIT,
    NODE_BITS,
    NODE_MASK,
    PAIR_MASK,
    PROXIMITY,
    rank_key,
    sort_by_field,
)
from marketcam.engine.jit import kernel
from marketcam.engine.lanes import LANES, SIDE, lanes_from, lowest_lane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.edges import NodeRows

__all__ = ["best_of_tiles"]

_ROOM: Final = 8  # candidates, in times of what is asked for, that are sorted at once


@kernel
def first_nodes(node_of: NDArray[np.int32], used: int) -> NDArray[np.int64]:
    """Return for each block of slots the smallest of its agents' rows among the nodes."""
    first = np.full((used + SIDE - 1) // SIDE, NODE_MASK, dtype=np.int64)
    for slot in range(used):
        node = node_of[slot]
        if 0 <= node < first[slot // SIDE]:
            first[slot // SIDE] = node
    return first


@kernel
def gather_row(
    counts: NDArray[np.uint16],
    at: int,
    left: int,
    src: int,
    ranking: tuple[NDArray[np.int32], int, int],
    out: NDArray[np.int64],
    found: int,
) -> int:
    """Write the keys up to a bound of one row of a tile; return how many `out` holds then.

    Args:
        counts: the counts of all tiles.
        at: where the row begins.
        left: the slot of the row's first column.
        src: the row among the nodes of the tile row's agent.
        ranking: the rows among the nodes by slot, W, and the bound.
        out: room for the keys.
        found: keys that `out` holds already.
    """
    node_of, W, bound = ranking
    least = W - (bound >> COUNT_BIT)
    for begin in range(0, SIDE, LANES):
        lanes = lanes_from(counts, at + begin, least)
        while lanes != np.uint64(0):
            j = begin + lowest_lane(lanes)
            lanes &= lanes - np.uint64(1)
            count = np.int64(counts[at + j])
            key = rank_key(src, node_of[left + j], count, PROXIMITY, W)
            if key <= bound:
                out[found] = key
                found += 1
    return found


@kernel
def gather_rows(
    tables: tuple[NDArray[np.uint16], NDArray[np.uint16]],
    begin: int,
    used: int,
    first: NDArray[np.int64],
    ranking: tuple[NDArray[np.int32], int, int],
    out: NDArray[np.int64],
    found: int,
) -> tuple[int, int]:
    """Write the keys up to a bound from slot `begin` on, until `out` may not hold a row more.

    Returns the slot to go on from, and how many keys `out` holds.
    """
    counts, maxima = tables
    node_of, W, bound = ranking
    least = W - (bound >> COUNT_BIT)
    last_src = bound >> NODE_BITS & NODE_MASK
    blocks = first.size
    for i in range(begin, used):
        if found + used - i > out.size:
            return i, found
        src = np.int64(node_of[i])
        for block in range(i // SIDE, blocks):
            most = maxima[i, block]
            if most < least or (most == least and min(src, first[block]) > last_src):
                continue
            at = (block * (block + 1) // 2 * SIDE + i) * SIDE
            found = gather_row(counts, at, block * SIDE, src, ranking, out, found)
    return used, found


@kernel
def sorted_by_rank(keys: NDArray[np.int64], nodes: NodeRows, W: int) -> NDArray[np.int64]:
    """Return keys sorted; where nodes are ordered, pairs of one count come in order already."""
    if not nodes.ordered:
        keys = sort_by_field(keys, 0, NODE_MASK, nodes.size)
        keys = sort_by_field(keys, NODE_BITS, NODE_MASK, nodes.size)
    return sort_by_field(keys, COUNT_BIT, 0xFFFF, W)


@kernel
def best_of_tiles(
    tables: tuple[NDArray[np.uint16], NDArray[np.uint16]],
    used: int,
    nodes: NodeRows,
    W: int,
    most: int,
    least: int,
) -> NDArray[np.int64]:
    """Return the `most` best rank keys of pairs whose count is at least `least`, sorted.

    Args:
        tables: the counts, uint16[tiles * SIDE * SIDE], and the greatest of each row, uint16[slots,
            blocks]; see `count_column`.
        used: slots in use.
        nodes: where the slots' agents stand among the nodes.
        W: the window, which no count passes.
        most: keys wanted, from 1.
        least: a count, from 1.
    """
    node_of = nodes.of_slot
    first = first_nodes(node_of, used)
    pairs = used * (used - 1) // 2
    keep = min(most, pairs)
    out = np.empty(min(_ROOM * keep, pairs) + used, dtype=np.int64)
    bound = np.int64(W - least) << COUNT_BIT | PROXIMITY << (COUNT_BIT - 1) | PAIR_MASK
    begin, found = gather_rows(tables, 0, used, first, (node_of, W, bound), out, 0)
    while begin < used:
        out[:keep] = sorted_by_rank(out[:found], nodes, W)[:keep]
        bound = out[keep - 1]
        begin, found = gather_rows(tables, begin, used, first, (node_of, W, bound), out, keep)
    return sorted_by_rank(out[:found], nodes, W)[:most]
