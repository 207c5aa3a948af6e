"""How long until a chart of an hour, or of a day, of metrics is there?

::

    python -m benchmarks.overview --hours 24 --folder build/overview

The recording has metrics only, at 100 ticks/s in segments of five minutes; it is made once, in a
minute for a day, and kept in the folder. A real server is started on it and asked for
``/overview/metrics`` of the whole: cold, which is the first time; then again, until the answer is
no longer sampled; then warm.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import httpx
import orjson

from benchmarks.history import SEGMENT_SECONDS, TICK_RATE, server_on
from benchmarks.machine import listed
from marketcam.io import Store
from marketcam.io.store.offline import OfflineRecorder, OfflineRun
from marketcam.io.store.writer import SegmentRules

if TYPE_CHECKING:
    from collections.abc import Sequence

_RUN = "overview"
_START = 1_769_256_000.0
_PATIENCE = 120.0
_WARM = 20


class Row(NamedTuple):
    """An answer, or several alike: the milliseconds it took, and whether it was sampled."""

    what: str
    milliseconds: float
    sampled: bool
    bytes: int


def record(folder: Path, ticks: int) -> None:
    """Record so many metrics, unless they are there."""
    if (folder / "runs.jsonl").exists():
        if Store(folder).last_t("metrics", _RUN) != ticks - 1:
            sys.exit(f"{folder} holds another recording; remove it, or name another --folder")
        return
    chance = Random(0)
    run = OfflineRun(_RUN, _START, TICK_RATE, {"tick_rate": TICK_RATE})
    rules = SegmentRules(seconds=SEGMENT_SECONDS, bytes=2**31)
    recorder = OfflineRecorder(folder, ("metrics",), rules, run)
    price = 0.5
    for t in range(ticks):
        price = min(1.0, max(0.0, price + chance.gauss(0, 0.001)))
        state = {
            "price_norm": round(price, 6),
            "volatility": round(chance.random() / 100, 6),
            "liquidity": round(chance.random(), 6),
            "imbalance": round(chance.uniform(-1, 1), 6),
        }
        metric = {"type": "metric", "t": t, "s": state, "N": 74}
        metric |= {"avg_exp": round(chance.random(), 6), "matches_n": chance.randrange(20)}
        recorder.write("metrics", orjson.dumps(metric), t)
    recorder.close()


def measure(folder: Path, points: int) -> list[Row]:
    """Ask a server of its own for the whole recording, as the page would."""
    with (
        server_on(folder) as (address, _),
        httpx.Client(base_url=f"http://{address}", timeout=_PATIENCE) as client,
    ):
        client.get("/health").raise_for_status()

        def ask(what: str) -> Row:
            began = time.perf_counter()
            answer = client.get("/overview/metrics", params={"run": _RUN, "points": points})
            spent = 1e3 * (time.perf_counter() - began)
            answer.raise_for_status()
            size = int(answer.headers["content-length"])
            return Row(what, spent, answer.json()["sampled"], size)

        rows = [ask("cold")]
        while rows[-1].sampled:
            rows.append(ask(f"again, {len(rows)}"))
        warm = [ask("warm") for _ in range(_WARM)]
        return [*rows, warm[0]._replace(milliseconds=median(row.milliseconds for row in warm))]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=1.0, help="length of the recording")
    parser.add_argument("--points", type=int, default=2000, help="buckets of an answer")
    parser.add_argument("--folder", type=Path, default=Path("build/overview"))
    args = parser.parse_args(argv)
    ticks = round(args.hours * 3600 * TICK_RATE)
    folder = args.folder / f"{args.hours:g}h"
    record(folder, ticks)
    print(f"{args.hours:g} h, {ticks:,} metrics, {args.points} points\n")
    print("| asked | ms | sampled | bytes |\n|---|---:|---|---:|")
    for row in measure(folder, args.points):
        sampled = "yes" if row.sampled else "no"
        print(f"| {row.what} | {row.milliseconds:.0f} | {sampled} | {row.bytes:,} |")
    print(f"\n{listed()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
