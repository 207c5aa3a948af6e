"""How long from the start of the process to a listening socket, cold and warm, and what takes it?

::

    python -m benchmarks.start_up

Cold: an empty kernel cache, so that every kernel is compiled. Warm: they come from the cache. Both
are `marketcam serve` in a process of its own, until it prints its address. The steps below them
are programs of their own, each of which does what the one above it does and something more; they
are run in turn, so that a machine that slows down slows all. Wall-clock seconds, the median and the
least, and the median of the processor's, which a busy machine does not change as much.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.machine import describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WARM, COLD = "warm, listening", "cold, listening"
STEPS = {  # each does all that those before it do
    "python": "pass",
    "import numpy": "import numpy",
    "import numba": "import numpy, numba",
    "import the engine": "import marketcam.engine.warming, marketcam.io.frame_json",
    "import the server": "import marketcam.engine.warming, marketcam.server.serve",
    "load the kernels": (
        "import marketcam.server.serve\n"
        "from marketcam.server.running.compiling import compile_kernels\n"
        "compile_kernels()"
    ),
}


class Seconds(NamedTuple):
    """What one run took, on the clock and of the processor."""

    clock: float
    processor: float


def listening_after(folder: Path, cache: Path) -> Seconds:
    """Start a server until it listens, and stop it again."""
    environment = _environment(cache)
    store = tempfile.mkdtemp(dir=folder)
    command = ["serve", "--port", "0", "--store-dir", store, "--log-level", "error"]
    spent, began = _processor_seconds(), time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "marketcam.server.cli", *command],
        env=environment,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    first = server.stdout.readline()
    took = time.perf_counter() - began
    server.terminate()
    server.communicate()
    if not first.startswith(b"listening"):
        sys.exit("the server did not start")
    return Seconds(took, _processor_seconds() - spent)


def done_after(program: str, cache: Path) -> Seconds:
    """Run a program."""
    spent, began = _processor_seconds(), time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=_environment(cache), check=True)
    return Seconds(time.perf_counter() - began, _processor_seconds() - spent)


def _processor_seconds() -> float:
    """Return what all processes that have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment(cache: Path) -> Mapping[str, str]:
    return os.environ | {"NUMBA_CACHE_DIR": str(cache)}


def measure(rounds: int, cold_rounds: int) -> dict[str, list[Seconds]]:
    """Return what the runs of each case took, in the order of the report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cold = []
        for k in range(cold_rounds):
            say(f"cold start {k + 1} of {cold_rounds}")
            cold.append(listening_after(folder, folder / f"cache {k}"))
        cache = folder / "cache 0"
        warm: list[Seconds] = []
        steps: dict[str, list[Seconds]] = {step: [] for step in STEPS}
        for k in range(rounds):
            say(f"warm start {k + 1} of {rounds}")
            for step, program in STEPS.items():
                steps[step].append(done_after(program, cache))
            warm.append(listening_after(folder, cache))
    return steps | {WARM: warm, COLD: cold}


def summed_up(runs: Mapping[str, list[Seconds]]) -> dict[str, dict[str, float]]:
    """Return the figures of each case."""
    return {
        name: {
            "median": median(run.clock for run in of_name),
            "least": min(run.clock for run in of_name),
            "processor": median(run.processor for run in of_name),
        }
        for name, of_name in runs.items()
    }


def report(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Return the figures as a small table."""
    lines = [f"{'seconds':<20}{'median':>10}{'least':>10}{'processor':>12}"]
    for name, case in figures.items():
        median_, least, processor = case["median"], case["least"], case["processor"]
        lines.append(f"{name:<20}{median_:>10.2f}{least:>10.2f}{processor:>12.2f}")
    lines.append(f"cold / warm {figures[COLD]['median'] / figures[WARM]['median']:>18.1f}")
    return "\n".join(lines)


def say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says and print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.start_up",
        description="Time cold and warm starts of the server.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=7, help="warm starts")
    parser.add_argument("--cold-rounds", type=int, default=1, help="cold starts")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    if min(options.rounds, options.cold_rounds) < 1:
        sys.exit("--rounds and --cold-rounds must be 1 or more")
    figures = summed_up(measure(options.rounds, options.cold_rounds))
    told = {"seconds": figures, "machine": describe()}
    print(json.dumps(told, indent=2) if options.json else report(figures))


if __name__ == "__main__":
    main()
