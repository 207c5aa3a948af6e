"""What the embedded markets have in common: how they are asked, iterated, joined and left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from marketcam.engine.errors import LimitError
from marketcam.engine.limits import whole_number
from marketcam.engine.market_kernels import DIFFERENCES, pair
from marketcam.engine.tick import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from marketcam.engine.saved_state import SavedState
    from marketcam.engine.tick import Tick

__all__ = ["MAX_AGENTS", "MAX_SEED", "EmbeddedMarket"]

MAX_AGENTS: Final = 100_000
"""Most agents a market starts with."""

MAX_SEED: Final = 2**32 - 1
"""Largest seed: what every random generator a source may use accepts."""


class EmbeddedMarket(ABC):
    """A market that goes on for ever; an endless source of ticks.

    Its ticks depend on the arguments alone: the generator is its own. Agents are numbered 0, 1, 2,
    … in the order in which they came; a leaver's number is not used again. Who joins or leaves
    does so at the end of a tick.

    Args:
        agents: agents at the start, from `least_agents` to 100,000.
        seed: 0..2³² - 1.
        adjust_interval: ticks between population adjustments, from 1.
        max_agents: nobody joins beyond it; None for no maximum.
        pool_only: every fill is with the pool; no two agents ever trade. It changes the matches
            and nothing else.

    Raises:
        LimitError: an argument is out of its range.
    """

    name: str
    least_agents: ClassVar[int] = 1
    place = ""

    _per_agent: ClassVar[tuple[str, ...]]
    """Names of the arrays that have a value an agent from tick to tick, 0 for a newcomer."""
    _more_draws: ClassVar[int] = 0
    """Uniform numbers that a tick takes beside those of its agents."""

    def __init__(
        self,
        agents: int = 3,
        seed: int = 0,
        adjust_interval: int = 2000,
        max_agents: int | None = None,
        *,
        pool_only: bool = False,
    ) -> None:
        agents = whole_number("agents", agents, self.least_agents, MAX_AGENTS)
        seed = whole_number("seed", seed, 0, MAX_SEED)
        self._adjust_interval = whole_number("adjust_interval", adjust_interval, 1, MAX_ID)
        self._max_agents = (
            None if max_agents is None else whole_number("max_agents", max_agents, agents, MAX_ID)
        )
        self._pool_only = pool_only
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._t = 0
        self._closed = False
        self._agent_id: NDArray[np.int64] = np.arange(agents, dtype=np.int64)
        self._newcomer = agents
        self._differences = np.zeros(DIFFERENCES)
        self._begin(agents)
        self._make_room()

    def __iter__(self) -> Iterator[Tick]:
        """Yield ticks until the market is closed."""
        while not self._closed:
            yield self.step()

    def close(self) -> None:
        """End the iteration before its next tick; safe to call from another thread."""
        self._closed = True

    @abstractmethod
    def step(self) -> Tick:
        """Play one tick and return it."""

    @abstractmethod
    def state(self) -> SavedState:
        """Return what the ticks to come depend on, to `restore`. Not while a tick is being played.

        Cost: 3 µs.
        """

    @abstractmethod
    def restore(self, saved: Any) -> None:
        """Go on as the market did that was saved, which had the same arguments, but for the agents.

        The ticks to come are the ones that it would have given, to the last bit.

        Raises:
            LimitError: more agents than `max_agents`.
        """

    @abstractmethod
    def _begin(self, agents: int) -> None:
        """Make what a market has before its first tick."""

    def _make_room(self) -> None:
        """Make the arrays that a tick of the agents there are is worked out in."""
        n = self._agent_id.size
        self._draws = np.empty(2 * n + n // 2 + self._more_draws)
        self._pairing = self._draws[2 * n :]
        self._fill = np.empty(n, dtype=np.int8)
        self._rows = np.empty((2, n), dtype=np.int64)

    def _match(self, bought: int, sold: int, pairs: int, before: int = 0) -> NDArray[np.int64]:
        """Return the matches: so many still to be written, the pairs, then those with the pool."""
        matches = np.empty((before + bought + sold - pairs, 2), dtype=np.int64)
        buyers, sellers = self._rows[0, :bought], self._rows[1, :sold]
        pair(self._pairing, buyers, sellers, pairs, self._agent_id, matches[before:])
        return matches

    def _common_state(self) -> dict[str, Any]:
        """Return what of its state all markets have, by the names of `SavedState`."""
        return {
            "t": self._t,
            "generator": self._random.bit_generator.state,
            "differences": self._differences.copy(),
            "agent_id": self._agent_id,
            "newcomer": self._newcomer,
        }

    def _go_back(self, saved: SavedState) -> None:
        """Take over what of a saved state all markets have."""
        agents = saved.agent_id.size
        if self._max_agents is not None and agents > self._max_agents:
            raise LimitError(f"saved agents must be {self._max_agents} at most, got {agents}")
        self._t = saved.t
        self._random.bit_generator.state = saved.generator
        self._differences[:] = saved.differences
        self._agent_id = saved.agent_id
        self._newcomer = saved.newcomer
        self._make_room()

    def _is_time_to_adjust(self) -> bool:
        return self._t > 0 and self._t % self._adjust_interval == 0

    def _has_room(self) -> bool:
        return self._max_agents is None or self._agent_id.size < self._max_agents

    def _join(self) -> None:
        # New arrays: the ticks already handed out keep theirs.
        self._agent_id = np.append(self._agent_id, np.array([self._newcomer], dtype=np.int64))
        self._newcomer += 1
        for name in self._per_agent:
            values = getattr(self, name)
            setattr(self, name, np.append(values, np.zeros(1, dtype=values.dtype)))
        self._make_room()

    def _leave(self, row: int) -> None:
        for name in ("_agent_id", *self._per_agent):
            setattr(self, name, np.delete(getattr(self, name), row))
        self._make_room()
