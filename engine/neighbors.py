"""The `neighbors` rule: agents next to each other in a side's price order, and within eps.

It costs O(N) a tick and memory for the pairs that occurred, never N². It is what the first
implementation did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from marketcam.engine.count_edges import keys_from_counts
from marketcam.engine.crew import Crew
from marketcam.engine.edges import MOST_NODES, PROXIMITY
from marketcam.engine.jit import kernel
from marketcam.engine.pair_counts import PairCounts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.edges import NodeRows
    from marketcam.engine.quotes import QuoteBlock

__all__ = ["NeighborCounts"]

_BUY: Final = 1
_SELL: Final = 2
_FEW_QUOTES: Final = 1 << 12  # in a block; sorted sooner than a second thread is there to help
_TICKS_AT_ONCE: Final = 16  # their pairs wait side by side
_FEW: Final = 48  # quotes that are sorted by insertion
_MANY: Final = 2048  # quotes from which larger digits pay
_SIGN: Final = 63
_MAGNITUDE: Final = 2**63 - 1
_MINUS_ZERO: Final = -(2**63)


class _Desk(NamedTuple):
    """Room to sort the quotes of one side of a tick, two of each to pass back and forth between.

    Attributes:
        keys: int64[2, capacity], prices as whole numbers of the same order.
        prices: float64[2, capacity], the same memory read as doubles.
        slots: int32[2, capacity].
        begin: int64[2**11 + 1], where the quotes with a digit go.
    """

    keys: NDArray[np.int64]
    prices: NDArray[np.float64]
    slots: NDArray[np.int32]
    begin: NDArray[np.int64]

    @classmethod
    def for_slots(cls, capacity: int) -> _Desk:
        keys = np.empty((2, capacity), dtype=np.int64)
        slots = np.empty((2, capacity), dtype=np.int32)
        return cls(keys, keys.view(np.float64), slots, np.empty(2**11 + 1, dtype=np.int64))


class NeighborCounts:
    """Windowed counts of the pairs of slots that were neighbors.

    Args:
        W: ticks of the window.
        crew: threads to sort and to count with.
    """

    def __init__(self, W: int, crew: Crew | None = None) -> None:
        self._crew = crew or Crew()
        self._counts = PairCounts(W, self._crew)
        self._capacity = 0
        self._desks: list[_Desk] = []
        self._pairs = np.empty((0, 0, 2), dtype=np.int32)

    @property
    def most_agents(self) -> int:
        """Agents a window can hold."""
        return MOST_NODES

    def limit(self, agents: int) -> str:
        """Say why `agents` agents are too many."""
        return f"a frame has at most {MOST_NODES} nodes, not {agents}"

    def clear(self) -> None:
        """Forget everything; the room stays."""
        self._counts.clear()

    def make_room(self, used: int, capacity: int) -> None:
        """Make room for slots below `capacity`; how many are `used` does not matter."""
        if capacity > self._capacity:
            self._capacity = capacity
            self._desks = []
            self._pairs = np.empty((0, 0, 2), dtype=np.int32)
            self._counts.make_room(capacity)

    def take(self, block: QuoteBlock) -> None:
        """Take in the quotes of a block of ticks. Cost: O(N) a tick, ticks side by side."""
        by_id = _slots_by_id(block.ids[: block.used])
        for first in range(0, block.size, _TICKS_AT_ONCE):
            self._take_ticks(block, first, min(block.size, first + _TICKS_AT_ONCE), by_id)

    def fill(self, first: int, t: int, used: int) -> None:
        """Do nothing: pairs that wait are counted in good time."""

    def best(self, t0: int, t: int, used: int, nodes: NodeRows, most: int) -> NDArray[np.int64]:
        """Return the rank keys of the `most` best edges of the window, sorted."""
        self._counts.settle(t)
        return keys_from_counts(self._counts, PROXIMITY, nodes, most)

    def _take_ticks(
        self, block: QuoteBlock, first: int, end: int, by_id: NDArray[np.int32]
    ) -> None:
        ticks = end - first
        hands = min(self._crew.size, ticks) if ticks * block.used > _FEW_QUOTES else 1
        self._lay_out(ticks, hands)
        found = [0] * ticks

        def take_turns(hand: int) -> None:
            for row in range(first + hand, end, hands):
                found[row - first] = neighbor_pairs(
                    (block.price[row].view(np.int64), block.side[row]),
                    by_id,
                    float(block.eps[row]),
                    self._desks[hand],
                    self._pairs[row - first],
                )

        if hands == 1:
            take_turns(0)
        else:
            self._crew.share(take_turns, hands)
        for row, many in enumerate(found):
            self._counts.note(block.t + first + row, self._pairs[row, :many])

    def _lay_out(self, ticks: int, hands: int) -> None:
        """Have room for the pairs of so many ticks and for so many hands."""
        if len(self._pairs) < ticks:
            self._pairs = np.empty((ticks, self._capacity, 2), dtype=np.int32)
        while len(self._desks) < hands:
            self._desks.append(_Desk.for_slots(self._capacity))


def _slots_by_id(ids: NDArray[np.int64]) -> NDArray[np.int32]:
    if bool((ids[1:] > ids[:-1]).all()):
        return np.arange(ids.size, dtype=np.int32)
    return ids.argsort(kind="stable").astype(np.int32)


@kernel
def neighbor_pairs(
    quotes: tuple[NDArray[np.int64], NDArray[np.int8]],
    by_id: NDArray[np.int32],
    eps: float,
    desk: _Desk,
    pairs: NDArray[np.int32],
) -> int:
    """Write the pairs of neighbors on each side of a tick; return how many.

    `quotes` are the prices by slot, as the bits of doubles, and the sides; `by_id` the slots by
    ascending id; `eps` is NaN where there are to be none.
    """
    price_bits, side = quotes
    found = 0
    if np.isnan(eps):
        return found
    for of_side in (_BUY, _SELL):
        many = lay_out(price_bits, side, of_side, by_id, desk)
        row = sort_by_insertion(many, desk) if many <= _FEW else sort_by_digits(many, desk)
        restore_prices(many, row, desk)
        price, slots = desk.prices[row], desk.slots[row]
        for k in range(1, many):
            if float(price[k]) - float(price[k - 1]) <= eps:  # interpreted: without a warning
                pairs[found, 0] = slots[k - 1]
                pairs[found, 1] = slots[k]
                found += 1
    return found


@kernel
def lay_out(
    price_bits: NDArray[np.int64],
    side: NDArray[np.int8],
    of_side: int,
    by_id: NDArray[np.int32],
    desk: _Desk,
) -> int:
    """Put the quotes of a side on the desk by ascending id; return how many.

    As whole numbers, doubles from 0 up are in order; those below are when their magnitude is
    turned round. Minus zero is made zero, so that they are equal.
    """
    many = 0
    keys, slots = desk.keys[0], desk.slots[0]
    for slot in by_id:
        bits = price_bits[slot]
        if bits < 0:
            bits = np.int64(0) if bits == _MINUS_ZERO else bits ^ _MAGNITUDE
        keys[many] = bits
        slots[many] = slot
        many += int(side[slot] == of_side)
        if many == keys.size:
            break
    return many


@kernel
def restore_prices(many: int, row: int, desk: _Desk) -> None:
    """Turn whole numbers back into the bits of the prices."""
    keys = desk.keys[row]
    for k in range(many):
        bits = keys[k]
        keys[k] = bits if bits >= 0 else bits ^ _MAGNITUDE


@kernel
def sort_by_insertion(many: int, desk: _Desk) -> int:
    """Sort a few quotes by price, equal ones staying in their order; return where they are."""
    keys, slots = desk.keys[0], desk.slots[0]
    for k in range(1, many):
        key, slot = keys[k], slots[k]
        at = k
        while at > 0 and keys[at - 1] > key:
            keys[at] = keys[at - 1]
            slots[at] = slots[at - 1]
            at -= 1
        keys[at] = key
        slots[at] = slot
    return 0


@kernel
def sort_by_digits(many: int, desk: _Desk) -> int:
    """Sort quotes by price, equal ones staying in their order; return in which row they are.

    A radix sort from the lowest to the highest bit in which any two prices differ: 5 passes for
    prices between two powers of two, none if all are equal. Cost: O(quotes).
    """
    keys = desk.keys[0]
    differing = np.int64(0)
    for k in range(1, many):
        differing |= keys[k] ^ keys[0]
    bits = 11 if many > _MANY else 8
    row = 0
    shift = 0
    while shift <= _SIGN and differing >> shift != 0:
        if (differing >> shift) & 1 == 0:
            shift += 1
            continue
        sort_by_digit(many, (shift, bits), row, desk)
        row = 1 - row
        if differing < 0 and shift + bits > _SIGN:
            break  # that was the sign, of which a shift makes no end
        shift += bits
    return row


@kernel
def sort_by_digit(many: int, digit: tuple[int, int], row: int, desk: _Desk) -> None:
    """Pass the quotes on from one row of the desk to the other, sorted by a digit.

    `digit` is its lowest bit and how many bits it has. Where the sign is among them, it is turned
    round: what is negative comes first.
    """
    shift, bits = digit
    mask = (1 << bits) - 1
    turned = 0
    if shift + bits > _SIGN:
        mask = (1 << (_SIGN + 1 - shift)) - 1
        turned = 1 << (_SIGN - shift)
    keys, slots, begin = desk.keys[row], desk.slots[row], desk.begin
    to_keys, to_slots = desk.keys[1 - row], desk.slots[1 - row]
    for value in range(mask + 2):
        begin[value] = 0
    for k in range(many):
        begin[(((keys[k] >> shift) & mask) ^ turned) + 1] += 1
    for value in range(mask):
        begin[value + 1] += begin[value]
    for k in range(many):
        value = ((keys[k] >> shift) & mask) ^ turned
        at = begin[value]
        begin[value] = at + 1
        to_keys[at] = keys[k]
        to_slots[at] = slots[k]
