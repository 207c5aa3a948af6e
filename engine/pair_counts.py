"""How often each pair of slots occurred in the window, for rules with few pairs a tick.

Serves match edges and the `neighbors` rule. A tick's pairs are only *noted*, in a ring that keeps
them until the tick has left the window. Nothing is counted until someone asks (`settle`): then
all pairs that left and all that came since are passed on together, to a square table of counts
while slots are few (`pair_grid.py`), to hash tables beyond that (`pair_buckets.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.crew import Crew
from marketcam.engine.jit import kernel
from marketcam.engine.pair_buckets import PairBuckets
from marketcam.engine.pair_grid import PairGrid, slide_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GRID_SLOTS", "PairCounts", "note_pairs"]

GRID_SLOTS: Final = 512
"""Slots up to which counts stand in a square table: 1 MiB of it, a second-level cache."""

_AHEAD: Final = 64  # ticks that can be noted before they must be counted
_SMALLEST: Final = 256
_FEW: Final = 1 << 14  # pairs that are counted sooner than a second thread is there to help

BEGIN: Final = 0  # head[BEGIN]: where the oldest pair waits in the ring
COUNTED: Final = 1  # head[COUNTED]: pairs from there on that are counted
NOTED: Final = 2  # head[NOTED]: pairs from there on in all
SETTLED: Final = 3  # head[SETTLED]: the tick up to which pairs are counted
UNTIL: Final = 4  # head[UNTIL]: the last tick that can be noted before the next are counted
_BEFORE_ALL: Final = -(2**62)


class PairCounts:
    """Windowed counts of unordered pairs of slots.

    Attributes:
        W: ticks of the window.
        ring: int64[size], the pairs noted, ``lower slot << 32 | higher slot``.
        head: int64[5], how far the ring is filled and counted, see `BEGIN` to `UNTIL`.
        per_tick: int64[W + 64], pairs noted by ``t % (W + 64)``.
        counts: a `PairGrid`, or `PairBuckets` for more than `GRID_SLOTS` slots; true as of the
            last `settle`.

    Memory: 8 bytes an occurrence, and what `PairGrid` or `PairBuckets` takes.
    """

    def __init__(self, W: int, crew: Crew | None = None) -> None:
        self.W = W
        self.ring = np.empty(_SMALLEST, dtype=np.int64)
        self.head = np.zeros(5, dtype=np.int64)
        self.per_tick = np.zeros(W + _AHEAD, dtype=np.int64)
        self.counts: PairGrid | PairBuckets = PairGrid(W, 0)
        self._crew = crew or Crew()
        self.clear()

    def clear(self) -> None:
        """Forget everything; the room stays."""
        self.counts.clear()
        self.per_tick.fill(0)
        self.head.fill(0)
        self.head[UNTIL] = _BEFORE_ALL

    def make_room(self, capacity: int) -> None:
        """Make ready for slots below `capacity`. Call it before such slots are noted.

        Cost: nothing beyond `GRID_SLOTS`; up to it and once past it, the window is counted anew.
        """
        if isinstance(self.counts, PairBuckets) or capacity <= self.counts.capacity:
            return
        if capacity <= GRID_SLOTS:
            self.counts = PairGrid(self.W, capacity)
        else:
            self.counts = PairBuckets(self.W, self._crew)
        self._pass_on(0, int(self.head[COUNTED]))

    def note(self, t: int, pairs: NDArray[np.int32]) -> None:
        """Take down the pairs of tick `t`, int32[M, 2]; ticks are consecutive, none left out.

        Rows with a negative slot do not count. Cost: O(M), and now and then a `settle`.
        """
        if not note_pairs(pairs, t, self.ring, self.head, self.per_tick):
            self.make_ready(t, len(pairs))
            note_pairs(pairs, t, self.ring, self.head, self.per_tick)

    def make_ready(self, t: int, many: int) -> None:
        """Make room to note `many` pairs at tick `t`, the next one."""
        if self.head[UNTIL] == _BEFORE_ALL:
            self.head[SETTLED] = t - 1
            self.head[UNTIL] = t - 1 + _AHEAD
        if t > self.head[UNTIL] or self.head[NOTED] + many > self.ring.size:
            self.settle(t - 1)
        self._widen_ring(int(self.head[NOTED]), many)

    def _widen_ring(self, noted: int, many: int) -> None:
        size = self.ring.size
        while size < noted + many:
            size *= 2
        if size > self.ring.size:
            ring = np.empty(size, dtype=np.int64)
            unroll(self.ring, int(self.head[BEGIN]), ring[:noted])
            self.ring = ring
            self.head[BEGIN] = 0

    def settle(self, t: int) -> None:
        """Bring the counts to the window that ends at `t`, the last tick noted.

        Cost: O(pairs that came and went since).
        """
        counts = self.counts
        if isinstance(counts, PairGrid):
            grid = counts.capacity, counts.cells, counts.histogram
            settle_grid(t, self.W, self.ring, self.head, self.per_tick, grid)
        else:
            self._settle_buckets(t)

    def _settle_buckets(self, t: int) -> None:
        if t <= self.head[SETTLED] or self.head[UNTIL] == _BEFORE_ALL:
            return
        leaving, entering = due(t, self.W, self.head, self.per_tick)
        counted = int(self.head[COUNTED])
        unseen = max(0, leaving - counted)  # came and went since
        self._pass_on(leaving - unseen, entering - unseen, counted + unseen)
        move_on(t, (leaving, entering), self.ring.size, self.head)

    def _pass_on(self, leaving: int, entering: int, behind: int = 0) -> None:
        """Uncount the `leaving` oldest pairs; count those that follow `behind` pairs."""
        if leaving + entering == 0:
            return
        begin = int(self.head[BEGIN])
        spans = (begin, leaving, (begin + behind) % self.ring.size, entering)
        self.counts.slide(self.ring, spans, alone=leaving + entering <= _FEW)


@kernel
def note_pairs(
    pairs: NDArray[np.int32],
    t: int,
    ring: NDArray[np.int64],
    head: NDArray[np.int64],
    per_tick: NDArray[np.int64],
) -> bool:
    """Note the pairs of tick `t`, or return False where there is no room for them.

    Then nothing has changed, and `PairCounts.make_ready` makes room.
    """
    if t > head[UNTIL] or head[NOTED] + pairs.shape[0] > ring.size:
        return False
    end = (head[BEGIN] + head[NOTED]) % ring.size
    noted = 0
    for k in range(pairs.shape[0]):
        a = np.int64(pairs[k, 0])
        b = np.int64(pairs[k, 1])
        if a < 0 or b < 0:
            continue
        ring[end] = a << 32 | b if a < b else b << 32 | a
        noted += 1
        end = end + 1 if end + 1 < ring.size else 0
    head[NOTED] += noted
    per_tick[t % per_tick.size] = noted
    return True


@kernel
def due(t: int, W: int, head: NDArray[np.int64], per_tick: NDArray[np.int64]) -> tuple[int, int]:
    """Return how many pairs leave and how many enter when the window moves on to end at `t`."""
    leaving = entering = 0
    for tick in range(head[SETTLED] + 1, t + 1):
        entering += per_tick[tick % per_tick.size]
        leaving += per_tick[(tick - W) % per_tick.size]
    return leaving, entering


@kernel
def move_on(t: int, change: tuple[int, int], size: int, head: NDArray[np.int64]) -> None:
    """Note that the counts are those of the window that ends at `t`.

    `change` is how many pairs left and how many entered, `size` that of the ring.
    """
    leaving, entering = change
    head[BEGIN] = (head[BEGIN] + leaving) % size
    head[COUNTED] += entering - leaving
    head[NOTED] -= leaving
    head[SETTLED] = t
    head[UNTIL] = t + _AHEAD


@kernel
def settle_grid(
    t: int,
    W: int,
    ring: NDArray[np.int64],
    head: NDArray[np.int64],
    per_tick: NDArray[np.int64],
    grid: tuple[int, NDArray[np.int32], NDArray[np.int64]],
) -> None:
    """Do at once what `PairCounts.settle` has to do where counts stand in a `PairGrid`.

    `grid` is its capacity, cells and histogram.
    """
    if t <= head[SETTLED] or head[UNTIL] == _BEFORE_ALL:
        return
    capacity, cells, histogram = grid
    leaving, entering = due(t, W, head, per_tick)
    counted = head[COUNTED]
    unseen = max(0, leaving - counted)
    into = (head[BEGIN] + counted + unseen) % ring.size
    spans = (head[BEGIN], leaving - unseen, into, entering - unseen)
    slide_grid(ring, spans, capacity, cells, histogram)
    move_on(t, (leaving, entering), ring.size, head)


@kernel
def unroll(ring: NDArray[np.int64], begin: int, straight: NDArray[np.int64]) -> None:
    """Copy what stands in the ring from `begin` on."""
    for k in range(straight.size):
        straight[k] = ring[begin]
        begin = begin + 1 if begin + 1 < ring.size else 0
