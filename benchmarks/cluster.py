"""What do workers gain? A recording in pieces, its frames measured, and a grid of seeds.

::

    python -m benchmarks.cluster
    python -m benchmarks.cluster --ticks 4000 --seeds 4 --workers 1 2 4

By one process alone, by one worker and by two; the ways take turns in one run, so that what else
the machine does meets all of them. Processes are started, kernels compiled, before the clock runs.
Whether the files and measures are the same is checked.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.machine import describe
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import MeasureOptions, Store, encode_tick
from marketcam.io.measuring.reading import Asked, row_lines
from marketcam.server.cluster import Choice, open_cluster
from marketcam.server.cluster.spreading import Here
from marketcam.server.pieces.in_pieces import InPieces
from marketcam.server.pieces.measuring import MeasuredByWorkers
from marketcam.server.pieces.seeds import SeedRequest, film_seed, folder_aside
from marketcam.server.running.compiling import compile_kernels
from marketcam.server.running.offline import OfflineFilm
from marketcam.server.running.one_camera import OneCamera
from marketcam.server.settings import Settings

if TYPE_CHECKING:
    from marketcam.server.cluster import Cluster

START = datetime(2000, 1, 1, tzinfo=UTC)

_ALONE = "one process"
"""The way that the others are compared with."""


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--agents", type=int, default=74)
    parser.add_argument("--ticks", type=int, default=20_000)
    parser.add_argument(
        "--measured-ticks", type=int, default=4_000, help="their frames are measured"
    )
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--seed-ticks", type=int, default=5_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    print(json.dumps(measure(parser.parse_args()), indent=1))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the seconds of all three kinds of work by every way, and the speed-ups."""
    compile_kernels()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ways: dict[str, Cluster] = {
            name: stack.enter_context(open_cluster(choice))
            for name, choice in (
                (_ALONE, Choice()),
                *((f"{n} workers", Choice(workers=n)) for n in options.workers),
            )
        }
        recording = _recording(folder / "ticks.jsonl", options, options.ticks)
        for cluster in ways.values():
            _film_seeds(folder, cluster, options, seeds=4, ticks=400)  # kernels are loaded
        film: dict[str, list[float]] = {name: [] for name in ways}
        seeds: dict[str, list[float]] = {name: [] for name in ways}
        measures: dict[str, list[float]] = {name: [] for name in ways}
        short = _recording(folder / "short.jsonl", options, options.measured_ticks)
        store = _store(folder / "measured", short)
        expected = _measured(store, ways[_ALONE])[1]
        for _ in range(options.rounds):
            for name, cluster in ways.items():
                film[name].append(_film(folder, recording, name, cluster))
                took = _film_seeds(folder, cluster, options, options.seeds, options.seed_ticks)
                seeds[name].append(took)
                took, lines = _measured(store, cluster)
                measures[name].append(took)
                if lines != expected:
                    raise AssertionError(f"the measures by {name} are not those by one process")
                print(
                    f"{name}: film {film[name][-1]:.1f} s, seeds {seeds[name][-1]:.1f} s, "
                    f"measures {took:.1f} s",
                    file=sys.stderr,
                )
        return {
            "machine": describe(),
            "film": _figures(film, options.ticks),
            "seeds": _figures(seeds, options.seeds * options.seed_ticks),
            "measures": _figures(measures, options.measured_ticks),
        }


def _figures(seconds: dict[str, list[float]], ticks: int) -> dict[str, Any]:
    alone = median(seconds[_ALONE])
    return {
        name: {
            "seconds": took,
            "ticks_per_second": ticks / median(took),
            "speed_up": alone / median(took),
        }
        for name, took in seconds.items()
    }


def _recording(path: Path, options: argparse.Namespace, ticks: int) -> Path:
    market = InfiniteGameMarket(agents=options.agents, seed=1, adjust_interval=2**50)
    with path.open("wb") as file:
        for tick in islice(market, ticks):
            file.write(encode_tick(tick) + b"\n")
    return path


def _film(folder: Path, recording: Path, name: str, cluster: Cluster) -> float:
    by = OneCamera if name == _ALONE else partial(InPieces, cluster, None)
    with tempfile.TemporaryDirectory(dir=folder) as store:
        settings = Settings(store_dir=Path(store), ticks=str(recording))
        began = time.perf_counter()
        with OfflineFilm(settings, START, by=by) as film:
            film.film(lambda: None)
        took = time.perf_counter() - began
        _check_same(folder, Path(store))
    return took


def _store(folder: Path, recording: Path) -> Store:
    with OfflineFilm(Settings(store_dir=folder, ticks=str(recording)), START) as film:
        film.film(lambda: None)
    return Store(folder)


def _measured(store: Store, cluster: Cluster) -> tuple[float, list[bytes]]:
    spread = map if isinstance(cluster, Here) else MeasuredByWorkers(cluster, are_ours=True)
    began = time.perf_counter()
    lines = list(row_lines(store, Asked(), MeasureOptions(), spread))
    return time.perf_counter() - began, lines


def _check_same(folder: Path, store: Path) -> None:
    """Raise where the files are not those of the first film."""
    found = {path.name: path.read_bytes() for path in store.rglob("*.zst")}
    for name, content in found.items():
        first = folder / f"first_{name}"
        if not first.exists():
            first.write_bytes(content)
        if first.read_bytes() != content:
            raise AssertionError(f"{name} is not the file of the first film")


def _film_seeds(
    folder: Path, cluster: Cluster, options: argparse.Namespace, seeds: int, ticks: int
) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as name, folder_aside(Path(name)) as aside:
        requests = [
            SeedRequest(
                Settings(
                    store_dir=Path(name), seed=seed, agents=options.agents, adjust_interval=2**50
                ),
                START,
                ticks,
                aside,
            )
            for seed in range(seeds)
        ]
        began = time.perf_counter()
        for _ in cluster.spread(film_seed, requests, in_order=False):
            pass
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
