"""`marketcam profile`: what a window and an edge cap cost, and what they keep."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.server.cli.flags import add_flag, given_settings
from marketcam.server.cli.parsing import (
    FAILED,
    OK,
    CommandTexts,
    UsageError,
    add_command,
    say,
)
from marketcam.server.cli.spreading import add_cluster_flags, choice_of
from marketcam.server.cli.starting import interrupted_by_sigterm
from marketcam.server.settings import SettingsError, described_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from marketcam.server.cli.parsing import Parser, Subparsers
    from marketcam.server.cluster import Choice
    from marketcam.server.profiling.journal import Journal, Result
    from marketcam.server.profiling.points import Point
    from marketcam.server.profiling.session import Watcher

    Conditions = Mapping[str, str]
    Measure = Callable[[Sequence[Point], Journal, Watcher], None]

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="profile",
    arguments="[FLAG …]",
    description="""\
Measure the camera over a grid of settings: ticks a second, latency and size of a frame, memory,
and what the edge cap costs in substance, the share of all edges and of their weight that is kept.

A setting of the grid is a value, a list (74,300,1000), or a range with both its ends (100:500:100
by steps, 100:10000:x10 by a factor). What is not given is as `serve` would have it.

The ticks are those of the embedded market, or of a file. They are made or read while the clock
stands, so that what is timed is the camera: a tick taken in, a frame made and encoded, in one
thread. Each point has a process of its own, so that its peak of memory is its own.

Results are kept in a journal, point by point. After Ctrl-C or a crash the same command goes on;
points that could not be measured are rows with their reason. Results of another machine, version
or code are never mixed: the start is refused then. docs/profiling.md says how to read them.

With --dask the points are measured by the workers of a cluster, one at a time on each machine, so
that no timing disturbs another. With --workers N, and with --side-by-side, several are measured at
once on a machine, and the report says so.

The exit code is 0 also where some points failed, 1 where all did.""",
    examples="""\
  marketcam profile --agents 74,300,1000 --W 100,300,1000 --report profile.html
  marketcam profile --agents 1000 --edge-cap 500:8000:x2 --out caps.parquet --report caps.html
  marketcam profile --agents 100:10000:x10 --proximity pairs,neighbors --frames 100 --out r.csv
  marketcam profile --ticks run.jsonl.zst --W 100:500:100 --stride 5,10 --out run.csv
  marketcam profile --agents 1000:30000:x3 --dask tcp://10.0.0.1:8786 --out r.csv
  marketcam profile --agents 1000:30000:x3 --dry-run""",
)

_GRID: Final = ("agents", "window", "stride", "edge_cap", "prox_eps_pct", "proximity")
_FIXED: Final = (
    "match_share",
    "burst_z",
    "shock_z",
    "pair_budget_bytes",
    "zstd_level",
    "ticks",
    "bad_tick",
    "scenario",
    "seed",
    "adjust_interval",
    "max_agents",
    "pool_only",
)
_ALSO: Final = {"prox_eps_pct": ("--eps",)}
_JOURNAL: Final = "marketcam-profile.journal"


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    settings = {setting.name: setting for setting in described_settings()}
    grid = parser.add_argument_group("grid", "each a value, a list or a range")
    for name in _GRID:
        add_flag(grid, settings[name], *_ALSO.get(name, ()))
    fixed = parser.add_argument_group("the same at all points")
    for name in _FIXED:
        add_flag(fixed, settings[name])
    _add_effort(parser)
    _add_outputs(parser)
    add_cluster_flags(parser).add_argument(
        "--side-by-side",
        action="store_true",
        help="with --dask: as many points at once on a machine as it has workers; timings then "
        "disturb each other",
    )
    add_flag(parser.add_argument_group("logging"), settings["log_level"])


def _add_effort(parser: Parser) -> None:
    group = parser.add_argument_group("effort")
    group.add_argument(
        "--frames",
        metavar="N",
        type=_whole(1, 1_000_000),
        default=30,
        help="frames timed at each point at least, 1 to 1000000 [default 30]",
    )
    group.add_argument(
        "--seconds",
        metavar="SECONDS",
        type=_seconds,
        default=0.5,
        help="time at least this long, with more frames, 0 to 3600 [default 0.5]",
    )
    group.add_argument(
        "--sampled-frames",
        metavar="N",
        type=_whole(1, 1000),
        default=3,
        help="frames compared with all edges of their windows, 1 to 1000 [default 3]",
    )
    group.add_argument(
        "--all-edges",
        metavar="N",
        type=_whole(1, 10**8),
        default=2_000_000,
        help="list this many edges of a window at most, or as many as the edge cap where that is "
        "more, 1 to 100000000; where there are more, the share of edges kept is an upper bound, "
        "and said to be one [default 2000000]",
    )


def _add_outputs(parser: Parser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="write all columns to this .csv or .parquet (pip install 'marketcam[profile]')",
    )
    group.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="write plots and a table to this HTML file, which needs nothing beside it "
        "(pip install 'marketcam[profile]')",
    )
    group.add_argument(
        "--journal",
        metavar="FILE",
        type=Path,
        help=f"keep results here meanwhile [default: beside --out or --report, else {_JOURNAL}]",
    )
    group.add_argument("--fresh", action="store_true", help="forget what the journal holds")
    group.add_argument(
        "--dry-run", action="store_true", help="list the points and their memory, measure nothing"
    )


def run(args: argparse.Namespace) -> int:
    """Measure the grid; return the exit code."""
    from marketcam.server.profiling.points import (  # noqa: PLC0415 - pulls in the kernels
        Effort,
        grid,
    )

    effort = Effort(args.frames, args.seconds, args.sampled_frames, args.all_edges)
    points = grid(given_settings(args), effort)
    _check_outputs(args)
    choice = choice_of(args)
    if args.side_by_side and choice.dask is None:
        raise UsageError("--side-by-side goes with --dask; --workers N are N at once as it is")
    if args.dry_run:
        return _plan(args, points, choice)
    with (
        interrupted_by_sigterm(),
        _measuring(args, choice) as (made_with, measure),
        _open_journal(args, made_with) as journal,
    ):
        _measure(points, journal, measure)
        results = [journal.results[point] for point in points]
        return _tell(args, results, made_with)


@contextmanager
def _measuring(args: argparse.Namespace, choice: Choice) -> Iterator[tuple[Conditions, Measure]]:
    """Yield under which conditions points are measured, and what measures them."""
    from marketcam.server.cluster import open_cluster  # noqa: PLC0415 - as in `run`
    from marketcam.server.profiling.conditions import conditions  # noqa: PLC0415 - as in `run`
    from marketcam.server.profiling.session import measure_all  # noqa: PLC0415 - as in `run`
    from marketcam.server.profiling.spread import (  # noqa: PLC0415 - as in `run`
        Measuring,
        conditions_of,
        measure_spread,
    )

    if choice.is_here:
        yield conditions(), measure_all
        return
    side_by_side = args.side_by_side or (choice.workers or 1) > 1
    with open_cluster(choice) as cluster:
        common = conditions_of(cluster, side_by_side=side_by_side)
        how = Measuring(common, side_by_side)
        yield common, partial(measure_spread, cluster=cluster, how=how)


def _check_outputs(args: argparse.Namespace) -> None:
    """Find out now what would go wrong after hours."""
    from marketcam.server.profiling.tables import (  # noqa: PLC0415 - as in `run`
        check_output,
        check_table,
        needs,
    )

    if args.out is not None:
        check_table("--out", args.out)
    if args.report is not None:
        needs("--report", args.report, "matplotlib")
        check_output("--report", args.report)
    check_output("--journal", _journal_path(args))
    _check_apart(args)


def _check_apart(args: argparse.Namespace) -> None:
    """Refuse one file for two outputs: the later would overwrite the earlier, the journal too."""
    outputs = {"--out": args.out, "--report": args.report, "--journal": _journal_path(args)}
    flags: dict[Path, str] = {}
    for flag, path in outputs.items():
        if path is None:
            continue
        other = flags.setdefault(path.resolve(), flag)
        if other != flag:
            raise SettingsError([f"{flag} must be another file than {other}, got {path}"])


def _journal_path(args: argparse.Namespace) -> Path:
    if args.journal is not None:
        return Path(args.journal)
    beside: Path | None = args.out or args.report
    return Path(_JOURNAL) if beside is None else beside.with_suffix(".journal")


def _open_journal(args: argparse.Namespace, made_with: Conditions | None) -> Journal:
    from marketcam.server.profiling.journal import Journal  # noqa: PLC0415 - as in `run`

    return Journal(_journal_path(args), made_with, fresh=args.fresh)


def _plan(args: argparse.Namespace, points: Sequence[Point], choice: Choice) -> int:
    """List the points; the conditions of workers are not asked for, nor compared."""
    from marketcam.server.profiling.conditions import conditions  # noqa: PLC0415 - as in `run`
    from marketcam.server.profiling.terminal import print_plan  # noqa: PLC0415 - as in `run`

    if args.fresh or not _journal_path(args).exists():
        print_plan(points, None)
    else:
        with _open_journal(args, conditions() if choice.is_here else None) as journal:
            print_plan(points, journal)
    return OK


def _measure(points: Sequence[Point], journal: Journal, measure: Measure) -> None:
    """Measure what is missing; when interrupted, say what is kept and how to go on."""
    from marketcam.server.profiling.terminal import Bar  # noqa: PLC0415 - as in `run`

    kept = sum(map(journal.settles, points))
    if kept:
        fresh = "--fresh measures them anew"
        say(f"{kept} of {len(points)} points are kept in {journal.path}; {fresh}")
    try:
        with Bar(len(points), kept) as bar:
            measure(points, journal, bar)
    except KeyboardInterrupt:
        journal.read_again()
        kept = sum(map(journal.settles, points))
        say(
            f"interrupted: {kept} of {len(points)} points are kept in {journal.path}; "
            "the same command goes on from there"
        )
        raise


def _tell(args: argparse.Namespace, results: Sequence[Result], conditions: Conditions) -> int:
    """Print and write the results; return the exit code."""
    from marketcam.server.profiling.conditions import shareable  # noqa: PLC0415 - as in `run`
    from marketcam.server.profiling.tables import write_table  # noqa: PLC0415 - as in `run`
    from marketcam.server.profiling.terminal import print_results  # noqa: PLC0415 - as in `run`

    print_results(results)
    made_with = shareable(conditions)
    if args.out is not None:
        write_table(args.out, results, made_with)
        say(f"results are in {args.out}")
    if args.report is not None:
        from marketcam.server.profiling.report import write_report  # noqa: PLC0415 - matplotlib

        write_report(args.report, results, made_with, ["marketcam", *args.typed])
        say(f"the report is {args.report}")
    return OK if any(result.figures is not None for result in results) else FAILED


def _whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within a range."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be {least} to {most}, got {text!r}")
        return value

    return read


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 3600.0:
        raise argparse.ArgumentTypeError(f"must be 0 to 3600, got {text!r}")
    return value
