"""The edges a frame keeps: an exact top EDGE_CAP, with a share set aside for trades.

An edge is one number, its *rank key*: from the high bits to the low ones W - count, the type,
and the row numbers of `src` and `dst` among the frame's nodes. Rows follow ascending ids, so
sorting keys ranks edges by weight descending, `match` before `quote_proximity`, then `src`, then
`dst`. Only candidates become keys: a histogram of counts gives the smallest count that can be
kept, and where more pairs have just that count than fit, the last `src` that can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from marketcam.engine.frame import Edges, set_aside
from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "COUNT_BIT",
    "MATCH",
    "MOST_NODES",
    "NODE_BITS",
    "NODE_MASK",
    "PAIR_MASK",
    "PROXIMITY",
    "EdgeCap",
    "NodeRows",
    "rank_key",
    "sort_by_field",
    "sort_keys",
    "threshold",
]

MATCH: Final = 0
PROXIMITY: Final = 1

NODE_BITS: Final = 23
_KIND_BIT: Final = 2 * NODE_BITS
COUNT_BIT: Final = _KIND_BIT + 1
NODE_MASK: Final = (1 << NODE_BITS) - 1
PAIR_MASK: Final = (1 << _KIND_BIT) - 1

MOST_NODES: Final = 1 << NODE_BITS
"""Agents a window can hold: what fits into a rank key."""


class EdgeCap:
    """How many edges a frame keeps and how many of those are set aside for matches."""

    def __init__(self, W: int, cap: int, match_share: float) -> None:
        self.cap = cap
        self.reserved = set_aside(cap, match_share)
        self._weights = np.array([round(count / W, 6) for count in range(W, -1, -1)])

    def edges(
        self,
        matches: NDArray[np.int64],
        proximity: NDArray[np.int64],
        agent_id: NDArray[np.int64],
    ) -> Edges:
        """Choose among the rank keys of each type, sorted, and spell them out.

        `agent_id` are the ids of the frame's nodes. Cost: O(cap).
        """
        n = min(self.cap, matches.size + proximity.size)
        ends = np.empty((2, n), dtype=np.int64)
        kind = np.empty(n, dtype=np.int8)
        w = np.empty(n)
        spell_best((matches, proximity), self.reserved, agent_id, self._weights, ends, kind, w)
        return Edges(ends[0], ends[1], kind, w)


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


@kernel
def spell_best(
    keys: tuple[NDArray[np.int64], NDArray[np.int64]],
    reserved: int,
    agent_id: NDArray[np.int64],
    weights: NDArray[np.float64],
    ends: NDArray[np.int64],
    kind: NDArray[np.int8],
    w: NDArray[np.float64],
) -> None:
    """Fill the columns of the edges with the best of two sorted lists of rank keys, in order.

    `keys` are those of matches, of which up to `reserved` come in whatever their rank, and those of
    proximity; `ends` int64[2, n] takes the ids.
    """
    matches, proximity = keys
    n_matches, n_proximity = share_out(matches, proximity, reserved, w.size)
    i = j = 0
    for k in range(w.size):
        if j == n_proximity or (i < n_matches and matches[i] < proximity[j]):
            key = matches[i]
            i += 1
        else:
            key = proximity[j]
            j += 1
        ends[0, k] = agent_id[key >> NODE_BITS & NODE_MASK]
        ends[1, k] = agent_id[key & NODE_MASK]
        kind[k] = key >> _KIND_BIT & 1
        w[k] = weights[key >> COUNT_BIT]


@kernel
def share_out(
    matches: NDArray[np.int64], proximity: NDArray[np.int64], reserved: int, many: int
) -> tuple[int, int]:
    """Return how many of each list are among the `many` that are kept."""
    n_matches = min(reserved, matches.size)
    n_proximity = 0
    while n_matches + n_proximity < many:
        if n_proximity == proximity.size or (
            n_matches < matches.size and matches[n_matches] < proximity[n_proximity]
        ):
            n_matches += 1
        else:
            n_proximity += 1
    return n_matches, n_proximity


@kernel
def sort_keys(keys: NDArray[np.int64], nodes: int, W: int) -> NDArray[np.int64]:
    """Return rank keys of one type, sorted: a radix sort by `dst`, `src` and count.

    Pairs that came in order need the last pass only. Cost: O(keys + nodes + W).
    """
    for k in range(1, keys.size):
        if (keys[k] & PAIR_MASK) < (keys[k - 1] & PAIR_MASK):
            keys = sort_by_field(keys, 0, NODE_MASK, nodes)
            keys = sort_by_field(keys, NODE_BITS, NODE_MASK, nodes)
            break
    return sort_by_field(keys, COUNT_BIT, 0xFFFF, W)


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
def rank_key(a: int, b: int, count: int, kind: int, W: int) -> int:
    """Compose the rank key of an edge between the nodes at rows `a` and `b`."""
    src = np.int64(min(a, b))
    dst = np.int64(max(a, b))
    return int(np.int64(W - count) << COUNT_BIT | kind << _KIND_BIT | src << NODE_BITS | dst)
