"""Windowed sums that neither drift nor remember: panes, merged in order at each frame.

Adding what enters a window and subtracting what leaves it drifts, and what has drifted depends
on history. Instead, ticks are summed in *panes*, stretches of time that begin and end where
frames' windows begin and end, so that every window is a whole number of panes. With
``r = W % stride``, a stride is cut into a pane of ``stride - r`` ticks and one of ``r`` ticks
(*paired windows*: Krishnamurthy, Wu and Franklin, "On-the-fly sharing for streamed
aggregation", SIGMOD 2006). A frame merges the panes of its window; nothing is ever subtracted.

What is merged with what, and when, depends on nothing but the numbers of the ticks; so do the
figures, to the last bit, whatever came before the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from marketcam.engine.block import MOST_TICKS
from marketcam.engine.frame import Nodes
from marketcam.engine.pane_sums import (
    MATCHES,
    clear,
    close_pane,
    empty_panes,
    merge_spans,
    scratch,
    sum_and_close,
    sum_ticks,
    write_nodes,
)
from marketcam.engine.rounding import round_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from marketcam.engine.block import TickBlock
    from marketcam.engine.crew import Crew
    from marketcam.engine.edges import NodeRows
    from marketcam.engine.pane_sums import Span, Ticks

__all__ = ["Panes", "Stretch", "TickClock"]

_SHARED_FROM: Final = 2**14
"""Slots from which on a crew shares the work; with fewer, waking it costs more than it saves."""

_PIECE: Final = 2**13  # slots


class Stretch(NamedTuple):
    """The block of ticks that a tick falls into.

    Attributes:
        pane: the number of its pane; consecutive panes differ by one.
        opens: whether the pane begins with it.
        closes: whether the pane ends with it.
        last: its last tick.
    """

    pane: int
    opens: bool
    closes: bool
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
        return Stretch(pane, block == 0, last == end - 1, t + last - position)


class Panes:
    """Per-agent sums and counts of the window, one column a slot.

    The window's panes are merged by going round: `panes` of them make a *round*, numbered by the
    ticks alone. When a round is complete, each of its panes is merged with those behind it, once.
    Every window is then the end of the last round, merged already, and the beginning of this one,
    which is merged as it comes: two merges a frame, however many panes a window has (van Herk,
    "A fast algorithm for local minimum and maximum filters", 1992, for sums instead of minima).

    Attributes:
        matches: int32[capacity], the matches of the current pane by slot; to be added to.

    Memory: 56 bytes a slot and pane, ``W / stride`` panes, twice that where stride does not
    divide W, and four more.
    """

    def __init__(self, W: int, panes: int, crew: Crew) -> None:
        self._W = W
        self._crew = crew
        self._many = panes
        self._number = 0
        self._restarted = True
        self._room = scratch()
        self._allocate(0)

    def clear(self) -> None:
        """Forget everything; the room stays."""
        self._restarted = True
        clear(self._current[0], self._current[1], 0, self._current[0].shape[1])

    def make_room(self, capacity: int) -> None:
        """Make room for `capacity` slots."""
        old = self._round, self._spare
        had = old[0][0].shape[2]
        if capacity > had:
            self._allocate(capacity)
            for (sums, counts), now in zip(old, (self._round, self._spare), strict=True):
                now[0][:, :, :had] = sums
                now[1][:, :, :had] = counts

    def take(self, block: TickBlock, stretch: Stretch, *, opens: bool, used: int) -> None:
        """Add a block's ticks to the current pane, and end the pane with them if it ends there.

        The pane `opens` with them or not.

        Cost: O(ticks x used), O(capacity); with the last pane of a round, O(panes x capacity).
        """
        ticks = (block.price, block.side, block.experience, block.mid), block.size, used
        if not (opens and stretch.closes):
            self._add(ticks, opens=opens)
            if stretch.closes:
                self._close(stretch.pane)
            return
        place = self._next_place(stretch.pane)

        def sum_up(span: Span, room: NDArray[np.float64]) -> None:
            sum_and_close(ticks, self._round, self._current, self._since, place, span, room)

        self._share(sum_up, self._current[0].shape[1])

    def _add(self, ticks: tuple[Ticks, int, int], *, opens: bool) -> None:
        arrays, size, used = ticks
        current, more = self._current, self._more

        def add(span: Span, room: NDArray[np.float64]) -> None:
            if opens:
                sum_ticks(arrays, size, current, span, room)
            else:
                clear(more[0], more[1], span[0], span[1])
                sum_ticks(arrays, size, more, span, room)
                merge_spans(current, more, span, room)

        self._share(add, used)

    def _close(self, pane: int) -> None:
        place = self._next_place(pane)

        def close(span: Span, room: NDArray[np.float64]) -> None:
            close_pane(self._round, self._current, self._since, place, span, room)

        # Slots that are handed out later must be empty in this pane.
        self._share(close, self._current[0].shape[1])

    def _next_place(self, pane: int) -> tuple[int, bool]:
        """Return a pane's number in its round, and whether `since` begins with it."""
        self._number = pane % self._many
        begins = self._restarted or self._number == 0
        self._restarted = False
        return self._number, begins

    def nodes(self, rows: NodeRows, agent_id: NDArray[np.int64], used: int) -> Nodes:
        """Return the features of the nodes over the window that ends with the last pane closed.

        Cost: O(used).
        """
        n = rows.size
        integers = np.empty((4, n), dtype=np.int32)
        floats = np.empty((7, n))
        dominant = np.empty(n, dtype=np.int8)
        sums, counts = self._round
        begin = (self._number + 1) % self._many
        until = sums[begin], counts[begin]
        window = until, self._since, self._more, begin == 0
        room_for = integers, floats, dominant

        def write(span: Span, room: NDArray[np.float64]) -> None:
            write_nodes(window, self._W, rows.of_slot, span, room, room_for)

        self._share(write, used)
        round_all(floats.reshape(-1))
        features: list[NDArray[Any]] = [*integers, *floats, dominant]
        return Nodes(agent_id, *features)

    def _share(self, work: Callable[[Span, NDArray[np.float64]], None], slots: int) -> None:
        """Do the work for all slots below a number, in pieces where they are many."""
        if slots < _SHARED_FROM:
            work((0, slots), self._room)
            return

        def do_piece(piece: int) -> None:
            work((piece * _PIECE, min(piece * _PIECE + _PIECE, slots)), scratch())

        self._crew.share(do_piece, -(-slots // _PIECE))

    def _allocate(self, capacity: int) -> None:
        self._round, self._spare = empty_panes(self._many, capacity), empty_panes(3, capacity)
        sums, counts = self._spare
        self._current, self._since, self._more = ((sums[k], counts[k]) for k in range(len(sums)))
        self.matches = self._current[1][MATCHES]
