"""Windowed sums that neither drift nor remember: panes, merged in order at each frame.

Adding what enters a window and subtracting what leaves it drifts, and what has drifted depends
on history. Instead, ticks are summed in *panes*, stretches of time that begin and end where
frames' windows begin and end, so that every window is a whole number of panes. With
``r = W % stride``, a stride is cut into a pane of ``stride - r`` ticks and one of ``r`` ticks
(*paired windows*: Krishnamurthy, Wu and Franklin, "On-the-fly sharing for streamed
aggregation", SIGMOD 2006). A frame merges the panes of its window from the oldest to the newest;
nothing is ever subtracted.

Within a pane, ticks are summed a block at a time. Where blocks begin depends on nothing but the
number of the tick, and so do the figures, to the last bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from marketcam.engine.block import MOST_TICKS
from marketcam.engine.frame import Nodes
from marketcam.engine.pane_sums import COUNTS, FIRST, MATCHES, SUMS, merge_panes, scratch, sum_ticks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.block import TickBlock
    from marketcam.engine.slots import NodeRows

__all__ = ["Panes", "Stretch", "TickClock"]


class Stretch(NamedTuple):
    """The block of ticks that a tick falls into.

    Attributes:
        pane: the number of its pane; consecutive panes differ by one.
        opens: whether the pane begins with it.
        last: its last tick.
    """

    pane: int
    opens: bool
    last: int


class TickClock:
    """How ticks fall into panes, and panes into blocks.

    Attributes:
        panes: panes that make a window.
        most_ticks: ticks in a block at most.
    """

    def __init__(self, W: int, stride: int) -> None:
        self._stride = stride
        self._tail = W % stride
        strides = W // stride
        self.panes = 2 * strides + 1 if self._tail else strides
        self.most_ticks = min(MOST_TICKS, W, max(stride - self._tail, self._tail))

    def stretch(self, t: int) -> Stretch:
        """Return the block of tick `t`."""
        period, position = divmod(t - 1, self._stride)
        head = self._stride - self._tail
        in_tail = position >= head
        begin, end = (head, self._stride) if in_tail else (0, head)
        block = (position - begin) // self.most_ticks
        last = min(begin + (block + 1) * self.most_ticks, end) - 1
        pane = 2 * period + in_tail if self._tail else period
        return Stretch(pane, block == 0, t + last - position)


class Panes:
    """Per-agent sums and counts of the last panes, those of a window and the one begun after it.

    One column a slot.

    Attributes:
        matches: int32[capacity], the matches of the current pane by slot; to be added to.

    Memory: 56 bytes a slot and pane, ``W / stride`` panes, twice that where stride does not
    divide W.
    """

    def __init__(self, W: int, panes: int) -> None:
        self._W = W
        self._ring = panes + 1
        self._row = 0
        self._room = scratch()
        self._allocate(0)

    def make_room(self, capacity: int) -> None:
        """Make room for `capacity` slots."""
        sums, counts = self._sums, self._counts
        old = sums.shape[2]
        if capacity > old:
            self._allocate(capacity)
            self._sums[:, :, :old] = sums
            self._counts[:, :, :old] = counts

    def open(self, pane: int) -> None:
        """Begin a pane, the one after the last, or any after a break."""
        self._row = pane % self._ring
        self._sums[self._row, :FIRST] = 0.0
        self._sums[self._row, FIRST:] = math.nan
        self._counts[self._row] = 0
        self.matches = self._counts[self._row, MATCHES]

    def add(self, block: TickBlock, used: int) -> None:
        """Add a block's ticks to the current pane. Cost: O(ticks x used)."""
        pane = self._sums[self._row], self._counts[self._row]
        arrays = block.price, block.side, block.experience, block.mid
        sum_ticks(arrays, block.size, used, pane, self._room)

    def nodes(self, rows: NodeRows, agent_id: NDArray[np.int64], used: int) -> Nodes:
        """Merge the panes before the current one, those of a window, into the nodes' features.

        Cost: O(panes x used).
        """
        integers = np.empty((5, rows.size), dtype=np.int32)
        floats = np.empty((7, rows.size))
        oldest = (self._row + 1) % self._ring
        panes = self._sums, self._counts
        merge_panes(
            panes, oldest, self._W, rows.of_slot, (0, used), self._room, (integers, floats)
        )
        features: list[NDArray[Any]] = [*integers[:4], *floats, integers[4].astype(np.int8)]
        return Nodes(agent_id, *features)

    def _allocate(self, capacity: int) -> None:
        self._sums = np.zeros((self._ring, SUMS, capacity))
        self._sums[:, FIRST:] = math.nan
        self._counts = np.zeros((self._ring, COUNTS, capacity), dtype=np.int32)
        self.matches = self._counts[self._row, MATCHES]
