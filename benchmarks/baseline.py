"""How many times faster is the camera than computing every frame anew? Both in one run.

::

    python -m benchmarks.baseline --agents 74

Both get the same ticks, made beforehand: the plain camera in the dict form, the camera in the
array form. Both are asked at every tick and write every frame as JSON. The first W ticks fill the
window and are not timed, nor is compilation. Repetitions alternate, so that a machine that slows
down slows both; figures are medians, the ratio is the median of the repetitions' ratios. Before
anything is timed the two frames are compared: what is timed is the same work.

The plain camera does what the first implementation did, which took 7 ms a frame at 10 agents,
193 ms at 74 and 2,256 ms at 300 (W = 300, stride 10, 2.7 GHz): it goes through the raw dicts of
the window, tick by tick. Copying the prices out of the dicts before comparing pairs would save it
a third of its time at 74 agents (93 to 52 ms for the pairs), and it would no longer be that
yardstick.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import orjson

from benchmarks.machine import describe
from benchmarks.plain_camera import PlainCamera
from benchmarks.workloads import ArrayTick, uniform_market
from marketcam.engine import SlidingWindowCamera
from marketcam.io import encode_frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUMS_DIFFER_BY = 1.01e-6
ARRAY_TICKS_A_DICT = 10


@dataclass(frozen=True)
class Workload:
    """The ticks of a run: the first W fill the window, the rest are timed.

    The dicts are the first of the arrays in the other form. The camera is timed over more ticks,
    since a hiccup of the machine is as long as hundreds of them.
    """

    W: int
    arrays: list[ArrayTick]
    dicts: list[dict[str, Any]]

    @property
    def timed_ticks(self) -> int:
        """Ticks behind the first W for the plain camera."""
        return len(self.dicts) - self.W

    @property
    def timed_array_ticks(self) -> int:
        """Ticks behind the first W for the camera."""
        return len(self.arrays) - self.W


def seconds_of_plain(workload: Workload, settings: dict[str, Any]) -> float:
    """Time the plain camera over the ticks behind the first W."""
    camera = PlainCamera(**settings)
    for raw in workload.dicts[: workload.W]:
        camera.ingest(raw)
    with _without_garbage_collection():
        begin = time.perf_counter()
        for raw in workload.dicts[workload.W :]:
            camera.ingest(raw)
            frame = camera.maybe_build_frame(raw["t"])
            if frame is not None:
                orjson.dumps(frame)
        return time.perf_counter() - begin


def seconds_of_camera(workload: Workload, settings: dict[str, Any]) -> float:
    """Time the camera over the ticks behind the first W."""
    camera = SlidingWindowCamera(**settings)
    rows = [tick.columns() for tick in workload.arrays]
    for columns in rows[: workload.W]:
        camera.ingest_arrays(*columns)
        camera.maybe_frame(columns[0])
    with _without_garbage_collection():
        begin = time.perf_counter()
        for columns in rows[workload.W :]:
            camera.ingest_arrays(*columns)
            frame = camera.maybe_frame(columns[0])
            if frame is not None:
                encode_frame(frame)
        return time.perf_counter() - begin


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Time both as `timeit` does: the ticks kept for the other must not be searched meanwhile."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def check_same_frame(workload: Workload, settings: dict[str, Any]) -> None:
    """Compare the first frame of both; exit where they differ. Compiles on the way."""
    plain, camera = PlainCamera(**settings), SlidingWindowCamera(**settings)
    for raw, tick in zip(workload.dicts, workload.arrays, strict=False):
        plain.ingest(raw)
        camera.ingest_arrays(*tick.columns())
        theirs, ours = plain.maybe_build_frame(tick.t), camera.maybe_frame(tick.t)
        if ours is not None or theirs is not None:
            same = ours is not None and _alike(orjson.loads(encode_frame(ours)), theirs)
            if not same:
                sys.exit(f"the frames at tick {tick.t} differ: there is nothing to compare")
            return


def _alike(ours: Any, theirs: Any) -> bool:
    """Compare two JSON values, floats up to the rounding of sums in another order."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_alike(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_alike, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return abs(ours - theirs) <= SUMS_DIFFER_BY
    return bool(ours == theirs)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run both cameras in turn and return the figures."""
    ticks = options.W + ARRAY_TICKS_A_DICT * options.ticks
    say(f"making {ticks} ticks of {options.agents} agents")
    arrays = uniform_market(options.agents, ticks, seed=options.seed, start=1)
    dicts = [tick.as_dict() for tick in arrays[: options.W + options.ticks]]
    workload = Workload(options.W, arrays, dicts)
    names = ("W", "stride", "eps_pct", "edge_cap", "proximity", "match_share")
    settings = {name: getattr(options, name) for name in names}
    say("compiling, and comparing a frame of both")
    check_same_frame(workload, settings)
    plain, camera = [], []
    for repetition in range(1, options.repetitions + 1):
        plain.append(workload.timed_ticks / seconds_of_plain(workload, settings))
        camera.append(workload.timed_array_ticks / seconds_of_camera(workload, settings))
        figures = f"plain {plain[-1]:,.0f} ticks/s, camera {camera[-1]:,.0f}"
        say(f"repetition {repetition} of {options.repetitions}: {figures}")
    ratios = [ours / theirs for ours, theirs in zip(camera, plain, strict=True)]
    return {
        "agents": options.agents,
        "ticks": options.ticks,
        "repetitions": options.repetitions,
        "seed": options.seed,
        "settings": settings,
        "plain_ticks_per_second": median(plain),
        "camera_ticks_per_second": median(camera),
        "ratio": median(ratios),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
        "machine": describe(),
    }


def report(figures: dict[str, Any]) -> str:
    """Return the figures as a small table."""
    settings = figures["settings"]
    stride = settings["stride"]
    lines = [
        f"{figures['agents']} agents, W {settings['W']}, stride {stride}",
        f"rule {settings['proximity']}, at most {settings['edge_cap']} edges",
        f"{figures['ticks']} ticks, medians of {figures['repetitions']} repetitions",
    ]
    for name in ("plain", "camera"):
        rate = figures[f"{name}_ticks_per_second"]
        milliseconds = 1000 * stride / rate
        lines.append(f"{name:<8}{rate:>12,.1f} ticks/s{milliseconds:>12,.3f} ms a stride")
    lowest, highest = figures["ratio_lowest"], figures["ratio_highest"]
    lines.append(f"ratio   {figures['ratio']:>12,.1f}   ({lowest:,.1f} to {highest:,.1f})")
    return "\n".join(lines)


def say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.baseline",
        description="Time the camera against a plain re-computation of every frame.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("--agents", type=int, default=74, help="agents, all of whom always quote")
    made.add_argument("--ticks", type=int, default=300, help="timed ticks behind the first W")
    made.add_argument("--repetitions", type=int, default=7, help="runs of each, in turn")
    made.add_argument("--W", "--w", type=int, default=300, help="window in ticks")
    made.add_argument("--stride", type=int, default=10, help="ticks between frames")
    made.add_argument("--eps-pct", type=float, default=0.003, help="reach of quote proximity")
    made.add_argument("--edge-cap", type=int, default=2000, help="edges a frame at most")
    made.add_argument("--match-share", type=float, default=0.5, help="share of matches in the cap")
    made.add_argument(
        "--proximity", choices=("pairs", "neighbors"), default="pairs", help="rule of proximity"
    )
    made.add_argument("--seed", type=int, default=0, help="of the ticks")
    made.add_argument("--json", action="store_true", help="print the figures as JSON")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says and print the figures."""
    options = parser().parse_args(arguments)
    if options.ticks < 2 * options.stride or options.repetitions < 1:
        sys.exit("--ticks must cover two strides or more, and --repetitions be 1 or more")
    figures = measure(options)
    print(json.dumps(figures, indent=2) if options.json else report(figures))


if __name__ == "__main__":
    main()
