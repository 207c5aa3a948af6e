"""Ranks of a tick's prices, and for each agent the interval of ranks that lies within eps.

Sort a tick's prices. The agents within eps of agent i are those whose rank lies in one interval,
found for all agents by one sweep of two pointers. They are kept in a ring of ticks, in the form
in which tiles are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from marketcam.engine.jit import kernel
from marketcam.engine.lanes import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.quotes import QuoteBlock

__all__ = ["BYTES_PER_RANK", "RankRing", "rank_tick", "rank_ticks"]

BYTES_PER_RANK: Final = 7

_MANY: Final = 300


class RankRing(NamedTuple):
    """The quotes of some ticks, by slot, in blocks of `SIDE` slots; tick t at row t % rows.

    Attributes:
        quotes: int64[rows], quotes of a tick; 0 where it makes no pairs.
        interval: uint32[rows, slots], an agent is within eps of the ranks from the number in the
            low 16 bits up to, and without, the one in the high 16 bits; 0 if it does not quote.
        place: uint8[rows, slots], the rank from 1 among the quotes of a slot's block; 0 without.
        member: uint16[rows, slots], the ranks of a block's quotes, ascending.
        members: uint8[rows, blocks], how many those are.
    """

    quotes: NDArray[np.int64]
    interval: NDArray[np.uint32]
    place: NDArray[np.uint8]
    member: NDArray[np.uint16]
    members: NDArray[np.uint8]

    @classmethod
    def empty(cls, rows: int, slots: int) -> RankRing:
        """Return a ring for ticks of up to `slots` agents, rounded up to whole blocks."""
        blocks = -(-slots // SIDE)
        return cls(
            quotes=np.zeros(rows, dtype=np.int64),
            interval=np.zeros((rows, blocks * SIDE), dtype=np.uint32),
            place=np.zeros((rows, blocks * SIDE), dtype=np.uint8),
            member=np.zeros((rows, blocks * SIDE), dtype=np.uint16),
            members=np.zeros((rows, blocks), dtype=np.uint8),
        )

    def widened(self, slots: int) -> RankRing:
        """Return a copy with room for more slots."""
        wider = RankRing.empty(self.quotes.size, slots)
        wider.quotes[:] = self.quotes
        slots, blocks = self.place.shape[1], self.members.shape[1]
        wider.interval[:, :slots] = self.interval
        wider.place[:, :slots] = self.place
        wider.member[:, :slots] = self.member
        wider.members[:, :blocks] = self.members
        return wider


@kernel
def sweep_few(
    ordered: NDArray[np.float64], eps: float, low: NDArray[np.uint16], above: NDArray[np.uint16]
) -> None:
    """Write for each of some ascending prices the first within eps, and the first that is not."""
    begin = end = 0
    for k in range(ordered.size):
        while ordered[k] - ordered[begin] > eps:
            begin += 1
        while end < ordered.size and ordered[end] - ordered[k] <= eps:
            end += 1
        low[k] = begin
        above[k] = end


@kernel
def sweep_many(
    ordered: NDArray[np.float64], eps: float, low: NDArray[np.uint16], above: NDArray[np.uint16]
) -> None:
    """Write what `sweep_few` writes.

    Each step moves one of two pointers without a branch, since where prices are uniform nothing
    predicts which. Reach is mutual: when `end` moves on, k is the first within its reach as well.
    """
    k = end = 0
    while end < ordered.size:
        near = int(ordered[end] - ordered[k] <= eps)
        above[k] = end
        low[end] = k
        end += near
        k += 1 - near
    above[k:] = ordered.size


@kernel
def sweep(
    ordered: NDArray[np.float64], eps: float, low: NDArray[np.uint16], above: NDArray[np.uint16]
) -> None:
    """Write for each of some ascending prices the first within eps, and the first that is not.

    With 10,000 uniform prices `sweep_many` takes half the time of `sweep_few`, with 74 half as
    long again; where all are within eps, it takes three times as long, and still less than that.
    """
    if ordered.size < _MANY:
        sweep_few(ordered, eps, low, above)
    else:
        sweep_many(ordered, eps, low, above)


@kernel
def place_members(order: NDArray[np.int64], quotes: int, row: int, ring: RankRing) -> None:
    """Rank the quotes of a tick within their blocks."""
    place = ring.place[row]
    member = ring.member[row]
    members = ring.members[row]
    for rank in range(quotes):
        slot = order[rank]
        block = slot // SIDE
        within = np.int64(members[block])
        member[block * SIDE + within] = rank
        members[block] = within + 1
        place[slot] = within + 1


@kernel
def rank_tick(
    order: NDArray[np.int64],
    price: NDArray[np.float64],
    eps: float,
    row: int,
    ring: RankRing,
    room: tuple[NDArray[np.float64], NDArray[np.uint16], NDArray[np.uint16]],
) -> None:
    """Enter a tick into a row of the ring.

    `order` int64[used] sorts `price`, NaN last; `room` is for `used` numbers in each. A tick
    that makes no pairs, its eps being NaN or its quotes fewer than two, is entered as 0 quotes,
    and what else stands in its row is void.
    """
    ring.quotes[row] = 0
    used = order.size
    if np.isnan(eps) or used < 2:
        return
    ring.members[row, :] = 0
    if used < ring.place.shape[1] or np.isnan(price[order[used - 1]]):
        ring.interval[row, :] = 0
        ring.place[row, :] = 0
    ordered, low, above = room
    quotes = 0
    while quotes < used and not np.isnan(price[order[quotes]]):
        ordered[quotes] = price[order[quotes]]
        quotes += 1
    if quotes < 2:
        return
    sweep(ordered[:quotes], eps, low[:quotes], above[:quotes])
    for rank in range(quotes):
        ring.interval[row, order[rank]] = np.int64(above[rank]) << 16 | np.int64(low[rank])
    place_members(order, quotes, row, ring)
    ring.quotes[row] = quotes


@kernel
def rank_ticks(order: NDArray[np.int64], first: int, block: QuoteBlock, ring: RankRing) -> None:
    """Enter ticks of a block into the ring, from number `first` on.

    `order` int64[ticks, used] sorts their prices, NaN last.
    """
    ends = np.empty((2, order.shape[1]), dtype=np.uint16)
    room = np.empty(order.shape[1]), ends[0], ends[1]
    for k in range(first, first + order.shape[0]):
        row = (block.t + k) % ring.quotes.size
        rank_tick(order[k - first], block.price[k], block.eps[k], row, ring, room)
