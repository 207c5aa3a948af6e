"""Raw ticks for tests: by hand, in array form, and whole seeded crowds of them."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ID = 2**53 - 1
STATE = {"price_norm": 0.5, "volatility": 0.3, "liquidity": 0.5, "imbalance": 0.0}

_SIDE_CODE = {"none": 0, "buy": 1, "sell": 2}


def quote(side: Any, price: Any = None) -> dict[str, Any]:
    return {"side": side, "price": price, "size": 1.0}


def tick(
    t: int,
    mid: float | None = 100.0,
    *,
    buys: dict[int, float] | None = None,
    sells: dict[int, float] | None = None,
    agents: dict[int, float | None] | None = None,
    matches: list[Any] | None = None,
) -> dict[str, Any]:
    """Return a raw tick in dict form; `buys` and `sells` map agents to prices."""
    actions = {str(agent): quote("buy", price) for agent, price in (buys or {}).items()}
    actions |= {str(agent): quote("sell", price) for agent, price in (sells or {}).items()}
    listed = {str(agent): experience for agent, experience in (agents or {}).items()}
    return {"t": t, "mid": mid, "agents": listed, "actions": actions, "matches": matches or []}


def arrays_of(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the array form of a well-formed raw tick: the arguments of `ingest_arrays`."""
    agents = {int(key): value for key, value in raw.get("agents", {}).items()}
    actions = {int(key): value for key, value in raw.get("actions", {}).items()}
    ids = list(agents | actions)
    known = [agents.get(i) for i in ids]
    quotes = [actions.get(i, {"side": "none"}) for i in ids]
    prices = [quote["price"] if quote["side"] != "none" else math.nan for quote in quotes]
    pairs = [(m["a"], m["b"]) if isinstance(m, dict) else tuple(m) for m in raw.get("matches", [])]
    return {
        "t": raw["t"],
        "mid": raw.get("mid"),
        "agent_id": np.array(ids, dtype=np.int64),
        "experience": np.array([math.nan if e is None else e for e in known], dtype=np.float64),
        "side": np.array([_SIDE_CODE[quote["side"]] for quote in quotes], dtype=np.int8),
        "price": np.array(prices, dtype=np.float64),
        "matches": np.array(pairs, dtype=np.int64).reshape(-1, 2),
    }


def crowd(
    seed: int, ticks: int, *, agents: int, lifetime: int, start: int = 0
) -> Iterator[dict[str, Any]]:
    """Yield consecutive ticks of a market of about `agents` agents living about `lifetime` ticks.

    Newcomers get sparse ids, those who left come back now and then, prices lie on a coarse grid
    so that many are equal, and some ticks have no mid.
    """
    rng = random.Random(seed)
    alive = {rng.randrange(MAX_ID + 1) for _ in range(agents)}
    gone: list[int] = []
    for t in range(start, start + ticks):
        leaving = [agent for agent in alive if rng.random() < 1 / lifetime]
        alive.difference_update(leaving)
        gone += leaving
        while len(alive) < agents:
            returns = gone and rng.random() < 0.3
            alive.add(rng.choice(gone) if returns else rng.randrange(MAX_ID + 1))
        yield _crowd_tick(rng, t, sorted(alive))


def _crowd_tick(rng: random.Random, t: int, alive: list[int]) -> dict[str, Any]:
    quoting = [agent for agent in alive if rng.random() < 0.8]
    matches = [[a, -1] for a in quoting if rng.random() < 0.1]
    matches += (
        [rng.sample(quoting, 2) for _ in range(len(quoting) // 3)] if len(quoting) > 1 else []
    )
    return {
        "t": t,
        "mid": None if rng.random() < 0.1 else rng.uniform(45_000, 55_000),
        "s": STATE,
        "agents": {str(agent): rng.random() if rng.random() < 0.9 else None for agent in alive},
        "actions": {
            str(agent): quote(rng.choice(["buy", "sell"]), rng.randrange(40_000, 60_000, 50) * 1.0)
            for agent in quoting
        },
        "matches": matches,
    }
