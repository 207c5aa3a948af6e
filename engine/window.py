"""The sliding window: passes each tick through the buffers and develops frames from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from marketcam.engine.count_edges import keys_from_counts
from marketcam.engine.edges import MATCH, EdgeCap, NodeRows
from marketcam.engine.errors import LimitError
from marketcam.engine.events import EventWindow
from marketcam.engine.frame import Frame
from marketcam.engine.neighbors import NeighborCounts
from marketcam.engine.pair_counts import PairCounts
from marketcam.engine.panes import Panes
from marketcam.engine.proximity import PairTable
from marketcam.engine.quotes import Quotes, quoted_prices
from marketcam.engine.slots import AgentSlots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.tick import Tick

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
    def add(self, t: int, quotes: Quotes) -> None: ...
    def fill(self, first: int, t: int, used: int) -> None: ...
    def best(self, t0: int, t: int, used: int, nodes: NodeRows, most: int) -> NDArray[np.int64]: ...


class Window:
    """The last W ticks of one market.

    Attributes:
        last_t: the last tick taken in, or None.
    """

    def __init__(self, settings: WindowSettings) -> None:
        self._settings = settings
        W, stride = settings.W, settings.stride
        self._proximity = _proximity_rule(settings)
        self._slots = AgentSlots(self._proximity.most_agents)
        self._panes = Panes(W, stride)
        self._matches = PairCounts(W)
        self._events = EventWindow(W, settings.burst_z, settings.shock_z)
        self._cap = EdgeCap(W, settings.edge_cap, settings.match_share)
        self._prices = np.empty(0)
        self._mid: float | None = None
        self._first = 0
        self.last_t: int | None = None

    @property
    def full(self) -> bool:
        """Whether the window holds W consecutive ticks."""
        return self.last_t is not None and self.last_t - self._first + 1 >= self._settings.W

    def take(self, tick: Tick) -> None:
        """Take in a tick with a `t` above `last_t`; one that skips numbers restarts the window.

        Raises:
            LimitError: more agents than the proximity rule can hold; the window stands.
        """
        restarts = self.last_t is None or tick.t != self.last_t + 1
        self._check_room_for(tick, restarts=restarts)
        if restarts:
            self._restart(tick.t)
        slots, pairs = self._place(tick)
        if tick.mid is not None:
            self._mid = tick.mid
        quotes = Quotes(slots, tick.agent_id, tick.side, self._quoted(tick), self._mid)
        self._panes.add(tick.t, quotes, tick.experience, pairs)
        self._matches.note(tick.t, pairs)
        self._proximity.add(tick.t, quotes)
        self._events.add(tick.t, len(pairs), self._mid)
        self.last_t = tick.t
        if not self.full and tick.t % self._settings.stride == 0:
            self._proximity.fill(self._first, tick.t, self._slots.used)

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
        t, t0 = self.last_t, self.last_t - self._settings.W + 1
        slots, agent_id, ordered = self._slots.seen_since(t0)
        of_slot = np.full(self._slots.capacity, -1, dtype=np.int32)
        of_slot[slots] = np.arange(slots.size, dtype=np.int32)
        nodes = NodeRows(of_slot, slots.size, ordered)
        return Frame(
            t=t,
            W=self._settings.W,
            stride=self._settings.stride,
            nodes=self._panes.nodes(slots, agent_id),
            edges=self._cap.edges(self._best_edges(t0, t, nodes), agent_id),
            bursts=self._events.bursts(t0),
            shocks=self._events.shocks(t0),
        )

    def _best_edges(self, t0: int, t: int, nodes: NodeRows) -> NDArray[np.int64]:
        most = self._cap.cap
        proximity = self._proximity.best(t0, t, self._slots.used, nodes, most)
        self._matches.settle(t)
        return self._cap.keep(keys_from_counts(self._matches, MATCH, nodes, most), proximity)

    def _restart(self, t: int) -> None:
        """Begin again at tick `t`; only the last known mid is carried over."""
        self._slots.clear()
        self._panes.clear()
        self._matches.clear()
        self._proximity.clear()
        self._first = t

    def _place(self, tick: Tick) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the slots of the tick's agents and of its matches, with room for them."""
        t0 = tick.t - self._settings.W + 1
        capacity, used = self._slots.capacity, self._slots.used
        slots, pairs = self._slots.assign(tick.agent_id, tick.matches, tick.t, t0)
        if (capacity, used) != (self._slots.capacity, self._slots.used):
            self._proximity.make_room(self._slots.used, self._slots.capacity)
            self._panes.make_room(self._slots.capacity)
            self._matches.make_room(self._slots.capacity)
        return slots, pairs

    def _quoted(self, tick: Tick) -> NDArray[np.float64]:
        """Return the prices with NaN where the agent does not quote; valid until the next tick."""
        if tick.price.size > self._prices.size:
            self._prices = np.empty(2 * tick.price.size)
        prices = self._prices[: tick.price.size]
        quoted_prices(tick.side, tick.price, prices)
        return prices

    def _check_room_for(self, tick: Tick, *, restarts: bool) -> None:
        most = self._slots.most
        used = 0 if restarts else self._slots.used
        if used + tick.agent_id.size + tick.matches.size <= most:
            return
        agents = np.union1d(tick.agent_id, tick.matches[tick.matches >= 0])
        if not restarts:
            agents = np.union1d(agents, self._slots.seen_since(tick.t - self._settings.W + 1).ids)
        self.check_room(agents.size)


def _proximity_rule(settings: WindowSettings) -> ProximityRule:
    if settings.proximity == "neighbors":
        return NeighborCounts(settings.W, settings.eps_pct)
    return PairTable(settings.W, settings.stride, settings.eps_pct, settings.pair_budget_bytes)
