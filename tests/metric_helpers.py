"""Stores of metrics, and what they come to by plain Python."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import orjson

from marketcam.io.store.offline import OfflineRecorder, OfflineRun
from marketcam.io.store.writer import SegmentRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

RATE = 100.0
RUN = "made"
STATE = ("price_norm", "volatility", "liquidity", "imbalance")


def metrics(ticks: Iterable[int], seed: int = 0) -> list[dict[str, Any]]:
    """Return metrics of these ticks, all of whose figures change."""
    chance = random.Random(seed)
    return [
        {
            "type": "metric",
            "t": t,
            "s": {name: round(chance.uniform(-1, 1), chance.choice((0, 2, 6))) for name in STATE},
            "N": chance.randrange(1, 100_000),
            "avg_exp": round(chance.uniform(0, 1e-4), 6),
            "matches_n": chance.randrange(50),
        }
        for t in ticks
    ]


def record_metrics(
    store: Path, messages: Sequence[dict[str, Any]], segment_seconds: float = 3.0
) -> None:
    """Record a run, finished, in segments of so many seconds at 100 ticks a second."""
    run = OfflineRun(RUN, 1_769_256_000.0, RATE, {})
    rules = SegmentRules(seconds=segment_seconds)
    recorder = OfflineRecorder(store, ("metrics",), rules, run)
    recorder.first_t = messages[0]["t"]
    for message in messages:
        recorder.write("metrics", orjson.dumps(message), message["t"])
    recorder.close()


def figures_of(message: dict[str, Any]) -> list[float]:
    """Return the figures of a metric, in the order of its text."""
    state = [message["s"][name] for name in STATE]
    return [*state, message["N"], message["avg_exp"], message["matches_n"]]


def drawn_together(
    messages: Iterable[dict[str, Any]], step: int
) -> dict[int, list[tuple[float, float, float]]]:
    """Return least, greatest and last of each figure, by the first tick of each bucket."""
    buckets: dict[int, list[list[float]]] = {}
    for message in messages:
        buckets.setdefault(message["t"] // step * step, []).append(figures_of(message))
    return {
        start: [(min(column), max(column), column[-1]) for column in zip(*rows, strict=True)]
        for start, rows in buckets.items()
    }
