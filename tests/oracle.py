"""The plain twin of the camera: the contract written down as slowly and as plainly as possible.

It imports nothing of ours and no numpy. It keeps the raw ticks of the window and computes every
frame anew from them with dicts and loops, sums exactly (`statistics`, `math.fsum`) and decides
bursts in whole numbers, so that where camera and twin differ the camera has a case to answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import fmean, pstdev
from typing import Any

POOL = -1
MAX_ID = 2**53 - 1
MATCH, PROXIMITY = "match", "quote_proximity"


class MalformedTick(Exception):  # noqa: N818 - it is the tick that is malformed
    """A raw tick that must be refused; `field` says where, `agent` whose."""

    def __init__(self, field: str, agent: int | None = None) -> None:
        self.field, self.agent = field, agent
        super().__init__(f"{field} of agent {agent}")


@dataclass
class PlainTick:
    """A well-formed raw tick. `quotes` holds buys and sells only: agent -> (side, price).

    `close` are the pairs that the camera it was shown to finds close: once, not for every frame.
    """

    t: int
    mid: float | None
    experience: dict[int, float | None]
    actors: set[int]
    quotes: dict[int, tuple[str, float]]
    matches: list[tuple[int, int]]
    state: dict[str, float] | None
    close: list[tuple[int, int]] = field(default_factory=list)

    def agents_seen(self) -> set[int]:
        matched = {agent for match in self.matches for agent in match if agent != POOL}
        return set(self.experience) | self.actors | matched


# ---- reading a raw tick ------------------------------------------------------------------------


def read_tick(raw: Any) -> PlainTick:
    """Read the dict form of a raw tick, or raise MalformedTick."""
    if not isinstance(raw, dict):
        raise MalformedTick("tick")
    if not is_integer(raw.get("t")) or abs(raw["t"]) > MAX_ID:
        raise MalformedTick("t")
    agents, actions = read_section(raw, "agents"), read_section(raw, "actions")
    quotes = {}
    for agent, action in actions.items():
        side, price = read_action(agent, action)
        if side != "none":
            quotes[agent] = (side, price)
    return PlainTick(
        t=raw["t"],
        mid=read_number_or_null(raw.get("mid"), "mid"),
        experience={
            agent: read_number_or_null(value, "experience", agent)
            for agent, value in agents.items()
        },
        actors=set(actions),
        quotes=quotes,
        matches=read_matches(raw.get("matches", [])),
        state=read_state(raw.get("s")),
    )


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_agent_id(value: Any) -> bool:
    return is_integer(value) and 0 <= value <= MAX_ID


def read_number(value: Any, field: str, agent: int | None = None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedTick(field, agent)
    try:
        number = float(value)
    except OverflowError:
        raise MalformedTick(field, agent) from None
    if not math.isfinite(number):
        raise MalformedTick(field, agent)
    return number


def read_number_or_null(value: Any, field: str, agent: int | None = None) -> float | None:
    return None if value is None else read_number(value, field, agent)


def read_section(raw: dict[str, Any], name: str) -> dict[int, Any]:
    section = raw.get(name, {})
    if not isinstance(section, dict):
        raise MalformedTick(name)
    by_id: dict[int, Any] = {}
    for key, value in section.items():
        if isinstance(key, str) and re.fullmatch(r"0|[1-9][0-9]*", key) and len(key) <= 16:
            agent = int(key)
        else:
            agent = key
        if not is_agent_id(agent) or agent in by_id:
            raise MalformedTick(name)
        by_id[agent] = value
    return by_id


def read_action(agent: int, action: Any) -> tuple[str, float]:
    if not isinstance(action, dict):
        raise MalformedTick("action", agent)
    side = action.get("side")
    if side not in ("buy", "sell", "none"):
        raise MalformedTick("side", agent)
    price = math.nan if side == "none" else read_number(action.get("price"), "price", agent)
    return side, price


def read_matches(matches: Any) -> list[tuple[int, int]]:
    if not isinstance(matches, list | tuple):
        raise MalformedTick("matches")
    return [read_match(match, f"matches[{i}]") for i, match in enumerate(matches)]


def read_match(match: Any, field: str) -> tuple[int, int]:
    if isinstance(match, dict):
        a, b = match.get("a"), match.get("b")
    elif isinstance(match, list | tuple) and len(match) == 2:
        a, b = match
    else:
        raise MalformedTick(field)
    pool = is_integer(b) and b == POOL
    if not is_agent_id(a) or not (pool or is_agent_id(b)):
        raise MalformedTick(field)
    if a == b:
        raise MalformedTick(field, a)
    return a, b


def read_state(state: Any) -> dict[str, float] | None:
    if state is None:
        return None
    if not isinstance(state, dict):
        raise MalformedTick("s")
    names = ("price_norm", "volatility", "liquidity", "imbalance")
    return {name: read_number(state.get(name), f"s.{name}") for name in names}


# ---- messages ----------------------------------------------------------------------------------


def round6(value: float) -> float:
    """Round as Python does; minus zero is written as zero."""
    rounded = round(float(value), 6)
    return 0.0 if rounded == 0 else rounded


def metric(raw: Any) -> dict[str, Any] | None:
    """Return the metric message of a raw tick, or None for a tick without state."""
    tick = read_tick(raw)
    if tick.state is None:
        return None
    known = [value for value in tick.experience.values() if value is not None]
    return {
        "type": "metric",
        "t": tick.t,
        "s": {name: round6(value) for name, value in tick.state.items()},
        "N": len(set(tick.experience) | tick.actors),
        "avg_exp": round6(fmean(known)) if known else 0.0,
        "matches_n": len(tick.matches),
    }


class OracleCamera:
    """Takes raw ticks in dict form, returns frames as dicts."""

    def __init__(
        self,
        W: int,
        stride: int,
        eps_pct: float,
        edge_cap: int,
        proximity: str = "pairs",
        match_share: float = 0.5,
        burst_z: float = 4.0,
        shock_z: float = 4.0,
    ) -> None:
        self.W, self.stride, self.eps_pct, self.edge_cap = W, stride, eps_pct, edge_cap
        self.proximity, self.match_share = proximity, match_share
        self.burst_z, self.shock_z = burst_z, shock_z
        self.window: list[PlainTick] = []  # consecutive, at most W, each with the mid that holds
        self.last_t: int | None = None
        self.last_mid: float | None = None

    def ingest(self, raw: Any) -> None:
        tick = read_tick(raw)
        if self.last_t is not None and tick.t <= self.last_t:
            raise MalformedTick("t")
        if tick.mid is None:
            tick.mid = self.last_mid
        if tick.mid is not None and tick.mid > 0:
            tick.close = self._close_pairs(tick.quotes, self.eps_pct * tick.mid)
        if self.last_t is not None and tick.t != self.last_t + 1:
            self.window = []
        self.window = [*self.window, tick][-self.W :]
        self.last_t, self.last_mid = tick.t, tick.mid

    def maybe_build_frame(self, t: int) -> dict[str, Any] | None:
        is_due = t >= self.W and t % self.stride == 0
        if t != self.last_t or not is_due or len(self.window) < self.W:
            return None
        t0 = t - self.W + 1
        name = f"agent:%d@t:{t0}-{t}"
        return {
            "type": "frame",
            "t": t,
            "window": {"W": self.W, "t0": t0, "t1": t, "stride": self.stride},
            "nodes": [
                {
                    "node_id": name % agent,
                    "agent_id": agent,
                    "t0": t0,
                    "t1": t,
                    "features": self._features(agent),
                }
                for agent in sorted(set().union(*(tick.agents_seen() for tick in self.window)))
            ],
            "edges": [
                {"src": name % src, "dst": name % dst, "type": kind, "w": round6(count / self.W)}
                for count, kind, src, dst in self._kept_edges()
            ],
            "events": {"bursts": self._bursts(), "shocks": self._shocks()},
        }

    # ---- nodes ---------------------------------------------------------------------------------

    def _features(self, agent: int) -> dict[str, Any]:
        quotes = [(*tick.quotes[agent], tick.mid) for tick in self.window if agent in tick.quotes]
        prices = [price for _, price, _ in quotes]
        distances = [abs(price - mid) / abs(mid) for _, price, mid in quotes if mid]
        buy_count = sum(side == "buy" for side, _, _ in quotes)
        sell_count = sum(side == "sell" for side, _, _ in quotes)
        none_count = self.W - buy_count - sell_count
        match_count = sum(agent in match for tick in self.window for match in tick.matches)
        known = [tick.experience.get(agent) for tick in self.window]
        known = [value for value in known if value is not None]
        start, end = (known[0], known[-1]) if known else (None, None)
        return {
            "buy_count": buy_count,
            "sell_count": sell_count,
            "none_count": none_count,
            "match_count": match_count,
            "match_rate": round6(match_count / self.W),
            "quote_price_mean": round6(fmean(prices)) if prices else 0.0,
            "quote_price_std": round6(pstdev(prices)) if prices else 0.0,
            "quote_dist_to_mid_mean": round6(fmean(distances)) if distances else 0.0,
            "experience_start": None if start is None else round6(start),
            "experience_end": None if end is None else round6(end),
            "experience_delta": 0.0 if start is None else round6(end - start),
            "dominant_side": dominant_side(buy_count, sell_count, none_count),
        }

    # ---- edges: (count capped at W, type, src, dst) --------------------------------------------

    def _kept_edges(self) -> list[tuple[int, str, int, int]]:
        matches = sorted(self._match_edges(), key=by_rank)
        set_aside = math.floor(self.edge_cap * self.match_share + 1e-9)
        first = matches[:set_aside]
        left = sorted(matches[set_aside:] + self._proximity_edges(), key=by_rank)
        return sorted(first + left[: self.edge_cap - len(first)], key=by_rank)

    def _match_edges(self) -> list[tuple[int, str, int, int]]:
        counts = Counter(
            (min(match), max(match))
            for tick in self.window
            for match in tick.matches
            if POOL not in match
        )
        return [(min(count, self.W), MATCH, *pair) for pair, count in counts.items()]

    def _proximity_edges(self) -> list[tuple[int, str, int, int]]:
        counts: Counter[tuple[int, int]] = Counter()
        for tick in self.window:
            counts.update(tick.close)
        return [(count, PROXIMITY, *pair) for pair, count in counts.items()]

    def _close_pairs(
        self, quotes: dict[int, tuple[str, float]], reach: float
    ) -> list[tuple[int, int]]:
        if self.proximity == "neighbors":
            return adjacent_quotes(quotes, reach)
        price = {agent: quote[1] for agent, quote in quotes.items()}
        return [
            (min(i, j), max(i, j))
            for i, j in combinations(price, 2)
            if abs(price[i] - price[j]) <= reach
        ]

    # ---- events --------------------------------------------------------------------------------

    def _bursts(self) -> list[dict[str, Any]]:
        """(x - mean) / std, both multiplied by W: whole numbers up to the root, exact at a tie."""
        values = [len(tick.matches) for tick in self.window]
        W, total, squares = self.W, sum(values), sum(x * x for x in values)
        scaled_std = math.sqrt(W * squares - total * total)
        if scaled_std == 0:
            return []
        scores = [(W * x - total) / scaled_std for x in values]
        return [
            {"t": tick.t, "value": x, "score": round6(score)}
            for tick, x, score in zip(self.window, values, scores, strict=True)
            if score >= self.burst_z
        ]

    def _shocks(self) -> list[dict[str, Any]]:
        return [
            {"t": t, "value": round6(r), "score": round6(score)}
            for t, r, score in self.scored_returns()
            if abs(score) >= self.shock_z
        ]

    def scored_returns(self) -> list[tuple[int, float, float]]:
        """(t, r, (r - mean) / std) for every return of the window; none where std is 0."""
        values = [r for _, r in self.returns()]
        std = pstdev(values) if values else 0.0
        if std == 0:
            return []
        return [(t, r, (r - fmean(values)) / std) for t, r in self.returns()]

    def returns(self) -> list[tuple[int, float]]:
        """Logarithmic returns between neighbouring ticks of the window with positive mids."""
        return [
            (tick.t, math.log(tick.mid / before.mid))
            for before, tick in pairwise(self.window)
            if before.mid is not None and tick.mid is not None and before.mid > 0 < tick.mid
        ]


def by_rank(edge: tuple[int, str, int, int]) -> tuple[int, str, int, int]:
    """Order edges: weight descending, match before quote_proximity, smaller src, smaller dst.

    The names of the two types happen to be in this order in the alphabet.
    """
    count, kind, src, dst = edge
    return (-count, kind, src, dst)


def dominant_side(buy: int, sell: int, none: int) -> str:
    if buy > 0 and buy >= sell and buy >= none:
        return "buy"
    if sell > 0 and sell >= buy and sell >= none:
        return "sell"
    return "none"


def pairs_in_window(ticks: list[list[tuple[int, int]]], W: int) -> Counter[tuple[int, int]]:
    """Count each unordered pair in the last W of some ticks' pairs; -1 makes none."""
    return Counter((min(pair), max(pair)) for tick in ticks[-W:] for pair in tick if min(pair) >= 0)


def adjacent_quotes(quotes: dict[int, tuple[str, float]], reach: float) -> list[tuple[int, int]]:
    """Return the agents next to each other in a side's price order, and within reach."""
    pairs = []
    for side in ("buy", "sell"):
        price = {agent: quote[1] for agent, quote in quotes.items() if quote[0] == side}
        in_order = sorted(price, key=lambda agent: (price[agent], agent))
        pairs += [(i, j) for i, j in pairwise(in_order) if price[j] - price[i] <= reach]
    return [(min(pair), max(pair)) for pair in pairs]
