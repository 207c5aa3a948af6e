"""The sliding window: passes each tick through the buffers and develops frames from them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from marketcam.engine.block import TickBlock
from marketcam.engine.checks import check_columns
from marketcam.engine.count_edges import keys_from_counts
from marketcam.engine.crew import Crew
from marketcam.engine.edges import MATCH, EdgeCap
from marketcam.engine.errors import LimitError, TickError
from marketcam.engine.events import EventWindow
from marketcam.engine.frame import Frame
from marketcam.engine.intake import take_tick
from marketcam.engine.neighbors import NeighborCounts
from marketcam.engine.pair_counts import PairCounts
from marketcam.engine.panes import Panes, TickClock
from marketcam.engine.proximity import PairTable
from marketcam.engine.slots import AgentSlots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.edges import NodeRows
    from marketcam.engine.frame import Edges
    from marketcam.engine.quotes import QuoteBlock
    from marketcam.engine.tick import Columns

__all__ = ["Window", "WindowSettings"]


class WindowSettings(NamedTuple):
    """What a window is made for; the fields are `SlidingWindowCamera`'s, already checked."""

    W: int
    stride: int
    eps_pct: float
    edge_cap: int
    proximity: str
    match_share: float
    burst_z: float
    shock_z: float
    pair_budget_bytes: int


class ProximityRule(Protocol):
    """How close quotes become edges; see `PairTable` and `NeighborCounts`."""

    @property
    def most_agents(self) -> int: ...
    def limit(self, agents: int) -> str: ...
    def clear(self) -> None: ...
    def make_room(self, used: int, capacity: int) -> None: ...
    def take(self, block: QuoteBlock) -> None: ...
    def fill(self, first: int, t: int, used: int) -> None: ...
    def best(self, t0: int, t: int, used: int, nodes: NodeRows, most: int) -> NDArray[np.int64]: ...


class Window:
    """The last W ticks of one market.

    A tick goes into a block, at the cost of one kernel call. What there is to do with it is done
    when its block is complete: at the end of a pane, or after 64 ticks.

    A change that does not come to its end, for want of memory or by an interrupt from the keyboard,
    leaves the window *torn*: the next tick restarts it.

    Attributes:
        last_t: the last tick taken in, or None.
    """

    def __init__(self, settings: WindowSettings) -> None:
        self._settings = settings
        W, stride = settings.W, settings.stride
        crew = Crew()
        self._proximity = _proximity_rule(settings, crew)
        self._slots = AgentSlots(self._proximity.most_agents)
        self._clock = TickClock(W, stride)
        self._block = TickBlock(self._clock.most_ticks)
        self._panes = Panes(W, self._clock.panes, crew)
        self._matches = PairCounts(W, crew)
        self._pairs = np.empty((64, 2), dtype=np.int32)
        self._events = EventWindow(W, settings.burst_z, settings.shock_z)
        self._cap = EdgeCap(W, settings.edge_cap, settings.match_share)
        self._mid = math.nan
        self._torn = False
        self._first = 0
        self._stretch = self._clock.stretch(0)
        self.last_t: int | None = None
        self._make_room(0)
        self._gather_buffers()

    @property
    def full(self) -> bool:
        """Whether the window holds W consecutive ticks."""
        if self._torn:
            return False
        return self.last_t is not None and self.last_t - self._first + 1 >= self._settings.W

    def take(self, t: int, mid: float | None, columns: Columns) -> None:
        """Take in a tick; one that skips numbers restarts the window.

        Raises:
            TickError: a value is not fine, or `t` does not increase; the window stands.
            LimitError: more agents than the proximity rule can hold; the window stands.
        """
        mid = self._mid if mid is None else mid
        taken = False
        if t - 1 == self.last_t and not self._torn:
            self._torn = True
            taken = self._torn = self._take(t, mid, columns)  # if not taken, nothing has changed
        if not taken:
            self._prepare(t, columns)
            taken = self._take(t, mid, columns)
            assert taken  # noqa: S101 - `_prepare` has seen to it
        self._block.size += 1
        self._mid = mid
        self.last_t = t
        if t == self._stretch.last:
            self._complete_block(t)
        self._torn = False

    def _take(self, t: int, mid: float, columns: Columns) -> bool:
        return take_tick(t, mid, self._mid, self._block.size, columns, *self._buffers)

    def _gather_buffers(self) -> None:
        """Collect what `take_tick` writes to: once, since collecting costs what a tick does."""
        slots, block, matches, events = self._slots, self._block, self._matches, self._events
        self._buffers = (
            (*slots.known, slots.used),
            slots.table,
            (block.price, block.side, block.experience),
            (block.mid, block.eps, self._settings.eps_pct),
            (self._pairs, matches.ring, matches.head, matches.per_tick),
            self._panes.matches,
            (events.matches, events.returns),
        )

    def _prepare(self, t: int, columns: Columns) -> None:
        """Make a tick one that `take_tick` takes: check it, restart if it skips, know its agents.

        Raises:
            TickError, LimitError: as `take`.
        """
        check_columns(t, columns, self._slots.known[0])
        last = self.last_t
        if last is not None and t <= last:
            raise TickError(f"must increase from {last}", t=t, field="t", value=t)
        restarts = self._torn or last is None or t != last + 1
        self._check_room_for(t, columns, restarts=restarts)
        self._torn = True
        if restarts:
            self._restart(t)
        used = self._slots.used
        self._slots.know(columns[0], columns[4], t, t - self._settings.W + 1)
        if len(columns[4]) > len(self._pairs):
            self._pairs = np.empty((2 * len(columns[4]), 2), dtype=np.int32)
        self._make_room(used)
        self._matches.make_ready(t, len(columns[4]))
        self._gather_buffers()

    def _complete_block(self, t: int) -> None:
        """Deal with the ticks of the block that ends with `t`, and begin the next."""
        used, block, stretch = self._slots.used, self._block, self._stretch
        opens = stretch.opens or t - block.size < self._first
        self._panes.take(block, stretch, opens=opens, used=used)
        self._proximity.take(block.quotes(t, self._slots.ids, used))
        block.size = 0
        if t - self._first + 1 < self._settings.W and t % self._settings.stride == 0:
            self._proximity.fill(self._first, t, used)
        self._stretch = self._clock.stretch(t + 1)

    def check_room(self, agents: int) -> None:
        """Raise `LimitError` if the window cannot hold so many agents."""
        most = self._slots.most
        if agents > most:
            raise LimitError(
                f"{agents} agents in a window, more than {most}: {self._proximity.limit(agents)}"
            )

    def develop(self) -> Frame:
        """Return the frame of the last tick; the window must be full."""
        assert self.last_t is not None  # noqa: S101 - the caller asked `full`
        self._torn = True
        t, t0 = self.last_t, self.last_t - self._settings.W + 1
        rows, agent_id = self._slots.nodes(t0)
        bursts, shocks = self._events.outstanding(t0)
        frame = Frame(
            t=t,
            W=self._settings.W,
            stride=self._settings.stride,
            nodes=self._panes.nodes(rows, agent_id, self._slots.used),
            edges=self._edges(t0, t, rows, agent_id),
            bursts=bursts,
            shocks=shocks,
        )
        self._torn = False
        return frame

    def _edges(self, t0: int, t: int, rows: NodeRows, agent_id: NDArray[np.int64]) -> Edges:
        most = self._cap.cap
        proximity = self._proximity.best(t0, t, self._slots.used, rows, most)
        self._matches.settle(t)
        matches = keys_from_counts(self._matches, MATCH, rows, most)
        return self._cap.edges(matches, proximity, agent_id)

    def _restart(self, t: int) -> None:
        """Begin again at tick `t`; only the last known mid is carried over."""
        self._slots.clear()
        self._matches.clear()
        self._proximity.clear()
        self._panes.clear()
        self._block.size = 0
        self._first = t
        self._stretch = self._clock.stretch(t)

    def _make_room(self, used: int) -> None:
        """Make room for the slots that there are now; before, `used` were in use."""
        now_used, capacity = self._slots.used, self._slots.capacity
        self._block.make_room(used, now_used, capacity)
        self._proximity.make_room(now_used, capacity)
        self._panes.make_room(capacity)
        self._matches.make_room(capacity)

    def _check_room_for(self, t: int, columns: Columns, *, restarts: bool) -> None:
        ids, matches = columns[0], columns[4]
        used = 0 if restarts else self._slots.used
        if used + ids.size + matches.size <= self._slots.most:
            return
        agents = np.union1d(ids, matches[matches >= 0])
        if not restarts:
            agents = np.union1d(agents, self._slots.seen_since(t - self._settings.W + 1))
        self.check_room(agents.size)


def _proximity_rule(settings: WindowSettings, crew: Crew) -> ProximityRule:
    if settings.proximity == "neighbors":
        return NeighborCounts(settings.W, crew)
    return PairTable(settings.W, settings.stride, settings.pair_budget_bytes, crew=crew)
