"""Counting by ranks, which costs least where agents are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.lanes import SIDE
from marketcam.engine.quotes import QuoteBlock
from marketcam.engine.rank_intervals import RankRing, rank_ticks
from marketcam.engine.tile_counts import Bench, count_columns
from marketcam.engine.tiles import block_count

if TYPE_CHECKING:
    from marketcam.engine.crew import Crew
    from marketcam.engine.priced_ticks import PricedTicks
    from marketcam.engine.tile_counts import Change, Tables

__all__ = ["RankedTicks"]

_SHARED_FROM: Final = 4 * SIDE
"""Slots from which on a crew shares the work; with fewer, waking it costs more than it saves."""


class RankedTicks:
    """The quotes of the last ticks, kept as ranks; see `rank_intervals.py`."""

    def __init__(self, rows: int, slots: int, crew: Crew) -> None:
        self._crew = crew
        self._ring = RankRing.empty(rows, slots)
        self._benches = [Bench.empty(slots)]

    def clear(self) -> None:
        """Forget the ticks."""
        self._ring.quotes.fill(0)

    def widen(self, slots: int) -> None:
        """Make room for `slots` slots, a multiple of `SIDE`."""
        self._ring = self._ring.widened(slots)
        self._benches = [Bench.empty(slots) for _ in self._benches]

    def take_over(self, ticks: PricedTicks, used: int) -> None:
        """Rank ticks that were kept as prices, of as many rows. Cost: O(rows N log N)."""
        side = np.zeros(ticks.price.shape, dtype=np.int8)  # ranks do not ask for sides or ids
        ids = np.zeros(ticks.price.shape[1], dtype=np.int64)
        self.take(QuoteBlock(0, ticks.eps.size, ticks.price, side, ticks.eps, ids, used))

    def take(self, block: QuoteBlock) -> None:
        """Take in a block of ticks. Cost: O(N log N) a tick."""
        price = block.price[: block.size, : block.used]
        if block.used < _SHARED_FROM:
            rank_ticks(price.argsort(axis=1), 0, block, self._ring)
            return

        def rank(k: int) -> None:
            rank_ticks(price[k : k + 1].argsort(axis=1), k, block, self._ring)

        self._crew.share(rank, block.size)

    def count(self, tables: Tables, change: Change, used: int) -> None:
        """Bring the counts up to date. Cost: O(used² x ticks)."""
        blocks = block_count(used)
        if used < _SHARED_FROM:
            count_columns(*tables, self._ring, change, used, (0, blocks), self._benches[0])
            return
        while len(self._benches) < self._crew.size:
            self._benches.append(Bench.empty(self._ring.place.shape[1]))
        free = self._benches.copy()

        def count(piece: int) -> None:
            column = blocks - 1 - piece  # the longest first, so that the threads end together
            bench = free.pop()
            count_columns(*tables, self._ring, change, used, (column, column + 1), bench)
            free.append(bench)

        self._crew.share(count, blocks)
