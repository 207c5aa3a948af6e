"""Seeded ticks for benchmarks: V5-like markets in which every agent quotes at every tick."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from marketcam.engine import SlidingWindowCamera

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from marketcam.engine import Frame

__all__ = ["PRICES", "ArrayTick", "Film", "close_prices", "endless_market", "uniform_market"]

PRICES = 40_000.0, 60_000.0
"""The range of the embedded market's prices."""

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


def endless_market(
    agents: int, *, seed: int = 0, start: int = 0, prices: tuple[float, float] = PRICES
) -> Iterator[ArrayTick]:
    """Yield consecutive ticks: prices uniform, sides by a fair coin, fills paired at random.

    The mid is the median of the quotes. A fill without a counterpart goes to the pool.
    """
    rng = np.random.default_rng((seed, agents))
    agent_id = np.arange(agents, dtype=np.int64)
    experience = rng.random(agents)
    for t in count(start):
        side = rng.integers(1, 3, agents, dtype=np.int8)
        price = rng.uniform(*prices, agents)
        experience = np.clip(experience + rng.normal(0.0, 0.01, agents), -1.0, 1.0)
        matches = _paired(rng, agent_id, side)
        mid = float(np.median(price))
        yield ArrayTick(t, mid, agent_id, experience, side, price, matches)


def uniform_market(agents: int, ticks: int, *, seed: int = 0, start: int = 0) -> list[ArrayTick]:
    """Return the first ticks of `endless_market`."""
    return list(islice(endless_market(agents, seed=seed, start=start), ticks))


def close_prices(eps_pct: float) -> tuple[float, float]:
    """Return a range of prices in which any two are within eps of each other.

    It is a little narrower than eps, since eps is a share of the mid, and the mid may lie
    anywhere in the range.
    """
    middle = sum(PRICES) / 2
    half = 0.49 * eps_pct * middle / (1.0 + eps_pct)
    return middle - half, middle + half


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
    """A camera with a full window, and ticks for it without end, no two of them alike.

    Attributes:
        camera: takes the ticks.
        t: the last tick taken in.
        stride: ticks between frames.
    """

    def __init__(
        self, agents: int, settings: dict[str, Any], prices: tuple[float, float] = PRICES
    ) -> None:
        self.camera = SlidingWindowCamera(**settings)
        self.stride = settings.get("stride", 10)
        self.t = 0
        self._market = endless_market(agents, start=1, prices=prices)
        self._ready: list[tuple[Any, ...]] = []
        for _ in range(settings.get("W", 300) // self.stride + 1):
            self.make_ready()
            self.take_ready()
            self.camera.maybe_frame(self.t)

    def next_tick(self) -> ArrayTick:
        """Return the next tick, for the caller to take in."""
        self.t += 1
        return next(self._market)

    def make_ready(self) -> None:
        """Make the ticks up to the next one at which a frame is due."""
        ticks = self.stride - self.t % self.stride
        self._ready = [tick.columns() for tick in islice(self._market, ticks)]

    def take_ready(self) -> None:
        """Take in, in the array form, the ticks that were made."""
        for columns in self._ready:
            self.camera.ingest_arrays(*columns)
        self.t += len(self._ready)
        self._ready = []

    def take_until_due(self) -> None:
        """Make and take in the ticks up to the next one at which a frame is due."""
        self.make_ready()
        self.take_ready()

    def frame(self) -> Frame:
        """Return the frame that is due."""
        frame = self.camera.maybe_frame(self.t)
        assert frame is not None, f"no frame is due at tick {self.t}"
        return frame
