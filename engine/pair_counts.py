"""How often each pair of slots occurred in the window, for rules with few pairs a tick.

Serves match edges and the `neighbors` rule. The pairs of each tick wait in a ring until the tick
leaves the window; counts stand in an open-addressing table with linear probing. Deletion
shifts entries back (Knuth, TAOCP 3, section 6.4, algorithm R), so that the table holds just the
pairs of the window and never has to be cleaned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SLOT_BITS", "PairCounts"]

_EMPTY: Final = -1
_SMALLEST: Final = 256
_BEGIN: Final = 0  # head[_BEGIN]: where the oldest pair waits in the ring
_WAITING: Final = 1  # head[_WAITING]: pairs in the ring
_LIVE: Final = 2  # head[_LIVE]: places taken in the table
SLOT_BITS: Final = 32
"""Where the lower slot begins in a key."""


class PairCounts:
    """Windowed counts of unordered pairs of slots.

    Attributes:
        keys: int64[size], ``lower slot << 32 | higher slot``, -1 where a place is empty.
        counts: int32[size], occurrences in the window.
        histogram: int64[W + 1], the number of pairs by count, counts capped at W; entry 0
            means nothing.

    Memory: 12 bytes a place at a load of at most one half, 8 bytes an occurrence.
    """

    def __init__(self, W: int) -> None:
        self._W = W
        self.keys = np.full(_SMALLEST, _EMPTY, dtype=np.int64)
        self.counts = np.zeros(_SMALLEST, dtype=np.int32)
        self.histogram = np.zeros(W + 1, dtype=np.int64)
        self._ring = np.empty(_SMALLEST, dtype=np.int64)
        self._head = np.zeros(3, dtype=np.int64)
        self._per_tick = np.zeros(W, dtype=np.int64)

    def clear(self) -> None:
        """Forget everything; the room stays."""
        self.keys.fill(_EMPTY)
        self.counts.fill(0)
        self.histogram.fill(0)
        self._per_tick.fill(0)
        self._head.fill(0)

    def advance(self, t: int, pairs: NDArray[np.int32]) -> None:
        """Take in the pairs of tick `t`, int32[M, 2], and let go of those of tick ``t - W``.

        Rows with a negative slot do not count. Cost: O(pairs in + pairs out).
        """
        place = t % self._W
        leaving = int(self._per_tick[place])
        self._per_tick[place] = len(pairs)
        if len(pairs) or leaving:
            self._reserve(len(pairs))
            slide(
                pairs, leaving, self._ring, self._head, self.keys, self.counts, self.histogram
            )  # fmt: skip

    def _reserve(self, more: int) -> None:
        """Double the ring and the table until `more` pairs fit."""
        waiting, live = int(self._head[_WAITING]), int(self._head[_LIVE])
        if waiting + more > self._ring.size:
            size = _doubled(self._ring.size, waiting + more)
            unrolled = np.roll(self._ring, -int(self._head[_BEGIN]))[:waiting]
            self._ring = np.empty(size, dtype=np.int64)
            self._ring[:waiting] = unrolled
            self._head[_BEGIN] = 0
        if 2 * (live + more) > self.keys.size:
            keys, counts = self.keys, self.counts
            size = _doubled(keys.size, 2 * (live + more))
            self.keys = np.full(size, _EMPTY, dtype=np.int64)
            self.counts = np.zeros(size, dtype=np.int32)
            rehash(keys, counts, self.keys, self.counts)


def _doubled(size: int, needed: int) -> int:
    while size < needed:
        size *= 2
    return size


@kernel
def home(key: int, size: int) -> int:
    """Return the place a key would take in an empty table of `size`, a power of two."""
    mixed = ((key >> SLOT_BITS) * 0x9E3779B1 ^ (key & 0xFFFFFFFF) * 0x85EBCA6B) & 0x7FFFFFFF
    return (mixed * 0x9E3779B1 >> 15) & (size - 1)


@kernel
def find(key: int, keys: NDArray[np.int64]) -> int:
    """Return where `key` stands in the table, or would stand."""
    at = home(key, keys.size)
    while keys[at] not in (key, _EMPTY):
        at = (at + 1) & (keys.size - 1)
    return at


@kernel
def slide(
    pairs: NDArray[np.int32],
    leaving: int,
    ring: NDArray[np.int64],
    head: NDArray[np.int64],
    keys: NDArray[np.int64],
    counts: NDArray[np.int32],
    histogram: NDArray[np.int64],
) -> None:
    """Let go of the `leaving` oldest pairs in the ring and take in new ones."""
    head[_LIVE] -= remove_pairs(ring, head[_BEGIN], leaving, keys, counts, histogram)
    head[_BEGIN] = (head[_BEGIN] + leaving) % ring.size
    head[_WAITING] -= leaving
    end = (head[_BEGIN] + head[_WAITING]) % ring.size
    head[_LIVE] += add_pairs(pairs, ring, end, keys, counts, histogram)
    head[_WAITING] += pairs.shape[0]


@kernel
def add_pairs(
    pairs: NDArray[np.int32],
    ring: NDArray[np.int64],
    end: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int32],
    histogram: NDArray[np.int64],
) -> int:
    """Count the pairs and note them at ring[end:]; return how many are new to the window."""
    new = 0
    top = histogram.size - 1
    for k in range(pairs.shape[0]):
        a = np.int64(pairs[k, 0])
        b = np.int64(pairs[k, 1])
        key = _EMPTY if a < 0 or b < 0 else min(a, b) << SLOT_BITS | max(a, b)
        ring[end] = key
        end = end + 1 if end + 1 < ring.size else 0
        if key == _EMPTY:
            continue
        at = find(int(key), keys)
        if keys[at] == _EMPTY:
            keys[at] = key
            new += 1
        histogram[min(counts[at], top)] -= 1
        counts[at] += 1
        histogram[min(counts[at], top)] += 1
    return new


@kernel
def remove_pairs(
    ring: NDArray[np.int64],
    begin: int,
    many: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int32],
    histogram: NDArray[np.int64],
) -> int:
    """Uncount `many` pairs noted at ring[begin:]; return how many left the window."""
    gone = 0
    top = histogram.size - 1
    for _ in range(many):
        key = ring[begin]
        begin = begin + 1 if begin + 1 < ring.size else 0
        if key == _EMPTY:
            continue
        at = find(key, keys)
        histogram[min(counts[at], top)] -= 1
        counts[at] -= 1
        histogram[min(counts[at], top)] += 1
        if counts[at] == 0:
            close_gap(at, keys, counts)
            gone += 1
    return gone


@kernel
def close_gap(gap: int, keys: NDArray[np.int64], counts: NDArray[np.int32]) -> None:
    """Empty a place, moving back the entries that were pushed past it."""
    mask = keys.size - 1
    at = (gap + 1) & mask
    while keys[at] != _EMPTY:
        if ((at - home(keys[at], keys.size)) & mask) >= ((at - gap) & mask):
            keys[gap] = keys[at]
            counts[gap] = counts[at]
            gap = at
        at = (at + 1) & mask
    keys[gap] = _EMPTY
    counts[gap] = 0


@kernel
def rehash(
    keys: NDArray[np.int64],
    counts: NDArray[np.int32],
    new_keys: NDArray[np.int64],
    new_counts: NDArray[np.int32],
) -> None:
    """Move all entries into a larger, empty table."""
    for k in range(keys.size):
        if keys[k] != _EMPTY:
            at = find(keys[k], new_keys)
            new_keys[at] = keys[k]
            new_counts[at] = counts[k]
