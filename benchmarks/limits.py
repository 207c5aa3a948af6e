"""What can this machine do at all? The bounds that `docs/performance.md` measures against.

::

    python -m benchmarks.limits

Memory: copying, reading, and updating in place, by one thread and by two, over arrays much larger
than the caches. Pairs: how many bytes a second one core compares and counts in its first-level
cache, and how many vector instructions LLVM spends on 64 of them; from that, and from the memory,
the most ticks a second that counting all pairs leaves room for. Text: the time a frame's JSON
takes to be copied once. Calls: what calling from Python costs before anything is done. Every
figure is the best of several repetitions.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from benchmarks.machine import describe, listed
from benchmarks.workloads import Film
from marketcam.io import encode_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

REPEATS = 7
NEAR = 512
"""Counts in a row; with the ranks of `TICKS` ticks 2.5 KB, in the first-level cache."""

TICKS = 4


@numba.njit(nogil=True)
def copy(source: NDArray[np.int64], target: NDArray[np.int64]) -> None:
    for i in range(source.size):
        target[i] = source[i]


@numba.njit(nogil=True)
def read(source: NDArray[np.int64], target: NDArray[np.int64]) -> None:
    """Read every number; whole numbers, since sums of floats are not vectorized."""
    total = 0
    for i in range(source.size):
        total += source[i]
    target[0] = total


@numba.njit(nogil=True)
def update(source: NDArray[np.int64], target: NDArray[np.int64]) -> None:
    """Read, change and write every number of `source`; `target` is not touched."""
    for i in range(source.size):
        source[i] += 1


@numba.njit(nogil=True)
def count_row(
    counts: NDArray[np.uint8],
    ranks: NDArray[np.uint8],
    low: tuple[np.uint8, np.uint8, np.uint8, np.uint8],
    width: tuple[np.uint8, np.uint8, np.uint8, np.uint8],
) -> None:
    """Add `TICKS` ticks to a row of counts, each rank against one interval a tick.

    Spelled out, since only so the sums stay in registers from tick to tick.
    """
    n = counts.size
    for j in range(n):
        count = counts[j]
        count += np.uint8(np.uint8(ranks[j] - low[0]) <= width[0])
        count += np.uint8(np.uint8(ranks[n + j] - low[1]) <= width[1])
        count += np.uint8(np.uint8(ranks[2 * n + j] - low[2]) <= width[2])
        count += np.uint8(np.uint8(ranks[3 * n + j] - low[3]) <= width[3])
        counts[j] = count


@numba.njit(nogil=True)
def count_rows(counts: NDArray[np.uint8], ranks: NDArray[np.uint8], times: int) -> None:
    for k in range(times):
        low = np.uint8(k)
        width = np.uint8(100)
        count_row(counts, ranks, (low, low, low, low), (width, width, width, width))


@numba.njit(nogil=True)
def nothing() -> int:
    return 0


@numba.njit(nogil=True)
def nothing_of(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], d: NDArray[np.float64]
) -> int:
    return 0


def bandwidths(megabytes: int) -> dict[str, float]:
    """Return bytes a second, read and written counted each, by operation and threads."""
    found = {}
    # What each moves for a byte of `source`: writing does not count what is read to be written.
    for work, moved in ((copy, 2), (read, 1), (update, 2)):
        for threads in (1, 2):
            size = megabytes * 1_000_000 // 8 // threads
            seconds = best(in_threads(work, size, threads))
            name = f"{work.__name__}, {threads} thread{'s' if threads > 1 else ''}"
            found[name] = moved * 8 * size * threads / seconds
    return found


def in_threads(work: Callable[..., None], size: int, threads: int) -> Callable[[], object]:
    """Return a call that lets each thread work on arrays of its own."""
    # Not zeros: pages that were never written are all one page, and that one is in the cache.
    sources = [np.ones(size, np.int64) for _ in range(threads)]
    targets = [np.ones(size, np.int64) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(work, sources, targets))


def pair_bounds(bandwidth: float, agents: int, stride: int = 10) -> dict[str, float]:
    """Return what counting all pairs of so many agents is limited to, by one core.

    Every stride adds as many ticks as it takes away, and passes once over the table, 2 bytes a
    pair, which is read and written.
    """
    counts, ranks = np.zeros(NEAR, np.uint8), np.zeros(TICKS * NEAR, np.uint8)
    times = 20_000
    seconds = best(lambda: count_rows(counts, ranks, times))
    pairs = agents * (agents - 1) / 2
    rate = NEAR * TICKS * times / seconds
    instructions = vector_instructions()
    return {
        "pair comparisons a second, one core": rate,
        **({"vector instructions for 64 comparisons": instructions} if instructions else {}),
        "ticks/s that two comparisons a pair and tick allow, one core": rate / (2 * pairs),
        "ticks/s that the memory's bandwidth allows": stride / (4 * pairs / bandwidth),
    }


def vector_instructions(comparisons: int = 64) -> float:
    """Count the vector instructions of `count_row`'s inner loop for so many comparisons.

    The innermost loop is the block of assembly with the most vector instructions; how many counts
    it does shows in its stores. 0 where this is no x86 assembly.
    """
    vector, stored = 0, 1
    for block in re.split(r"^\.?\w+:", _assembly(), flags=re.MULTILINE):
        lines = [line.split("\t", 2)[1:] for line in block.splitlines() if line.startswith("\tv")]
        moves = [parts[-1] for parts in lines if parts[0].startswith("vmovdqu")]
        stores = [text for text in moves if text.endswith(")")]
        if len(lines) > vector and stores:
            width = {"z": 64, "y": 32, "x": 16}
            vector = len(lines)
            stored = sum(width[re.findall(r"%([xyz])mm", text)[0]] for text in stores)
    return round(vector * comparisons / (stored * TICKS), 1)


def _assembly() -> str:
    count_rows(np.zeros(NEAR, np.uint8), np.zeros(TICKS * NEAR, np.uint8), 1)
    (signature,) = count_row.signatures[:1]
    return str(count_row.inspect_asm(signature))


def text_bounds(agents: int) -> dict[str, float]:
    """Return how long a frame's text takes to be copied once, and to be written."""
    frame = Film(agents, {"proximity": "neighbors"}).frame()
    text = np.frombuffer(encode_frame(frame), dtype=np.uint8)
    target = np.empty_like(text)
    return {
        "bytes of the frame": float(text.size),
        "seconds to copy them": best(lambda: np.copyto(target, text)),
        "seconds to encode them": best(lambda: encode_frame(frame)),
    }


def call_floors() -> dict[str, float]:
    """Return the seconds of calls that do nothing."""
    a = np.zeros(10)
    times = 20_000

    def python(t: int, *columns: NDArray[np.float64]) -> None:
        del t, columns

    def of_python() -> None:
        for _ in range(times):
            python(1, a, a, a, a, a)

    def of_kernel() -> None:
        for _ in range(times):
            nothing()

    def of_kernel_with_arrays() -> None:
        for _ in range(times):
            nothing_of(a, a, a, a)

    return {
        "Python function of 6 arguments": best(of_python) / times,
        "kernel without arguments": best(of_kernel) / times,
        "kernel of 4 arrays": best(of_kernel_with_arrays) / times,
    }


def best(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of some repetitions, after one that does not count."""
    work()
    least = float("inf")
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - begin)
    return least


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return all figures in SI units: bytes, seconds, and numbers a second."""
    memory = bandwidths(options.megabytes)
    return {
        "machine": describe(),
        "memory": memory,
        "agents": options.agents,
        "pairs": pair_bounds(memory["update, 2 threads"], options.agents),
        "text": text_bounds(options.agents),
        "calls": call_floors(),
    }


def report(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown tables."""
    agents = f"{figures['agents']:,} agents"
    memory = [(name, f"{rate / 1e9:.1f} GB/s") for name, rate in figures["memory"].items()]
    pairs = [(name, f"{figure:,.3g}") for name, figure in figures["pairs"].items()]
    rate = figures["pairs"]["pair comparisons a second, one core"]
    pairs[0] = (pairs[0][0], f"{rate / 1e9:.1f} · 10⁹")
    text = [
        (name, f"{figure * 1e3:.2f} ms" if name.startswith("seconds") else f"{figure:,.0f}")
        for name, figure in figures["text"].items()
    ]
    calls = [(name, f"{seconds * 1e6:.2f} µs") for name, seconds in figures["calls"].items()]
    parts = {"memory": memory, f"pairs, {agents}": pairs, f"text, {agents}": text, "calls": calls}
    tables = []
    for title, rows in parts.items():
        lines = [f"| {name} | {figure} |" for name, figure in rows]
        tables.append("\n".join([f"| {title} | |", "|---|---:|", *lines]))
    return "\n\n".join([listed(), *tables])


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.limits",
        description="Measure what the machine can do at all.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("--megabytes", type=int, default=400, help="of an array to walk through")
    made.add_argument("--agents", type=int, default=10_000, help="of the pairs and of the frame")
    made.add_argument("--json", action="store_true", help="print the figures as JSON")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = parser().parse_args(arguments)
    figures = measure(options)
    print(json.dumps(figures, indent=2) if options.json else report(figures))


if __name__ == "__main__":
    main()
