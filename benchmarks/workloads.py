"""Seeded ticks for benchmarks: V5-like markets in which every agent quotes at every tick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from marketcam.engine import SlidingWindowCamera

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine import Frame

__all__ = ["ArrayTick", "Film", "uniform_market"]

PRICES = 40_000.0, 60_000.0
FILL_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class ArrayTick:
    """One tick as the arguments of `SlidingWindowCamera.ingest_arrays`, in their order."""

    t: int
    mid: float
    agent_id: NDArray[np.int64]
    experience: NDArray[np.float64]
    side: NDArray[np.int8]
    price: NDArray[np.float64]
    matches: NDArray[np.int64]

    def columns(self) -> tuple[Any, ...]:
        """Return the arguments of `ingest_arrays`."""
        return (
            self.t,
            self.mid,
            self.agent_id,
            self.experience,
            self.side,
            self.price,
            self.matches,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same tick in the dict form, as a JSON reader would hand it over."""
        ids = [str(agent) for agent in self.agent_id.tolist()]
        quotes = zip(ids, self.side.tolist(), self.price.tolist(), strict=True)
        return {
            "t": self.t,
            "mid": self.mid,
            "agents": dict(zip(ids, self.experience.tolist(), strict=True)),
            "actions": {
                agent: {"side": ("none", "buy", "sell")[side], "price": price, "size": 1.0}
                for agent, side, price in quotes
            },
            "matches": self.matches.tolist(),
        }


def uniform_market(agents: int, ticks: int, *, seed: int = 0, start: int = 0) -> list[ArrayTick]:
    """Return consecutive ticks: prices uniform, sides by a fair coin, fills paired at random.

    The mid is the median of the quotes. A fill without a counterpart goes to the pool.
    """
    rng = np.random.default_rng((seed, agents))
    agent_id = np.arange(agents, dtype=np.int64)
    experience = rng.random(agents)
    made = []
    for t in range(start, start + ticks):
        side = rng.integers(1, 3, agents, dtype=np.int8)
        price = rng.uniform(*PRICES, agents)
        experience = np.clip(experience + rng.normal(0.0, 0.01, agents), -1.0, 1.0)
        matches = _paired(rng, agent_id, side)
        mid = float(np.median(price))
        made.append(ArrayTick(t, mid, agent_id, experience, side, price, matches))
    return made


def _paired(
    rng: np.random.Generator, agent_id: NDArray[np.int64], side: NDArray[np.int8]
) -> NDArray[np.int64]:
    filled = rng.permutation(agent_id[rng.random(agent_id.size) < FILL_SHARE])
    buyers, sellers = filled[side[filled] == 1], filled[side[filled] == 2]
    pairs = min(buyers.size, sellers.size)
    alone = np.concatenate([buyers[pairs:], sellers[pairs:]])
    between = np.stack([buyers[:pairs], sellers[:pairs]], axis=1)
    with_pool = np.stack([alone, np.full_like(alone, -1)], axis=1)
    return np.concatenate([between, with_pool])


class Film:
    """A camera with a full window and ticks for it without end."""

    def __init__(self, agents: int, settings: dict[str, Any]) -> None:
        self.camera = SlidingWindowCamera(**settings)
        self.W, self.stride = settings.get("W", 300), settings.get("stride", 10)
        self._made = uniform_market(agents, 2 * self.W)
        self._rows = [tick.columns()[1:] for tick in self._made]
        self.t = 0
        for _ in range(self.W + self.stride):
            self.take()
            self.camera.maybe_frame(self.t)

    def next_tick(self) -> ArrayTick:
        """Return the next tick; after two windows the same quotes come again."""
        self.t += 1
        return replace(self._made[self.t % len(self._made)], t=self.t)

    def take(self) -> None:
        """Take in the next tick in the array form."""
        self.t += 1
        self.camera.ingest_arrays(self.t, *self._rows[self.t % len(self._rows)])

    def take_until_due(self) -> None:
        """Take in ticks up to the next one at which a frame is due."""
        self.take()
        while self.t % self.stride:
            self.take()

    def frame(self) -> Frame:
        """Return the frame that is due."""
        frame = self.camera.maybe_frame(self.t)
        assert frame is not None, f"no frame is due at tick {self.t}"
        return frame
