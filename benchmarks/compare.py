"""Is anything slower than in a saved run? By work done, not by seconds.

::

    make bench ARGS="--benchmark-json new.json"
    python -m benchmarks.compare saved.json new.json --fail-above 1.3

Both files are what ``--benchmark-json`` writes. Beside each benchmark three yardsticks were timed
(`benchmarks.calibration`); compared are a benchmark's time divided by its yardstick's, so that a
slower machine, or a busier one, is not a regression. The times are the fastest rounds: on a
machine that others use as well they repeat best. Across different kinds of processors such ratios
still differ by tens of percent: choose the threshold accordingly.

Exits with 1 where a benchmark got slower by more than the threshold, and with 2 where the files
cannot be compared. A benchmark that only one of the files has is listed, and fails nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.calibration import KINDS, NONE

if TYPE_CHECKING:
    from collections.abc import Sequence

STATISTICS: Final = "min", "q1", "median", "mean"
REGRESSION, UNUSABLE = 1, 2


class UnusableError(Exception):
    """A file is not what ``--benchmark-json`` writes here, or has nothing to compare."""


@dataclass(frozen=True)
class Timing:
    """One benchmark of one run.

    Attributes:
        seconds: of a round.
        yardstick: the kind it is judged by, or ``"none"``.
        calibration: seconds of each kind of yardstick, beside it.
    """

    seconds: float
    yardstick: str
    calibration: dict[str, float]


@dataclass(frozen=True)
class Change:
    """A benchmark that both runs have.

    Attributes:
        name: its full name.
        saved: its timing in the earlier run.
        new: its timing in the run that is judged.
    """

    name: str
    saved: Timing
    new: Timing

    @property
    def machine(self) -> float | None:
        """How many times longer its yardstick took in the new run; None if it has none."""
        kind = self.new.yardstick
        return None if kind == NONE else self.new.calibration[kind] / self.saved.calibration[kind]

    @property
    def slower(self) -> float | None:
        """How many times more work it has become by its yardstick; None if it has none."""
        machine = self.machine
        return None if machine is None else self.new.seconds / self.saved.seconds / machine

    def verdict(self, fail_above: float) -> str:
        """Say in a word what became of it."""
        if self.slower is None:
            return "not judged"
        if self.slower > fail_above:
            return "SLOWER"
        return "faster" if self.slower < 1 / fail_above else ""


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side: what changed, what is gone and what is new."""

    changes: list[Change]
    gone: list[str]
    added: list[str]

    def regressions(self, fail_above: float) -> list[Change]:
        """Return what got slower by more than a factor, the worst first."""
        found = [change for change in self.changes if (change.slower or 0.0) > fail_above]
        return sorted(found, key=lambda change: change.slower or 0.0, reverse=True)


def compare(saved: dict[str, Timing], new: dict[str, Timing]) -> Comparison:
    """Match two runs by the benchmarks' names."""
    both = sorted(saved.keys() & new.keys())
    if not both:
        raise UnusableError("the two files have no benchmark in common")
    changes = [Change(name, saved[name], new[name]) for name in both]
    return Comparison(changes, sorted(saved.keys() - new.keys()), sorted(new.keys() - saved.keys()))


def read(path: Path) -> dict[str, Any]:
    """Return what a file of a benchmark run holds."""
    try:
        run = json.loads(path.read_bytes())
    except OSError as error:
        raise UnusableError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UnusableError(f"{path}: not JSON: {error}") from error
    if not isinstance(run, dict) or not isinstance(run.get("benchmarks"), list):
        raise UnusableError(f"{path}: no list of benchmarks, as --benchmark-json writes it")
    return run


def timings(run: dict[str, Any], statistic: str, path: Path) -> dict[str, Timing]:
    """Return the timings of a run by name."""
    found: dict[str, Timing] = {}
    for number, made in enumerate(run["benchmarks"], start=1):
        if not isinstance(made, dict) or not isinstance(made.get("fullname"), str):
            raise UnusableError(f"{path}: benchmark {number} has no name")
        found[made["fullname"]] = _timing(made, statistic, f"{path}: {made['fullname']}")
    return found


def _timing(made: dict[str, Any], statistic: str, where: str) -> Timing:
    try:
        seconds, extra = made["stats"][statistic], made["extra_info"]
        timing = Timing(seconds, extra["yardstick"], extra["calibration"])
        figures = [timing.seconds, *(timing.calibration[kind] for kind in KINDS)]
    except KeyError as error:
        raise UnusableError(f"{where}: no {error} in it") from error
    except TypeError as error:
        raise UnusableError(f"{where}: not as --benchmark-json writes it") from error
    if not all(isinstance(figure, int | float) and 0.0 < figure < math.inf for figure in figures):
        raise UnusableError(f"{where}: times must be above 0, got {figures}")
    if timing.yardstick not in (*KINDS, NONE):
        raise UnusableError(f"{where}: unknown yardstick {timing.yardstick!r}")
    return timing


def report(comparison: Comparison, fail_above: float) -> str:
    """Return the comparison as a table, the largest changes first."""
    ordered = sorted(comparison.changes, key=lambda change: -(change.slower or 0.0))
    width = max(len(change.name) for change in ordered)
    lines = [f"{'benchmark':<{width}} {'saved':>10} {'new':>10} {'yardstick':>10} {'work':>6}"]
    for change in ordered:
        times = f"{_time(change.saved.seconds)} {_time(change.new.seconds)}"
        work = "-" if change.slower is None else f"{change.slower:.2f}"
        verdict = change.verdict(fail_above)
        line = f"{change.name:<{width}} {times} {change.new.yardstick:>10} {work:>6} {verdict}"
        lines.append(line.rstrip())
    lines += [f"{name}: only in the saved run" for name in comparison.gone]
    lines += [f"{name}: new" for name in comparison.added]
    return "\n".join([*lines, *_speeds(comparison.changes)])


def _speeds(changes: list[Change]) -> list[str]:
    """Say how the machine has changed, by the yardsticks."""
    lines = []
    for kind in KINDS:
        ratios = [change.machine for change in changes if change.new.yardstick == kind]
        known = [ratio for ratio in ratios if ratio is not None]
        if known:
            lines.append(f"yardstick {kind}: {median(known):.2f} times the saved run's time")
    return lines


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:>7.2f} {unit:<2}"
    return f"{seconds * 1e9:>7.2f} ns"


def _machines(saved: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what differs between the machines of two runs."""
    before, now = (run.get("machine_info", {}) for run in (saved, new))
    names = sorted(before.keys() | now.keys())
    return [
        f"{name}: {before.get(name, '?')} then, {now.get(name, '?')} now"
        for name in names
        if before.get(name) != now.get(name)
    ]


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description="Compare two benchmark runs by work done, not by seconds.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("saved", type=Path, help="an earlier run, of --benchmark-json")
    made.add_argument("new", type=Path, help="the run to judge, of --benchmark-json")
    made.add_argument(
        "--fail-above", type=float, default=1.3, metavar="X", help="fail what is X times slower"
    )
    made.add_argument(
        "--statistic", choices=STATISTICS, default="min", help="which of a benchmark's times"
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as the command line says, print the table and return the exit code."""
    options = parser().parse_args(arguments)
    if not options.fail_above >= 1.0:
        print(f"--fail-above must be 1 or more, got {options.fail_above}", file=sys.stderr)
        return UNUSABLE
    try:
        saved, new = read(options.saved), read(options.new)
        comparison = compare(
            timings(saved, options.statistic, options.saved),
            timings(new, options.statistic, options.new),
        )
    except UnusableError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    for difference in _machines(saved, new):
        print(f"different machines: {difference}", file=sys.stderr)
    print(report(comparison, options.fail_above))
    regressions = comparison.regressions(options.fail_above)
    if regressions:
        worst = regressions[0]
        print(
            f"{len(regressions)} slower by more than {options.fail_above:g} times, "
            f"the worst {worst.slower:.2f} times: {worst.name}",
            file=sys.stderr,
        )
    return REGRESSION if regressions else 0


if __name__ == "__main__":
    sys.exit(main())
