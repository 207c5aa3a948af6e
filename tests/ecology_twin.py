"""The ecology in plain Python, sentence by sentence from docs/markets.md.

Slow on purpose and independent on purpose: nothing here comes from the engine, numbers included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median, pstdev

import numpy as np

from tests.market_twin import PlainTick, clip

GROUP_OF_DIGIT = "MFCNFCNFCN"


def spread_evenly(number: int) -> float:
    return number * 0.6180339887498949 % 1.0


def group_of(agent: int) -> str:
    return GROUP_OF_DIGIT[agent % 10]


def view_of(agent: int) -> float:
    """By how much a fundamentalist overestimates the value."""
    if agent % 10 == 1:
        return 0.2 * 0.02 * (2 * spread_evenly(agent) - 1)
    strong = 0.02 * (0.2 + 0.8 * spread_evenly(agent // 10))
    return strong if agent % 10 == 4 else -strong


@dataclass
class PlainClimate:
    price: float = 50_000.0
    value: float = 50_000.0
    change: float = 0.0
    trend: float = 0.0
    turbulence: float = 0.0004
    chartism: float = 0.3
    price_norms: list[float] = field(default_factory=list)

    def move(self, mid: float) -> None:
        price = clip(mid, 40_000, 60_000)
        self.change = (price - self.price) / self.price
        self.price = price
        self.price_norms.append((price - 40_000) / 20_000)
        self.trend += 0.05 * (self.change - self.trend)
        self.turbulence += 0.05 * (abs(self.change) - self.turbulence)
        gap = (self.value - price) / price / 0.01
        appeal = 0.3 + 2.4 * (2 * self.chartism - 1) - gap**2
        self.chartism += 0.003 * (1 / (1 + math.exp(-appeal)) - self.chartism)

    def volatility(self) -> float:
        last = self.price_norms[-20:]
        if len(last) < 2:
            return 0.3
        return clip(pstdev([b - a for a, b in pairwise(last)]) * math.sqrt(20), 0, 1)


@dataclass
class PlainAgent:
    fitness: float = 0.0
    position: int = 0

    @property
    def experience(self) -> float:
        return 0.5 + 0.5 * self.fitness / (0.01 + abs(self.fitness))


@dataclass
class Quote:
    side: str
    price: float
    filled: bool = False
    partner: int | None = None
    edge: float = 0.0


class PlainEcology:
    """Draws from the same generator in the same order as `EcologyMarket` documents."""

    def __init__(
        self,
        agents: int,
        seed: int,
        adjust_interval: int = 2000,
        max_agents: int | None = None,
        pool_only: bool = False,
    ) -> None:
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.climate = PlainClimate()
        self.agents = {agent: PlainAgent() for agent in range(agents)}
        self.newcomer = agents
        self.adjust_interval = adjust_interval
        self.max_agents = max_agents
        self.pool_only = pool_only
        self.t = 0

    def step(self) -> PlainTick:
        n, climate = len(self.agents), self.climate
        draws = self.random.random(2 * n + n // 2 + 24).tolist()
        news, rumour = math.fsum(draws[-24:-12]) - 6, math.fsum(draws[-12:]) - 6
        quotes = self.quote(draws[:n], draws[n : 2 * n], news, rumour)
        made = {agent: quote for agent, quote in quotes.items() if quote.side != "none"}
        mid = median(quote.price for quote in made.values())
        desk_matches = self.trade_at_desks(made, mid)
        matches = desk_matches + self.cross(made, mid, draws[2 * n :])
        if self.pool_only:
            matches = [
                (agent, -1)
                for side in ("buy", "sell")
                for agent, quote in made.items()
                if quote.filled and quote.side == side
            ]
        climate.move(mid)
        for agent, quote in quotes.items():
            self.learn(self.agents[agent], quote, climate.change)
        buys = sum(quote.side == "buy" for quote in made.values())
        fills = sum(quote.filled for quote in made.values())
        tick = PlainTick(
            self.t,
            mid,
            {agent: state.experience for agent, state in self.agents.items()},
            {agent: (quote.side, quote.price) for agent, quote in quotes.items()},
            matches,
            (
                climate.price_norms[-1],
                climate.volatility(),
                fills / len(made),
                (buys - (len(made) - buys)) / len(made),
            ),
        )
        if self.t > 0 and self.t % self.adjust_interval == 0:
            self.adjust()
        self.t += 1
        return tick

    def quote(
        self, whether: list[float], how_far: list[float], news: float, rumour: float
    ) -> dict[int, Quote]:
        climate = self.climate
        grown = 1 + 1.3e-4 * news
        climate.value *= grown
        climate.value += 5e-4 * (50_000 - climate.value)
        center = climate.price * grown
        unit = 4e-4 + 1.25 * climate.turbulence
        surprise = min(abs(climate.change) / (5 * climate.turbulence), 1)
        trend = clip(0.1 * climate.trend / climate.turbulence, -0.3, 0.3)
        balance = clip(trend + 0.9 * rumour, -1, 1)
        share = {
            "F": 0.15 + 0.75 * (1 - climate.chartism),
            "C": 1 - (1 - surprise**2) * (1 - (0.05 + 0.9 * climate.chartism)),
            "N": 1 - (1 - surprise**2) * (1 - 0.4),
        }
        quotes = {}
        for agent, u, w in zip(self.agents, whether, how_far, strict=True):
            group = group_of(agent)
            if group == "M":
                side = "buy" if (self.t + agent // 10) % 2 == 0 else "sell"
                offset = unit * 0.3 * (0.25 + 1.5 * w) * (-1 if side == "buy" else 1)
            elif u >= share[group]:
                side, offset = "none", math.nan
            elif group == "F":
                gap = (climate.value - center) / center + view_of(agent)
                side = "buy" if gap > 0 else "sell"
                offset = clip(0.012 * gap, -3 * unit, 3 * unit)
            elif group == "C":
                side = "buy" if u < share["C"] * 0.5 * (1 + balance) else "sell"
                offset = unit * 8 * (0.2 + w) * (0.5 + spread_evenly(agent))
                offset *= 1 if side == "buy" else -1
            else:
                side = "buy" if u < 0.5 * share["N"] else "sell"
                off = 2 * w - 1
                offset = unit * 24 * off * abs(off) * (0.5 + spread_evenly(agent))
            quotes[agent] = Quote(side, center * (1 + offset))
        return quotes

    def trade_at_desks(self, made: dict[int, Quote], mid: float) -> list[tuple[int, int]]:
        matches = []
        for maker, own in made.items():
            if group_of(maker) != "M":
                continue
            sign = 1 if own.side == "sell" else -1  # what the maker gains by a higher price
            clients = [
                (sign * quote.price, -agent)
                for agent, quote in made.items()
                if agent != maker
                and agent // 10 == maker // 10
                and quote.side != own.side
                and sign * quote.price >= sign * own.price
            ]
            if not clients:
                continue
            client = -max(clients)[1]
            own.filled = made[client].filled = True
            own.partner, made[client].partner = client, maker
            own.edge = sign * (own.price - mid) / mid
            made[client].edge = -own.edge
            matches.append((client, maker) if own.side == "sell" else (maker, client))
        return matches

    def cross(
        self, made: dict[int, Quote], mid: float, draws: list[float]
    ) -> list[tuple[int, int]]:
        buyers, sellers = [], []
        for agent, quote in made.items():
            if quote.partner is None and quote.side == "buy" and quote.price >= mid:
                buyers.append(agent)
            if quote.partner is None and quote.side == "sell" and quote.price <= mid:
                sellers.append(agent)
        for agent in buyers + sellers:
            made[agent].filled = True
        pairs = min(len(buyers), len(sellers))
        longer = buyers if len(buyers) >= len(sellers) else sellers
        for k in range(pairs):
            other = k + math.floor(draws[k] * (len(longer) - k))
            longer[k], longer[other] = longer[other], longer[k]
        matches = list(zip(buyers[:pairs], sellers[:pairs], strict=True))
        return matches + [(agent, -1) for agent in buyers[pairs:] + sellers[pairs:]]

    def learn(self, agent: PlainAgent, quote: Quote, earned: float) -> None:
        agent.fitness = 0.99 * agent.fitness + agent.position * earned + quote.edge
        if quote.filled:
            agent.position = 1 if quote.side == "buy" else -1

    def adjust(self) -> None:
        experience = {agent: state.experience for agent, state in self.agents.items()}
        n = len(experience)
        mean = sum(experience.values()) / n
        if mean > 0.52:
            if self.max_agents is None or n < self.max_agents:
                self.agents[self.newcomer] = PlainAgent()
                self.newcomer += 1
        elif mean < 0.48 and n > 3:
            others = [agent for agent in experience if agent > 2]
            del self.agents[min(others, key=experience.__getitem__)]
