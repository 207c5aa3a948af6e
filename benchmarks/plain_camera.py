"""The camera without any of its machinery: every frame computed anew from the kept raw ticks.

This is the yardstick of `benchmarks.baseline`, written as one writes it the first time, and as the
first implementation was: dicts, lists and loops over the whole window at every frame. It follows
the contract, so that what is timed is the same result, and reads the raw ticks where they lie. It
goes out of its way neither to be fast nor to be slow.
"""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import combinations, pairwise
from math import floor, log, sqrt
from typing import Any

__all__ = ["PlainCamera"]

Edge = tuple[int, str, int, int]


class PlainCamera:
    """`ingest(raw)` dicts, `maybe_build_frame(t)`, by default with the camera's own defaults."""

    def __init__(
        self,
        W: int = 300,
        stride: int = 10,
        eps_pct: float = 0.003,
        edge_cap: int = 2000,
        *,
        proximity: str = "pairs",
        match_share: float = 0.5,
    ) -> None:
        self.W, self.stride, self.eps_pct = W, stride, eps_pct
        self.edge_cap, self.match_share = edge_cap, match_share
        self.close_pairs = close_pairs if proximity == "pairs" else close_neighbors
        self.ticks: deque[dict[str, Any]] = deque(maxlen=W)

    def ingest(self, raw: dict[str, Any]) -> None:
        """Keep a tick. The benchmark's ticks are well formed, consecutive and have a mid."""
        self.ticks.append(raw)

    def maybe_build_frame(self, t: int) -> dict[str, Any] | None:
        """Return the frame of the last tick, or None where none is due."""
        if t < self.W or t % self.stride or len(self.ticks) < self.W:
            return None
        t0 = t - self.W + 1
        names: dict[int, str] = {}
        nodes = []
        for agent, history in sorted(self._histories().items()):
            names[agent] = f"agent:{agent}@t:{t0}-{t}"
            node = {"node_id": names[agent], "agent_id": agent, "t0": t0, "t1": t}
            nodes.append(node | {"features": history.features(self.W)})
        edges = [
            {
                "src": names[src],
                "dst": names[dst],
                "type": kind,
                "w": round(-negative_count / self.W, 6),
            }
            for negative_count, kind, src, dst in self._edges()
        ]
        return {
            "type": "frame",
            "t": t,
            "window": {"W": self.W, "t0": t0, "t1": t, "stride": self.stride},
            "nodes": nodes,
            "edges": edges,
            "events": self._events(),
        }

    def _histories(self) -> dict[int, History]:
        histories: dict[int, History] = defaultdict(History)
        for raw in self.ticks:
            mid = raw["mid"]
            for agent, experience in raw["agents"].items():
                histories[int(agent)].experiences.append(experience)
            for agent, action in raw["actions"].items():
                history = histories[int(agent)]
                price = action["price"]
                history.sides[action["side"]] += 1
                history.prices.append(price)
                history.distances.append(abs(price - mid) / abs(mid))
            for match in raw["matches"]:
                for agent in match:
                    if agent != -1:
                        histories[agent].matches += 1
        return histories

    def _edges(self) -> list[Edge]:
        """Return the kept edges; a negative count sorts the heaviest first."""
        match_counts: dict[tuple[int, int], int] = defaultdict(int)
        close_counts: dict[tuple[int, int], int] = defaultdict(int)
        for raw in self.ticks:
            for a, b in raw["matches"]:
                if b != -1:
                    match_counts[(a, b) if a < b else (b, a)] += 1
            self.close_pairs(raw["actions"], self.eps_pct * raw["mid"], close_counts)
        W = self.W
        matches = sorted((-min(n, W), "match", *pair) for pair, n in match_counts.items())
        close = [(-n, "quote_proximity", *pair) for pair, n in close_counts.items()]
        set_aside = floor(self.edge_cap * self.match_share + 1e-9)
        first = matches[:set_aside]
        rest = sorted(matches[set_aside:] + close)[: self.edge_cap - len(first)]
        return sorted(first + rest)

    def _events(self) -> dict[str, list[dict[str, Any]]]:
        counts = [len(raw["matches"]) for raw in self.ticks]
        mids = [raw["mid"] for raw in self.ticks]
        returns = [log(mid / before) for before, mid in pairwise(mids)]
        numbers = [raw["t"] for raw in self.ticks]
        shocks = outstanding(numbers[1:], returns, lambda score: abs(score) >= 4.0)
        for shock in shocks:
            shock["value"] = round(shock["value"], 6)
        return {
            "bursts": outstanding(numbers, counts, lambda score: score >= 4.0),
            "shocks": shocks,
        }


class History:
    """What one agent did in the window."""

    def __init__(self) -> None:
        self.experiences: list[float] = []
        self.sides = {"buy": 0, "sell": 0, "none": 0}
        self.prices: list[float] = []
        self.distances: list[float] = []
        self.matches = 0

    def features(self, W: int) -> dict[str, Any]:
        buy, sell = self.sides["buy"], self.sides["sell"]
        none = W - buy - sell
        mean, std = mean_and_std(self.prices)
        distance, _ = mean_and_std(self.distances)
        start, end = self.experiences[0], self.experiences[-1]
        dominant = "none"
        if buy > 0 and buy >= sell and buy >= none:
            dominant = "buy"
        elif sell > 0 and sell >= buy and sell >= none:
            dominant = "sell"
        return {
            "buy_count": buy,
            "sell_count": sell,
            "none_count": none,
            "match_count": self.matches,
            "match_rate": round(self.matches / W, 6),
            "quote_price_mean": round(mean, 6),
            "quote_price_std": round(std, 6),
            "quote_dist_to_mid_mean": round(distance, 6),
            "experience_start": round(start, 6) + 0.0,
            "experience_end": round(end, 6) + 0.0,
            "experience_delta": round(end - start, 6) + 0.0,
            "dominant_side": dominant,
        }


def close_pairs(actions: dict[str, Any], reach: float, counts: dict[tuple[int, int], int]) -> None:
    """Count every two agents within reach, by looking at every two agents."""
    for a, b in combinations(sorted(actions, key=int), 2):
        if abs(actions[a]["price"] - actions[b]["price"]) <= reach:
            counts[int(a), int(b)] += 1


def close_neighbors(
    actions: dict[str, Any], reach: float, counts: dict[tuple[int, int], int]
) -> None:
    """Count, per side, agents within reach that are neighbours in price order."""
    for side in ("buy", "sell"):
        quotes = sorted(
            (action["price"], int(agent))
            for agent, action in actions.items()
            if action["side"] == side
        )
        for (price, agent), (next_price, other) in pairwise(quotes):
            if next_price - price <= reach:
                counts[(agent, other) if agent < other else (other, agent)] += 1


def mean_and_std(values: list[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 0.0
    mean = sum(values) / len(values)
    return mean, sqrt(sum((value - mean) ** 2 for value in values) / len(values))


def outstanding(numbers: list[int], values: list[Any], stands_out: Any) -> list[dict[str, Any]]:
    mean, std = mean_and_std(values)
    if std == 0:
        return []
    scores = [(value - mean) / std for value in values]
    return [
        {"t": t, "value": value, "score": round(score, 6)}
        for t, value, score in zip(numbers, values, scores, strict=True)
        if stands_out(score)
    ]
