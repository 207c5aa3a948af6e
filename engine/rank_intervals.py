"""Ranks of a tick's prices, and for each agent the interval of ranks that lies within eps.

Sort a tick's prices. The agents within eps of agent i are those whose rank lies in one interval,
found for all agents by one sweep of two pointers. They are kept in a ring of ticks, in the form
in which tiles are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from marketcam.engine.jit import kernel
from marketcam.engine.lanes import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.quotes import QuoteBlock

__all__ = ["BYTES_PER_RANK", "RankRing", "rank_tick", "rank_ticks"]

BYTES_PER_RANK = 7


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
        for old, new in zip(self[1:], wider[1:], strict=True):
            new[:, : old.shape[1]] = old
        return wider


@kernel
def sweep(
    order: NDArray[np.int64], price: NDArray[np.float64], eps: float, row: int, ring: RankRing
) -> int:
    """Write the intervals of a tick and return its number of quotes; `order` sorts, NaN last.

    One loop that moves one of the pointers a step, without a branch to mispredict, took half the
    time at 10,000 uniform prices, but half as long again at 74, and three times where prices
    are crowded.
    """
    interval = ring.interval[row]
    quotes = 0
    while quotes < order.size and not np.isnan(price[order[quotes]]):
        quotes += 1
    low = high = 0
    for k in range(quotes):
        p = price[order[k]]
        while p - price[order[low]] > eps:
            low += 1
        while high < quotes and price[order[high]] - p <= eps:
            high += 1
        interval[order[k]] = high << 16 | low
    return quotes


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
    order: NDArray[np.int64], price: NDArray[np.float64], eps: float, row: int, ring: RankRing
) -> None:
    """Enter a tick into a row of the ring.

    `order` int64[used] sorts `price`, NaN last. A tick that makes no pairs, its eps being NaN or
    its quotes fewer than two, is entered as 0 quotes, and what else stands in its row is void.
    """
    ring.quotes[row] = 0
    used = order.size
    if np.isnan(eps) or used < 2:
        return
    whole = (used + SIDE - 1) // SIDE
    ring.members[row, :whole] = 0
    if used < whole * SIDE or np.isnan(price[order[used - 1]]):
        ring.interval[row, : whole * SIDE] = 0
        ring.place[row, : whole * SIDE] = 0
    quotes = sweep(order, price, eps, row, ring)
    if quotes > 1:
        place_members(order, quotes, row, ring)
        ring.quotes[row] = quotes


@kernel
def rank_ticks(order: NDArray[np.int64], first: int, block: QuoteBlock, ring: RankRing) -> None:
    """Enter ticks of a block into the ring, from number `first` on.

    `order` int64[ticks, used] sorts their prices, NaN last.
    """
    for k in range(first, first + order.shape[0]):
        row = (block.t + k) % ring.quotes.size
        rank_tick(order[k - first], block.price[k], block.eps[k], row, ring)
