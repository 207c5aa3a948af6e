"""Does the camera reach its targets? One table, each figure from processes of its own.

::

    python -m benchmarks.targets --agents 10 74 --repetitions 5

Every row runs `benchmarks.sustained` in fresh processes: with prices uniform over the range, and
with all prices within eps of each other. Repetitions go through all rows in turn, so that a
machine that slows down slows all of them. A repetition's rate is that of all its ticks, 100 frames
of them at least; the figures are medians over the repetitions, the memory is the most of any. Rows
that have a plain camera to be compared with also run `benchmarks.baseline`, once, which repeats
itself, and take the ratio from there.

What was measured is written to the file of ``--json`` after every row, and printed where the run
is interrupted. Exits with 1 where a row misses a target, with 130 where it was interrupted.

Nothing but the standard library is imported here: on Linux the peak memory of a process counts
from the process that started it, so that one must be small.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.machine import describe, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
MOST_CLOSE_RATIO = 1.5
"""How many times slower the camera may be when all prices are close; faster is no fault."""

MISSED, INTERRUPTED = 1, 130

_LEFT, _RIGHT = "---", "---:"
COLUMNS = {
    "agents": _RIGHT,
    "rule": _LEFT,
    "target ticks/s": _RIGHT,
    "ticks/s": _RIGHT,
    "repetitions": _RIGHT,
    "chunks": _RIGHT,
    "uniform / close": _RIGHT,
    "target memory": _RIGHT,
    "peak memory": _RIGHT,
    "of it ticks": _RIGHT,
    "times plain": _RIGHT,
    "measured in": _RIGHT,
}
"""The table's columns and how they are set; the last one, the verdict, has no name."""


@dataclass(frozen=True)
class Target:
    """What one row of the table is to reach.

    Attributes:
        agents: agents, all of whom quote at every tick.
        rate: ticks a second at least.
        most_bytes: memory of the whole process, or None for no target.
        proximity: the rule.
        plain_ticks: ticks to time the plain camera over, 0 to leave it out.
        times_plain: how many times faster than the plain camera at least, 0 for no target.
        slow: takes so long that close prices are measured in the first repetition only.
    """

    agents: int
    rate: int
    most_bytes: int | None = None
    proximity: str = "pairs"
    plain_ticks: int = 0
    times_plain: int = 0
    slow: bool = False


TARGETS = (
    Target(10, 60_000, plain_ticks=300),
    Target(74, 55_000, plain_ticks=100, times_plain=1_000),
    Target(300, 20_000, plain_ticks=40, times_plain=4_000),
    Target(1_000, 6_000),
    Target(10_000, 200, 600_000_000),
    Target(30_000, 25, 2_500_000_000, slow=True),
    Target(100_000, 60, 4_000_000_000, "neighbors", slow=True),
)


@dataclass
class Row:
    """A target and what its processes measured; each list has one item a process.

    Attributes:
        target: what is to be reached.
        uniform: runs of prices uniform over the range, one a repetition.
        close: runs of prices within eps of each other, one for each of the first repetitions.
        baseline: the comparison with the plain camera, if it was made.
        seconds: what measuring took so far.
    """

    target: Target
    uniform: list[dict[str, Any]]
    close: list[dict[str, Any]]
    baseline: list[dict[str, Any]]
    seconds: float = 0.0

    @property
    def measured(self) -> bool:
        """Whether there is a figure of either kind."""
        return bool(self.uniform and self.close)

    @property
    def rate(self) -> float:
        """Ticks a second, prices uniform: the median of the repetitions."""
        return median(run["ticks_per_second"] for run in self.uniform)

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest repetition."""
        each = [run["ticks_per_second"] for run in self.uniform]
        return min(each), max(each)

    @property
    def chunks(self) -> tuple[float, float]:
        """The slowest and the fastest chunk of ticks of all repetitions."""
        slowest = min(run["slowest_chunk"] for run in self.uniform)
        return slowest, max(run["fastest_chunk"] for run in self.uniform)

    @property
    def close_ratio(self) -> float:
        """Ticks a second with uniform prices over those with close ones."""
        both = zip(self.uniform, self.close, strict=False)  # close ones may be fewer
        return median(far["ticks_per_second"] / near["ticks_per_second"] for far, near in both)

    @property
    def peak_bytes(self) -> int:
        """The most memory of any process of the row, ticks included."""
        return max(run["peak_bytes"] for run in (*self.uniform, *self.close))

    @property
    def tick_bytes(self) -> int:
        """The memory of the ticks made ahead, which the peak includes."""
        return max(run["tick_bytes"] for run in (*self.uniform, *self.close))

    @property
    def times_plain(self) -> float | None:
        """How many times faster than the plain camera, or None where that was not measured."""
        return median(run["ratio"] for run in self.baseline) if self.baseline else None

    def missed(self) -> list[str]:
        """Name the targets that were not reached."""
        target, times = self.target, self.times_plain
        checks = {
            "ticks/s": self.rate >= target.rate,
            "close": self.close_ratio <= MOST_CLOSE_RATIO,
            "memory": target.most_bytes is None or self.peak_bytes < target.most_bytes,
            "times plain": times is None or times > target.times_plain,
        }
        return [name for name, reached in checks.items() if not reached]

    def verdict(self) -> str:
        """Say what was missed, what was not measured, or that all is met."""
        parts = [f"missed: {', '.join(missed)}"] if (missed := self.missed()) else []
        if self.target.times_plain and self.times_plain is None:
            parts.append("not measured: times plain")
        return "; ".join(parts) or "met"

    def figures(self) -> dict[str, Any]:
        """Return what was asked for, what came out, and every process's own figures."""
        return {
            "target": vars(self.target),
            "ticks_per_second": self.rate,
            "close_ratio": self.close_ratio,
            "peak_bytes": self.peak_bytes,
            "tick_bytes": self.tick_bytes,
            "times_plain": self.times_plain,
            "verdict": self.verdict(),
            "seconds": self.seconds,
            "uniform": self.uniform,
            "close": self.close,
            "baseline": self.baseline,
        }


def measure(rows: list[Row], options: argparse.Namespace) -> None:
    """Run all processes, repetition by repetition; keep what there is after each row."""
    say("compiling")
    for proximity in sorted({row.target.proximity for row in rows}):
        sustained(Target(10, 0, proximity=proximity), "uniform", frames=1, seconds=0.0)
    for repetition in range(1, options.repetitions + 1):
        for row in rows:
            begin = time.perf_counter()
            measure_once(row, options)
            took = time.perf_counter() - begin
            row.seconds += took
            say(
                f"repetition {repetition} of {options.repetitions}, {row.target.agents:,} agents: "
                f"{row.uniform[-1]['ticks_per_second']:,.0f} ticks/s, "
                f"uniform / close {row.close_ratio:.2f}, measured in {took:.0f} s"
            )
            keep(rows, options.json)


def measure_once(row: Row, options: argparse.Namespace) -> None:
    """Run the processes of one repetition of a row."""
    target, first = row.target, not row.uniform
    row.uniform.append(sustained(target, "uniform", options.frames, options.seconds))
    if first or not target.slow:
        row.close.append(sustained(target, "close", options.frames, options.seconds))
    if first and target.plain_ticks and options.baseline:
        row.baseline.append(baseline(target))


def keep(rows: list[Row], path: Path | None) -> None:
    """Write the figures there are, in one step, so that an interrupt leaves a whole file."""
    if path is None:
        return
    figures = {"machine": describe(), "rows": [row.figures() for row in rows if row.measured]}
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)


def sustained(target: Target, prices: str, frames: int, seconds: float) -> dict[str, Any]:
    """Measure one market in a process of its own."""
    return figures_of(
        "benchmarks.sustained",
        {
            "agents": target.agents,
            "proximity": target.proximity,
            "prices": prices,
            "frames": frames,
            "seconds": seconds,
        },
    )


def baseline(target: Target) -> dict[str, Any]:
    """Compare with the plain camera in a process of its own."""
    options = {"agents": target.agents, "ticks": target.plain_ticks, "repetitions": 3}
    return figures_of("benchmarks.baseline", options, "--json")


def figures_of(module: str, options: dict[str, Any], *flags: str) -> dict[str, Any]:
    """Run a module that prints its figures as JSON."""
    given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", module, *given, *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stderr)
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS)} | |", f"|{'|'.join(COLUMNS.values())}|---|"]
    for row in rows:
        target = row.target
        limit = "" if target.most_bytes is None else megabytes(target.most_bytes)
        times = "" if row.times_plain is None else f"{row.times_plain:,.0f}"
        cells = [
            f"{target.agents:,}",
            f"`{target.proximity}`",
            f"{target.rate:,}",
            f"{row.rate:,.0f}",
            between(row.spread),
            between(row.chunks),
            f"{row.close_ratio:.2f}",
            limit,
            megabytes(row.peak_bytes),
            megabytes(row.tick_bytes),
            times + (f" (of {target.times_plain:,})" if times and target.times_plain else ""),
            f"{row.seconds:,.0f} s",
            row.verdict(),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def between(rates: tuple[float, float]) -> str:
    return f"{rates[0]:,.0f} to {rates[1]:,.0f}"


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.targets",
        description="Measure the table of targets; print it as Markdown.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    every = [target.agents for target in TARGETS]
    made.add_argument(
        "--agents", type=int, nargs="+", choices=every, default=every, help="rows to measure"
    )
    made.add_argument("--repetitions", type=int, default=3, help="processes for each figure")
    made.add_argument("--frames", type=int, default=100, help="timed frames a process at least")
    made.add_argument("--seconds", type=float, default=2.0, help="timed seconds a process at least")
    made.add_argument(
        "--baseline",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with the plain camera where the table does",
    )
    made.add_argument(
        "--json", type=Path, metavar="FILE", help="write all figures to a file, row by row"
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says, print the table and return the exit code."""
    options = parser().parse_args(arguments)
    if options.repetitions < 1 or options.frames < 1:
        sys.exit("--repetitions and --frames must be 1 or more")
    rows = [Row(target, [], [], []) for target in TARGETS if target.agents in options.agents]
    interrupted = False
    try:
        measure(rows, options)
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted: the table has what was measured before")
        keep(rows, options.json)
    done = [row for row in rows if row.measured]
    if done:
        print(f"{listed()}\n\n{table(done)}")
    if interrupted:
        return INTERRUPTED
    return MISSED if any(row.missed() for row in done) else 0


if __name__ == "__main__":
    sys.exit(main())
