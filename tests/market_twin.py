"""The embedded market in plain Python, sentence by sentence from its rules.

Slow on purpose and independent on purpose: nothing here comes from the engine. The rules are
free functions, so that the recorded ticks of the original simulator can be held against them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median, pstdev

import numpy as np


@dataclass
class PlainState:
    """The state of the market; imbalance in -1..1, complexity constant."""

    price_norm: float = 0.5
    volatility: float = 0.3
    liquidity: float = 0.5
    imbalance: float = 0.0
    price: float = 50_000.0
    history: list[float] = field(default_factory=list)

    def update(self, buys: int, sells: int, fills: int) -> None:
        total = buys + sells
        pressure = (buys - sells) / (total + 1e-6)
        self.price = clip(self.price * (1 + 0.0005 * pressure), 40_000, 60_000)
        self.price_norm = (self.price - 40_000) / 20_000
        self.history.append(self.price_norm)
        self.volatility = self._volatility()
        self.liquidity = fills / total
        self.imbalance = pressure

    def _volatility(self) -> float:
        last = self.history[-20:]
        if len(last) < 2:
            return 0.3
        changes = [b - a for a, b in pairwise(last)]
        return clip(pstdev(changes) * math.sqrt(20), 0, 1)


def clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def chaos(t: int, prices: list[float], buys: int, mean_experience: float) -> float:
    n = len(prices)
    dispersion = 1.0
    if n >= 2:
        dispersion = clip(pstdev(prices) / (sum(prices) / n) / 0.02, 0.2, 3.0)
    shares = [count / n for count in (buys, n - buys) if count]
    entropy = -sum(share * math.log2(share) for share in shares)
    overload = 0.6 * n / 8 + 0.4 * math.log(1 + n / 10)
    base = clip(0.4 * dispersion + 0.35 * entropy + 0.25 * overload, 0, 1.5)
    crowd = 1.2 if n > 15 else 0.8 if n < 5 else 1
    novices = 0.7 if mean_experience < 0.3 else 1
    multiplier = min(1.5, 0.95 ** (t // 10_000) * crowd * novices)
    return base * (0.08 / 0.15) * multiplier


def fill_probability(price: float, chaos: float, state: PlainState) -> float:
    center = 40_000 + 20_000 * state.price_norm
    priority = max(0.01, 0.98 * math.exp(-4 * abs(price - center) / center))
    raw = priority * (1 - 0.4 * chaos) + 0.3 * state.liquidity - 0.1 * (state.volatility - 0.5) ** 2
    return clip(raw, 0.01, 0.99)


def learned(score: float, filled: bool, state: PlainState) -> float:
    fee = 0.0005 if filled else 0.0
    instant = (1.0 if filled else -0.3) - 10 * fee + 0.4 * 0.5
    instant += 0.2 * state.volatility + 0.1 * state.liquidity
    return 0.98 * score + 0.02 * instant


def adjustment(experiences: list[float], maximum: int | None) -> str:
    """Return 'join', 'leave' or 'stay'."""
    n = len(experiences)
    mean = sum(experiences) / n
    if (n <= 2 and mean > 0.25) or mean > 0.35:
        change = "join"
    elif mean < 0.15 and n > 2:
        change = "leave"
    else:
        change = "stay"
    if change == "join" and maximum is not None and n >= maximum:
        change = "stay"
    return change


@dataclass
class PlainTick:
    t: int
    mid: float
    agents: dict[int, float]
    actions: dict[int, tuple[str, float]]
    matches: list[tuple[int, int]]
    s: tuple[float, float, float, float]


class PlainMarket:
    """Draws from the same generator in the same order as `InfiniteGameMarket` documents."""

    def __init__(
        self,
        agents: int,
        seed: int,
        adjust_interval: int = 2000,
        max_agents: int | None = None,
        pool_only: bool = False,
    ) -> None:
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.state = PlainState()
        self.experience = dict.fromkeys(range(agents), 0.0)
        self.newcomer = agents
        self.adjust_interval = adjust_interval
        self.max_agents = max_agents
        self.pool_only = pool_only
        self.t = 0

    def step(self) -> PlainTick:
        ids = list(self.experience)
        n = len(ids)
        draws = self.random.random(2 * n + n // 2).tolist()
        price_draws, coins, pairing = draws[:n], draws[n : 2 * n], draws[2 * n :]

        prices = [40_000 + 20_000 * draw for draw in price_draws]
        sides = ["buy" if coin < 0.5 else "sell" for coin in coins]
        buys = sides.count("buy")
        mean_experience = sum(self.experience.values()) / n
        level = chaos(self.t, prices, buys, mean_experience)
        filled = [
            2 * coin % 1 < fill_probability(price, level, self.state)
            for coin, price in zip(coins, prices, strict=True)
        ]
        for agent, hit in zip(ids, filled, strict=True):
            self.experience[agent] = learned(self.experience[agent], hit, self.state)
        self.state.update(buys, n - buys, sum(filled))

        sided = list(zip(ids, sides, filled, strict=True))
        buyers = [agent for agent, side, hit in sided if hit and side == "buy"]
        sellers = [agent for agent, side, hit in sided if hit and side == "sell"]
        tick = PlainTick(
            self.t,
            median(prices),
            dict(self.experience),
            dict(zip(ids, zip(sides, prices, strict=True), strict=True)),
            self.match(buyers, sellers, pairing),
            (
                self.state.price_norm,
                self.state.volatility,
                self.state.liquidity,
                self.state.imbalance,
            ),
        )
        if self.t > 0 and self.t % self.adjust_interval == 0:
            self.adjust()
        self.t += 1
        return tick

    def match(
        self, buyers: list[int], sellers: list[int], draws: list[float]
    ) -> list[tuple[int, int]]:
        pairs = 0 if self.pool_only else min(len(buyers), len(sellers))
        longer = buyers if len(buyers) >= len(sellers) else sellers
        for k in range(pairs):
            other = k + math.floor(draws[k] * (len(longer) - k))
            longer[k], longer[other] = longer[other], longer[k]
        matches = list(zip(buyers[:pairs], sellers[:pairs], strict=True))
        return matches + [(agent, -1) for agent in buyers[pairs:] + sellers[pairs:]]

    def adjust(self) -> None:
        change = adjustment(list(self.experience.values()), self.max_agents)
        if change == "join":
            self.experience[self.newcomer] = 0.0
            self.newcomer += 1
        elif change == "leave":
            del self.experience[min(self.experience, key=self.experience.__getitem__)]
