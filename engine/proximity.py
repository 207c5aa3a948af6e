"""The `pairs` rule: in how many ticks of the window each two agents quoted within eps.

Ticks are kept as prices while agents are few (`priced_ticks.py`), as ranks beyond that
(`ranked_ticks.py`). Once a stride a pass over the counts of all pairs adds the ticks that came and
takes away those that left, and the best edges are picked from the rows that can hold any
(`tile_edges.py`). Where there is much to do, a crew of threads shares it; what comes out depends on
neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine.crew import Crew
from marketcam.engine.edges import COUNT_BIT
from marketcam.engine.lanes import SIDE
from marketcam.engine.priced_ticks import PRICED_UP_TO, PricedTicks
from marketcam.engine.ranked_ticks import RankedTicks
from marketcam.engine.tile_counts import TICKS_A_PASS, Change
from marketcam.engine.tile_edges import best_of_tiles
from marketcam.engine.tiles import (
    MOST_SLOTS,
    block_count,
    kept_ticks,
    most_agents,
    pair_table_bytes,
    tile_count,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.edges import NodeRows
    from marketcam.engine.quotes import QuoteBlock

__all__ = ["PairTable"]

_NO_KEYS = np.empty(0, dtype=np.int64)


class PairTable:
    """Windowed counts of all pairs of slots, updated once a stride.

    Memory: `pair_table_bytes`.

    Args:
        W: window in ticks.
        stride: ticks between frames.
        budget: bytes that the table may take.
        crew: who shares the work; a crew of its own if not given.
    """

    def __init__(self, W: int, stride: int, budget: int, *, crew: Crew | None = None) -> None:
        self._W = W
        self._budget = budget
        self._crew = crew or Crew()
        self._rows = kept_ticks(W, stride)
        self._incremental = self._rows > W
        self._ticks: PricedTicks | RankedTicks = PricedTicks(self._rows, 0)
        self._counts = np.zeros(0, dtype=np.uint16)
        self._maxima = np.zeros((0, 0), dtype=np.uint16)
        self.clear()

    def clear(self) -> None:
        """Forget everything; the room stays."""
        self._ticks.clear()
        self._guess = 1
        self._counted: range | None = None  # the ticks counted

    @property
    def most_agents(self) -> int:
        """Agents a window can hold within the budget."""
        return most_agents(self._budget, self._rows)

    def limit(self, agents: int) -> str:
        """Say why `agents` agents are too many, and the ways out."""
        if agents > MOST_SLOTS:
            return (
                f"the proximity rule 'pairs' counts {MOST_SLOTS} agents at most, whatever the "
                "memory; choose the rule 'neighbors' (IG_CAM_PROXIMITY)"
            )
        needed = pair_table_bytes(agents, self._rows)
        return (
            f"the proximity rule 'pairs' would need {_mebibytes(needed)} MiB of the "
            f"{_mebibytes(self._budget)} MiB it may take; raise pair_budget_bytes "
            "(IG_CAM_PAIR_BUDGET_BYTES) or choose the rule 'neighbors' (IG_CAM_PROXIMITY)"
        )

    def make_room(self, used: int, capacity: int) -> None:
        """Make room for `used` slots; how many of more the caller has room for does not matter."""
        blocks = block_count(used)
        if blocks <= self._maxima.shape[1]:
            return
        slots = blocks * SIDE
        if isinstance(self._ticks, PricedTicks) and slots > PRICED_UP_TO:
            ranked = RankedTicks(self._rows, slots, self._crew)
            ranked.take_over(self._ticks, self._ticks.price.shape[1])
            self._ticks = ranked
        else:
            self._ticks.widen(slots)
        # In place where the system can, and no more than is needed: this is most of the memory.
        self._counts.resize(tile_count(used) * SIDE * SIDE, refcheck=False)
        self._maxima = np.zeros((slots, blocks), dtype=np.uint16)

    def take(self, block: QuoteBlock) -> None:
        """Take in the quotes of a block of ticks. Cost: O(N log N) a tick."""
        self._ticks.take(block)

    def fill(self, first: int, t: int, used: int) -> None:
        """Count ahead while the window still fills, so that the first frame is not late."""
        if self._incremental:
            self._count(first, t, used)

    def best(self, t0: int, t: int, used: int, nodes: NodeRows, most: int) -> NDArray[np.int64]:
        """Return the rank keys of the `most` best edges of the window from `t0` to `t`, sorted.

        Only counts of at least a guess are looked at: what the last frame kept, less one. Where
        that turns out too high, lower ones are tried.

        Cost: O(used² x ticks that came and went).
        """
        if most == 0:
            return _NO_KEYS
        self._count(t0, t, used)
        tables = self._counts, self._maxima
        while True:
            keys = best_of_tiles(tables, used, nodes, self._W, most, self._guess)
            if keys.size >= most or self._guess == 1:
                break
            self._guess //= 2
        enough = keys.size >= most
        self._guess = max(1, self._W - int(keys[-1] >> COUNT_BIT) - 1) if enough else 1
        return keys

    def _count(self, t0: int, t: int, used: int) -> None:
        """Bring the counts to the ticks from `t0` to `t`."""
        counted = self._counted
        if not self._incremental or counted is None or not self._can_follow(counted, t0, t):
            self._counts.fill(0)
            counted = range(t0, t0)
        tables = self._counts, self._maxima
        begin, end = counted.stop, counted.start
        more, fewer = t + 1 - begin, t0 - end
        while True:
            now = min(more, TICKS_A_PASS)
            gone = min(fewer, TICKS_A_PASS - now)
            self._ticks.count(tables, Change(begin, now, end, gone), used)
            begin, more, end, fewer = begin + now, more - now, end + gone, fewer - gone
            if more == fewer == 0:
                break
        self._counted = range(t0, t + 1)

    def _can_follow(self, counted: range, t0: int, t: int) -> bool:
        """Tell whether the counted ticks reach into the window and their ranks are still here."""
        return counted.start <= t0 <= counted.stop and t + 1 - counted.start <= self._rows


def _mebibytes(size: int) -> str:
    mebibytes = size / 2**20
    return f"{mebibytes:,.0f}" if mebibytes >= 10 else f"{mebibytes:.2g}"
