"""Does the camera reach its targets? One table, each figure from processes of its own.

::

    python -m benchmarks.targets --agents 10 74 --repetitions 5

Every row runs `benchmarks.sustained` in fresh processes: with prices uniform over the range, and
with all prices within eps of each other. Repetitions go through all rows in turn, so that a
machine that slows down slows all of them; the figures are medians over the repetitions, the
memory is the most of any. Rows that have a plain camera to be compared with also run
`benchmarks.baseline`, and take the ratio from there.

Nothing but the standard library is imported here: on Linux the peak memory of a process counts
from the process that started it, so that one must be small.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.machine import describe, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
MOST_CLOSE_RATIO = 1.5
"""How many times slower or faster the camera may be when all prices are close."""


_LEFT, _RIGHT = "---", "---:"
COLUMNS = {
    "agents": _RIGHT,
    "rule": _LEFT,
    "target ticks/s": _RIGHT,
    "ticks/s": _RIGHT,
    "slowest to fastest": _RIGHT,
    "overall": _RIGHT,
    "uniform / close": _RIGHT,
    "target memory": _RIGHT,
    "peak memory": _RIGHT,
    "of it ticks": _RIGHT,
    "times plain": _RIGHT,
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
    """

    agents: int
    rate: int
    most_bytes: int | None = None
    proximity: str = "pairs"
    plain_ticks: int = 0
    times_plain: int = 0


TARGETS = (
    Target(10, 60_000, plain_ticks=300),
    Target(74, 55_000, plain_ticks=100, times_plain=1_000),
    Target(300, 20_000, plain_ticks=40, times_plain=4_000),
    Target(1_000, 6_000),
    Target(10_000, 200, 600_000_000),
    Target(30_000, 25, 2_500_000_000),
    Target(100_000, 60, 4_000_000_000, "neighbors"),
)


@dataclass
class Row:
    """A target and what its processes measured; each list has one item a repetition."""

    target: Target
    uniform: list[dict[str, Any]]
    close: list[dict[str, Any]]
    baseline: list[dict[str, Any]]

    @property
    def rate(self) -> float:
        """Ticks a second, prices uniform."""
        return median(run["ticks_per_second"] for run in self.uniform)

    @property
    def overall(self) -> float:
        """Ticks a second over all of a run, which interruptions slow down."""
        return median(run["ticks_per_second_overall"] for run in self.uniform)

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest repetition."""
        each = [run["ticks_per_second"] for run in self.uniform]
        return min(each), max(each)

    @property
    def close_ratio(self) -> float:
        """Ticks a second with uniform prices over those with close ones."""
        both = zip(self.uniform, self.close, strict=True)
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
        """How many times faster than the plain camera, or None where that was not asked."""
        return median(run["ratio"] for run in self.baseline) if self.baseline else None

    def missed(self) -> list[str]:
        """Name the targets that were not reached."""
        target, times = self.target, self.times_plain
        checks = {
            "ticks/s": self.rate >= target.rate,
            "close": 1 / MOST_CLOSE_RATIO <= self.close_ratio <= MOST_CLOSE_RATIO,
            "memory": target.most_bytes is None or self.peak_bytes < target.most_bytes,
            "times plain": times is None or times > target.times_plain,
        }
        return [name for name, reached in checks.items() if not reached]

    def figures(self) -> dict[str, Any]:
        """Return what was asked for, what came out, and every process's own figures."""
        return {
            "target": vars(self.target),
            "ticks_per_second": self.rate,
            "ticks_per_second_overall": self.overall,
            "close_ratio": self.close_ratio,
            "peak_bytes": self.peak_bytes,
            "tick_bytes": self.tick_bytes,
            "times_plain": self.times_plain,
            "missed": self.missed(),
            "uniform": self.uniform,
            "close": self.close,
            "baseline": self.baseline,
        }


def measure(options: argparse.Namespace) -> list[Row]:
    """Run all processes, repetition by repetition."""
    rows = [Row(target, [], [], []) for target in TARGETS if target.agents in options.agents]
    say("compiling")
    for proximity in sorted({row.target.proximity for row in rows}):
        sustained(Target(10, 0, proximity=proximity), "uniform", frames=1, seconds=0.0)
    for repetition in range(1, options.repetitions + 1):
        for row in rows:
            target = row.target
            for prices, runs in (("uniform", row.uniform), ("close", row.close)):
                runs.append(sustained(target, prices, options.frames, options.seconds))
            if target.plain_ticks and options.baseline:
                row.baseline.append(baseline(target))
            far, near = (runs[-1]["ticks_per_second"] for runs in (row.uniform, row.close))
            say(
                f"repetition {repetition} of {options.repetitions}, {target.agents:,} agents: "
                f"{far:,.0f} ticks/s, close {near:,.0f}"
            )
    return rows


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
        slowest, fastest = row.spread
        limit = "" if target.most_bytes is None else megabytes(target.most_bytes)
        times = "" if row.times_plain is None else f"{row.times_plain:,.0f}"
        missed = ", ".join(row.missed())
        cells = [
            f"{target.agents:,}",
            f"`{target.proximity}`",
            f"{target.rate:,}",
            f"{row.rate:,.0f}",
            f"{slowest:,.0f} to {fastest:,.0f}",
            f"{row.overall:,.0f}",
            f"{row.close_ratio:.2f}",
            limit,
            megabytes(row.peak_bytes),
            megabytes(row.tick_bytes),
            times + (f" (of {target.times_plain:,})" if times and target.times_plain else ""),
            f"missed: {missed}" if missed else "met",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


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
    made.add_argument("--seconds", type=float, default=3.0, help="timed seconds a process at least")
    made.add_argument(
        "--baseline",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with the plain camera where the table does",
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says and print the table."""
    options = parser().parse_args(arguments)
    if options.repetitions < 1 or options.frames < 1:
        sys.exit("--repetitions and --frames must be 1 or more")
    rows = measure(options)
    if options.json is not None:
        figures = {"machine": describe(), "rows": [row.figures() for row in rows]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"{listed()}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
