"""Counts of pairs of many slots, in hash tables that are read one cache line a pair.

Of the pairs of a large window nearly all occur once: with 100,000 agents that quote at random, 30
million pairs live under `neighbors` and 90,000 of them occur twice. So a pair that occurs once is
just present, in a *bucket* of sixteen 32-bit places, a cache line. A pair that occurs again moves
to a small table with counts, the *repeated* ones, and back when it occurs once again. A pair that
finds its bucket full stands among the repeated ones, too, with a count of 1.

A bucket need not hold whole pairs. A pair is 46 bits, two slots; a reversible mixing permutes the
46-bit numbers; the upper bits of the result choose the bucket and the rest, at most 31 bits,
stands in it (*quotienting*: Knuth, TAOCP 3, section 6.4, exercise 13). Whatever meets in a bucket
is told apart exactly.

Pairs are taken in batches. A first pass reads one place of every bucket of the batch: these reads
wait for memory together and not one after the other.

The upper bits of a mixed pair also choose its *share*: shares are tables of their own, one for
each thread of the crew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from marketcam.engine.bucket_search import PLACES, where
from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.crew import Crew

__all__ = [
    "REPEATED",
    "SINGLE",
    "VACANT",
    "PairBuckets",
    "Share",
    "rehash",
    "rest_bits",
    "split_buckets",
    "unmixed",
]

_SLOT_BITS: Final = 23
_PAIR_BITS: Final = 2 * _SLOT_BITS
_PAIR_MASK: Final = (1 << _PAIR_BITS) - 1
_ODD_1: Final = 0x1E3779B97F4B  # odd numbers below 2**46 without a pattern …
_ODD_2: Final = 0x25F4914F6CDD
_INVERSE_1: Final = pow(_ODD_1, -1, 1 << _PAIR_BITS)  # … and what undoes multiplying by them
_INVERSE_2: Final = pow(_ODD_2, -1, 1 << _PAIR_BITS)

VACANT: Final = 0xFFFFFFFF
"""What stands at a vacant place of a bucket: no 31 bits."""
_NONE: Final = -1  # what stands at a vacant place among the repeated pairs
_BUCKET_BITS: Final = 15  # of all shares together, at least: 46 - 15 = 31
_MOST_SHARES: Final = 4  # every share reads all pairs and takes up its own
_BATCH: Final = 256
_SMALLEST: Final = 1024
_FULL: Final = 0.7  # of the places of the buckets; beyond it, one bucket in sixteen overflows

SINGLE: Final = 0  # tally[SINGLE]: pairs in buckets
REPEATED: Final = 1  # tally[REPEATED]: pairs in the table with counts; behind it, by their count


class Share(NamedTuple):
    """The table of the pairs whose mixed number begins with the share's.

    Attributes:
        prefix: what the share's mixed pairs begin with.
        bits: how many of their upper bits that is.
        buckets: uint32[buckets * 16], aligned to cache lines, `VACANT` where nothing stands.
        keys: int64[size], a power of two: mixed pairs by open addressing, -1 where none stands.
        counts: int32[size], their counts.
        tally: int64[W + 2], see `SINGLE` and `REPEATED`; counts are capped at W.
        batch: int64[batch + 1], room for mixed pairs; the last is where reads ahead leave a trace.
    """

    prefix: int
    bits: int
    buckets: NDArray[np.uint32]
    keys: NDArray[np.int64]
    counts: NDArray[np.int32]
    tally: NDArray[np.int64]
    batch: NDArray[np.int64]


class PairBuckets:
    """How often each pair of slots below 2**23 occurs.

    Attributes:
        W: counts are capped at it in histograms.
        shares: the tables, of separate pairs.

    Memory: 4 bytes a place at a load of 0.35 to 0.7 by the most pairs there were, and 12 bytes a
    place for the pairs that occur more than once at a load of 0.06 to 0.5.
    """

    def __init__(self, W: int, crew: Crew) -> None:
        self.W = W
        self._crew = crew
        self.clear()

    def clear(self) -> None:
        """Forget all counts, and the room they took."""
        bits = min(self._crew.size, _MOST_SHARES).bit_length() - 1
        self.shares = [_empty_share(prefix, bits, self.W) for prefix in range(1 << bits)]

    def slide(
        self, ring: NDArray[np.int64], spans: tuple[int, int, int, int], *, alone: bool
    ) -> None:
        """Uncount some pairs of a ring and count others; `alone`: on this thread only.

        `spans` says where those that leave begin and how many they are, and the same of those
        that enter. Cost: O(pairs), two or three cache lines each.
        """
        out, leaving, into, entering = spans

        def slide_one(index: int) -> None:
            self._slide_share(index, ring, (out, leaving), entering=False)
            self._slide_share(index, ring, (into, entering), entering=True)

        if alone:
            for index in range(len(self.shares)):
                slide_one(index)
        else:
            self._crew.share(slide_one, len(self.shares))

    def _slide_share(
        self, index: int, ring: NDArray[np.int64], span: tuple[int, int], *, entering: bool
    ) -> None:
        begin, many = span
        while many:
            share = self._with_room(self.shares[index])
            self.shares[index] = share
            done = slide_share(ring, begin, many, entering, share)
            begin = (begin + done) % ring.size
            many -= done

    def _with_room(self, share: Share) -> Share:
        """Return the share with room for a batch, grown or shrunk."""
        while share.tally[SINGLE] + _BATCH > _FULL * share.buckets.size:
            buckets = _aligned(2 * share.buckets.size)
            split_buckets(share, buckets)
            share = share._replace(buckets=buckets)
        needed = 2 * (int(share.tally[REPEATED]) + _BATCH)
        size = share.keys.size
        if size < needed or (size > _SMALLEST and size > 8 * needed):
            size = _SMALLEST
            while size < needed:
                size *= 2
            wider = share._replace(keys=np.full(size, _NONE), counts=np.zeros(size, np.int32))
            rehash(share, wider)
            share = wider
        return share


def _empty_share(prefix: int, bits: int, W: int) -> Share:
    buckets = _aligned(PLACES << (_BUCKET_BITS - bits))
    buckets.fill(VACANT)
    return Share(
        prefix=prefix,
        bits=bits,
        buckets=buckets,
        keys=np.full(_SMALLEST, _NONE),
        counts=np.zeros(_SMALLEST, dtype=np.int32),
        tally=np.zeros(W + 2, dtype=np.int64),
        batch=np.zeros(_BATCH + 1, dtype=np.int64),
    )


def _aligned(size: int) -> NDArray[np.uint32]:
    """Return room for `size` places that begins with a cache line."""
    room = np.empty(size + PLACES, dtype=np.uint32)
    begin = -room.ctypes.data % (4 * PLACES) // 4
    return room[begin : begin + size]


# The interpreter must compute what compiled code does: `int` keeps numbers from being int64 there,
# whose products would overflow; compiled, they wrap modulo 2**64, and 46 bits of that are kept.


@kernel
def mixed(key: int) -> int:
    """Permute the 46-bit numbers, so that upper bits depend on all; `key` is a ring's."""
    x = int(key)
    x = (((x >> 32) << _SLOT_BITS | (x & 0xFFFFFFFF)) * _ODD_1) & _PAIR_MASK
    return ((x ^ (x >> _SLOT_BITS)) * _ODD_2) & _PAIR_MASK


@kernel
def unmixed(number: int) -> tuple[int, int]:
    """Return the slots whose pair was mixed into `number`."""
    x = (int(number) * _INVERSE_2) & _PAIR_MASK
    x = ((x ^ (x >> _SLOT_BITS)) * _INVERSE_1) & _PAIR_MASK
    return x >> _SLOT_BITS, x & ((1 << _SLOT_BITS) - 1)


@kernel
def rest_bits(share: Share) -> int:
    """Return how many bits of a mixed pair stand in a bucket."""
    rest = _PAIR_BITS - share.bits
    buckets = share.buckets.size // PLACES
    while buckets > 1:
        buckets >>= 1
        rest -= 1
    return rest


@kernel
def slide_share(
    ring: NDArray[np.int64], begin: int, many: int, entering: bool, share: Share
) -> int:
    """Count or uncount `many` pairs of a ring, as far as there is room; return how many."""
    buckets, keys, counts, tally = share.buckets, share.keys, share.counts, share.tally
    batch = share.batch
    rest = rest_bits(share)
    room = batch.size - 1
    done = 0
    while (
        done < many
        and tally[REPEATED] <= keys.size // 2 - room
        and tally[SINGLE] <= _FULL * buckets.size - room
    ):
        seen = min(many - done, room)
        found = next_batch(ring, begin, seen, (share.bits, share.prefix), batch)
        read_ahead(found, rest, batch, buckets)
        if entering or tally[REPEATED] > tally[SINGLE]:
            read_repeated_ahead(found, batch, keys, counts)
        if entering:
            count_batch(batch[:found], rest, buckets, keys, counts, tally)
        else:
            uncount_batch(batch[:found], rest, buckets, keys, counts, tally)
        begin += seen
        begin -= ring.size if begin >= ring.size else 0
        done += seen
    return done


@kernel
def next_batch(
    ring: NDArray[np.int64],
    begin: int,
    many: int,
    chosen: tuple[int, int],
    batch: NDArray[np.int64],
) -> int:
    """Of the next `many` pairs in the ring, put those of a share in its batch; return how many.

    Written without a branch: which share a pair belongs to cannot be foretold.
    """
    bits, prefix = chosen
    shift = _PAIR_BITS - bits
    found = 0
    for _ in range(many):
        number = mixed(ring[begin])
        batch[found] = number
        found += int((number >> shift) == prefix)
        begin = begin + 1 if begin + 1 < ring.size else 0
    return found


@kernel
def read_ahead(
    found: int, rest: int, batch: NDArray[np.int64], buckets: NDArray[np.uint32]
) -> None:
    """Read a place of every bucket that the batch will need."""
    trace = np.int64(0)
    for k in range(found):
        trace |= np.int64(buckets[bucket_of(batch[k], rest, buckets)])
    batch[batch.size - 1] = trace


@kernel
def read_repeated_ahead(
    found: int, batch: NDArray[np.int64], keys: NDArray[np.int64], counts: NDArray[np.int32]
) -> None:
    """Read where the pairs of the batch stand if they are repeated."""
    trace = np.int64(0)
    for k in range(found):
        at = home(batch[k], keys.size)
        trace |= keys[at] | np.int64(counts[at])
    batch[batch.size - 1] = trace


@kernel
def bucket_of(number: int, rest: int, buckets: NDArray[np.uint32]) -> int:
    """Return where the bucket of a mixed pair begins."""
    return ((number >> rest) & (buckets.size // PLACES - 1)) * PLACES


# What nearly all pairs need stands in the loops of the next two; a call with so many arrays for
# every pair made an update take half as long again.


@kernel
def count_batch(
    batch: NDArray[np.int64],
    rest: int,
    buckets: NDArray[np.uint32],
    keys: NDArray[np.int64],
    counts: NDArray[np.int32],
    tally: NDArray[np.int64],
) -> None:
    """Count mixed pairs: once occurred, they stand in a bucket, else among the repeated ones."""
    singles = 0
    for number in batch:
        first = bucket_of(number, rest, buckets)
        short = number & ((1 << rest) - 1)
        place = where(buckets, first, short)
        if place >= 0:
            buckets[first + place] = VACANT
            singles -= 1
            add_repeated(number, 2, keys, counts, tally)
        elif keys[home(number, keys.size)] == _NONE or keys[find(number, keys)] == _NONE:
            vacant = where(buckets, first, VACANT)
            if vacant >= 0:
                buckets[first + vacant] = short
                singles += 1
            else:
                add_repeated(number, 1, keys, counts, tally)
        else:
            add_repeated(number, 1, keys, counts, tally)
    tally[SINGLE] += singles


@kernel
def uncount_batch(
    batch: NDArray[np.int64],
    rest: int,
    buckets: NDArray[np.uint32],
    keys: NDArray[np.int64],
    counts: NDArray[np.int32],
    tally: NDArray[np.int64],
) -> None:
    """Uncount mixed pairs that were counted."""
    singles = 0
    for number in batch:
        first = bucket_of(number, rest, buckets)
        short = number & ((1 << rest) - 1)
        place = where(buckets, first, short)
        if place >= 0:
            buckets[first + place] = VACANT
            singles -= 1
        elif take_repeated(number, keys, counts, tally) == 1:
            vacant = where(buckets, first, VACANT)
            if vacant >= 0:
                take_repeated(number, keys, counts, tally)
                buckets[first + vacant] = short
                singles += 1
    tally[SINGLE] += singles


@kernel
def add_repeated(
    number: int,
    times: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int32],
    tally: NDArray[np.int64],
) -> None:
    """Count a pair among the repeated ones so many times more."""
    at = find(number, keys)
    if keys[at] == _NONE:
        keys[at] = number
        tally[REPEATED] += 1
    else:
        tally[column(counts[at], tally)] -= 1
    counts[at] += times
    tally[column(counts[at], tally)] += 1


@kernel
def take_repeated(
    number: int, keys: NDArray[np.int64], counts: NDArray[np.int32], tally: NDArray[np.int64]
) -> int:
    """Uncount one of the repeated pairs; return how often it still occurs."""
    at = find(number, keys)
    tally[column(counts[at], tally)] -= 1
    left = int(counts[at]) - 1
    if left == 0:
        close_gap(at, keys, counts)
        tally[REPEATED] -= 1
    else:
        counts[at] = left
        tally[column(left, tally)] += 1
    return left


@kernel
def column(count: int, tally: NDArray[np.int64]) -> int:
    """Return where a tally keeps the number of repeated pairs with a count, capped at W."""
    at = int(count) + REPEATED
    return at if at < tally.size else tally.size - 1


@kernel
def home(number: int, size: int) -> int:
    """Return the place a mixed pair would take in an empty table of `size`, a power of two."""
    return (int(number) ^ (int(number) >> 20)) & (size - 1)


@kernel
def find(number: int, keys: NDArray[np.int64]) -> int:
    """Return where a mixed pair stands in the table, or would stand."""
    at = home(number, keys.size)
    while keys[at] not in (number, _NONE):
        at = (at + 1) & (keys.size - 1)
    return at


@kernel
def close_gap(gap: int, keys: NDArray[np.int64], counts: NDArray[np.int32]) -> None:
    """Empty a place, moving back the entries that were pushed past it.

    Knuth, TAOCP 3, section 6.4, algorithm R.
    """
    mask = keys.size - 1
    at = (gap + 1) & mask
    while keys[at] != _NONE:
        if ((at - home(keys[at], keys.size)) & mask) >= ((at - gap) & mask):
            keys[gap] = keys[at]
            counts[gap] = counts[at]
            gap = at
        at = (at + 1) & mask
    keys[gap] = _NONE
    counts[gap] = 0


@kernel
def split_buckets(share: Share, buckets: NDArray[np.uint32]) -> None:
    """Hand the pairs of each bucket on to two, in a table twice as large."""
    bit = rest_bits(share) - 1
    for first in range(0, share.buckets.size, PLACES):
        left, right = 2 * first, 2 * first + PLACES
        for place in range(2 * PLACES):
            buckets[left + place] = VACANT
        for place in range(first, first + PLACES):
            short = np.int64(share.buckets[place])
            if short == VACANT:
                continue
            if short >> bit:
                buckets[right] = short - (1 << bit)
                right += 1
            else:
                buckets[left] = short
                left += 1


@kernel
def rehash(share: Share, wider: Share) -> None:
    """Move the repeated pairs into a larger or smaller table, which is empty."""
    for place in range(share.keys.size):
        if share.keys[place] != _NONE:
            at = find(share.keys[place], wider.keys)
            wider.keys[at] = share.keys[place]
            wider.counts[at] = share.counts[place]
