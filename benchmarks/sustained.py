"""How many ticks a second does one camera sustain, and how much memory does its process take?

::

    python -m benchmarks.sustained --agents 1000 --prices close

One market, one camera, one process; `benchmarks.targets` starts one for each row of its table.
Every tick costs one call of `ingest_arrays` and one of `maybe_frame`, every frame is encoded as
JSON. The window is filled first, and what is compiled is compiled then. The rate is that of all
ticks over all the time, so that it holds what is paid once in a while, such as the merging of panes
once a round; how chunks differ is information. Ticks are made a chunk ahead of being timed, a whole
number of strides: no tick comes twice, and however long the run, only one chunk takes memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.workloads import PRICES, ArrayTick, close_prices, endless_market
from marketcam.engine import SlidingWindowCamera
from marketcam.io import encode_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK_BYTES = 16_000_000
CHUNK_TICKS = 1_000


@dataclass(frozen=True)
class Chunk:
    """Ticks that are timed together.

    Attributes:
        seconds: from the first tick to the last frame's text.
        ticks: ticks taken in.
        frames: frames made of them.
        json_bytes: the text of these frames.
        tick_bytes: memory of the ticks, made beforehand.
    """

    seconds: float
    ticks: int
    frames: int
    json_bytes: int
    tick_bytes: int


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Fill a window, then time chunks until there are enough frames and seconds of them."""
    imported = peak_bytes()
    prices = close_prices(options.eps_pct) if options.prices == "close" else PRICES
    market = endless_market(options.agents, seed=options.seed, start=1, prices=prices)
    names = ("W", "stride", "eps_pct", "edge_cap", "proximity")
    settings = {name: getattr(options, name) for name in names}
    camera = SlidingWindowCamera(**settings)
    ticks = ticks_a_chunk(next(market), options.stride)
    missing = options.W + options.stride
    while missing > 0:
        missing -= run(camera, list(islice(market, ticks))).ticks
    chunks: list[Chunk] = []
    while not enough(chunks, options):
        chunks.append(run(camera, list(islice(market, ticks))))
    return {
        "agents": options.agents,
        "prices": options.prices,
        "settings": settings,
        "seed": options.seed,
        **rates(chunks),
        "peak_bytes": peak_bytes(),
        "imported_bytes": imported,
        "tick_bytes": max(chunk.tick_bytes for chunk in chunks),
    }


def run(camera: SlidingWindowCamera, made: list[ArrayTick]) -> Chunk:
    """Take in ticks, one call each, and encode the frames that are due."""
    rows = [tick.columns() for tick in made]
    frames = json_bytes = 0
    begin = time.perf_counter()
    for columns in rows:
        camera.ingest_arrays(*columns)
        frame = camera.maybe_frame(columns[0])
        if frame is not None:
            json_bytes += len(encode_frame(frame))
            frames += 1
    seconds = time.perf_counter() - begin
    return Chunk(seconds, len(made), frames, json_bytes, tick_bytes(made[0]) * len(made))


def rates(chunks: list[Chunk]) -> dict[str, Any]:
    """Return ticks a second of all chunks together, and how the chunks differ."""
    each = sorted(chunk.ticks / chunk.seconds for chunk in chunks)
    seconds = sum(chunk.seconds for chunk in chunks)
    frames = sum(chunk.frames for chunk in chunks)
    return {
        "ticks_per_second": sum(chunk.ticks for chunk in chunks) / seconds,
        "slowest_chunk": each[0],
        "median_chunk": median(each),
        "fastest_chunk": each[-1],
        "chunks": len(chunks),
        "frames": frames,
        "seconds": seconds,
        "frame_json_bytes": sum(chunk.json_bytes for chunk in chunks) / frames,
    }


def enough(chunks: list[Chunk], options: argparse.Namespace) -> bool:
    """Tell whether both the frames and the seconds that were asked for are reached."""
    frames = sum(chunk.frames for chunk in chunks)
    return frames >= options.frames and sum(chunk.seconds for chunk in chunks) >= options.seconds


def tick_bytes(tick: ArrayTick) -> int:
    """Return the memory of a tick's own arrays; the ids are shared by all ticks."""
    return sum(column.nbytes for column in (tick.experience, tick.side, tick.price, tick.matches))


def ticks_a_chunk(tick: ArrayTick, stride: int) -> int:
    """Return how many ticks to make ahead: whole strides, in bounded memory, but one stride."""
    ticks = min(CHUNK_TICKS, CHUNK_BYTES // max(1, tick_bytes(tick)))
    return max(1, ticks // stride) * stride


def peak_bytes() -> int:
    """Return the most memory this process has had resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.sustained",
        description="Time one camera over many frames; print the figures as JSON.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("--agents", type=int, default=74, help="agents, all of whom always quote")
    made.add_argument(
        "--prices",
        choices=("uniform", "close"),
        default="uniform",
        help="over the whole range, or all within eps of each other",
    )
    made.add_argument("--frames", type=int, default=100, help="timed frames at least")
    made.add_argument("--seconds", type=float, default=2.0, help="timed seconds at least")
    made.add_argument("--W", "--w", type=int, default=300, help="window in ticks")
    made.add_argument("--stride", type=int, default=10, help="ticks between frames")
    made.add_argument("--eps-pct", type=float, default=0.003, help="reach of quote proximity")
    made.add_argument("--edge-cap", type=int, default=2000, help="edges a frame at most")
    made.add_argument(
        "--proximity", choices=("pairs", "neighbors"), default="pairs", help="rule of proximity"
    )
    made.add_argument("--seed", type=int, default=0, help="of the ticks")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says and print the figures."""
    options = parser().parse_args(arguments)
    if options.agents < 1 or options.frames < 1:
        sys.exit("--agents and --frames must be 1 or more")
    print(json.dumps(measure(options)))


if __name__ == "__main__":
    main()
