"""`marketcam measures`: the standard measures of a recording's graphs, as JSON lines or Parquet."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from marketcam.engine import LimitError
from marketcam.server.cli.parsing import (
    OK,
    CommandError,
    CommandTexts,
    UsageError,
    add_command,
    add_log_level,
    add_token,
    at_least,
    check_span,
    say,
)
from marketcam.server.cli.spreading import add_cluster_flags, choice_of
from marketcam.server.cli.starting import interrupted_by_sigterm
from marketcam.server.cli.writing import add_reading_flags, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from marketcam.io.history import History
    from marketcam.io.measuring.files import MeasureExport
    from marketcam.io.measuring.options import MeasureOptions
    from marketcam.io.measuring.reading import OnProgress, Spread
    from marketcam.server.cli.parsing import Subparsers
    from marketcam.server.cluster import Choice

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="measures",
    arguments="[FLAG …] STORE [OUT.parquet]",
    description="""\
Measure the graphs of a recording, frame by frame: density, components, degrees and strengths,
clustering, assortativity, centralization, modularity, and communities followed over time; of the
match edges, of the quote_proximity edges, and of both together. STORE is a folder, or the address
of a camera. Without OUT.parquet a JSON line a frame is printed; with it a folder is made, whole or
not at all, with measures.parquet and, with --communities, communities.parquet and
memberships.parquet. docs/measures.md defines every measure.""",
    examples="""\
  marketcam measures ./data measures.parquet
  marketcam measures ./data --every 10 --edges match --measures modularity,communities | tail -3
  marketcam measures http://127.0.0.1:8000 part.parquet --from-t 12000 --communities
  marketcam measures ./data measures.parquet --dask tcp://10.0.0.1:8786""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    thinned = "only each N-th frame, the first included; communities are followed over these"
    add_reading_flags(parser, thinned, needs_out=False)
    parser.add_argument(
        "--edges",
        metavar="TYPE,…",
        type=_names,
        help="only the graphs of these edges: match, quote_proximity, both; all by default",
    )
    parser.add_argument(
        "--measures", metavar="NAME,…", type=_names, help="only these measures; all by default"
    )
    parser.add_argument(
        "--communities", action="store_true", help="write the communities and their members too"
    )
    parser.add_argument("--force", action="store_true", help="replace earlier measures")
    _add_options(parser.add_argument_group("how"))
    add_cluster_flags(parser)
    add_token(parser)
    add_log_level(parser)


def _add_options(group: argparse._ArgumentGroup) -> None:
    """Add the flags of how it is measured, named as the options are that have the defaults."""
    for name, parse, metavar, text in _OPTIONS:
        group.add_argument(
            f"--{name.replace('_', '-')}",
            metavar=metavar,
            type=parse,
            default=argparse.SUPPRESS,
            help=text,
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


_OPTIONS: Final[tuple[tuple[str, Callable[[str], float], str, str], ...]] = (
    ("resolution", _number, "X", "more than 1 looks for smaller communities [1.0]"),
    ("seed", at_least(0), "N", "of the search for communities [0]"),
    ("overlap", _number, "X", "least Jaccard's index of a community with itself before [0.3]"),
    (
        "absence",
        at_least(0),
        "N",
        "frames that one may be missing before it has died, 10000 at most [0]",
    ),
    ("betweenness_steps", at_least(0), "N", "no betweenness beyond so many steps [10000000]"),
)


def run(args: argparse.Namespace) -> int:
    """Measure, and print or write; return the exit code."""
    check_span(args)
    if args.out is None and (args.communities or args.force):
        flag = "--communities" if args.communities else "--force"
        raise UsageError(f"{flag} is for OUT.parquet, which was not given")
    from marketcam.io.history import open_store  # noqa: PLC0415 - loads numpy, which help need not
    from marketcam.io.measuring.files import MeasureExport  # noqa: PLC0415 - likewise
    from marketcam.io.measuring.tables import MEASURE_TABLES  # noqa: PLC0415 - likewise
    from marketcam.io.parquet_folder import ExportError  # noqa: PLC0415 - likewise

    tables = MEASURE_TABLES if args.communities else MEASURE_TABLES[:1]
    which = (args.from_t, args.to_t, args.of_run, args.every)
    export = MeasureExport(*which, _options(args), tables, args.force)
    choice = choice_of(args)
    _load_igraph()
    reading = open_store(args.store, args.token)
    with interrupted_by_sigterm(), reading as history, _who_measures(choice) as spread:
        export = replace(export, spread=spread)
        try:
            if args.out is None:
                _print(history, export)
            else:
                _write(history, export, args.out)
        except ExportError as error:
            raise CommandError(f"{args.store}: {error}") from error
    return OK


def _load_igraph() -> None:
    from marketcam.io.extras import MissingExtraError  # noqa: PLC0415 - as in `run`
    from marketcam.io.measuring.loading import load_igraph  # noqa: PLC0415 - as in `run`

    try:
        load_igraph()
    except MissingExtraError as error:
        raise UsageError(str(error)) from error


@contextmanager
def _who_measures(choice: Choice) -> Iterator[Spread]:
    if choice.is_here:
        yield map
        return
    from marketcam.server.cluster import open_cluster  # noqa: PLC0415 - only where it is asked for
    from marketcam.server.pieces.measuring import MeasuredByWorkers  # noqa: PLC0415 - likewise

    with open_cluster(choice) as cluster:
        yield MeasuredByWorkers(cluster, are_ours=choice.dask is None)


def _options(args: argparse.Namespace) -> MeasureOptions:
    from marketcam.io.measuring.names import GRAPHS  # noqa: PLC0415 - as in `run`
    from marketcam.io.measuring.options import MeasureOptions  # noqa: PLC0415 - as in `run`

    others = {name: getattr(args, name) for name, *_ in _OPTIONS if name in args}
    try:
        return MeasureOptions(graphs=args.edges or GRAPHS, names=args.measures, **others)
    except LimitError as error:
        raise UsageError(f"--{_as_flag(str(error))}") from error


def _as_flag(problem: str) -> str:
    """Return a problem of an option with the option named as the flag is."""
    name, _, rest = problem.partition(" ")
    name = {"graphs": "edges", "names": "measures"}.get(name, name)
    return f"{name.replace('_', '-')} {rest}"


def _print(history: History, export: MeasureExport) -> None:
    """Print a line a frame."""
    from marketcam.io.measuring import reading  # noqa: PLC0415 - as in `run`

    out, printed = sys.stdout.buffer, 0
    how = (history, export.asked, export.options, export.spread)
    with _bar() as show:
        # What there is to do is counted for a bar only: it takes a reading of the open segment.
        measured = reading.measured_frames(*how)
        if show is not None:
            measured = reading.measured_recording(*how, show)
        with closing(measured) as frames:
            for frame in frames:
                out.write(reading.row_line(frame) + b"\n")
                out.flush()  # whoever reads may be waiting for it
                printed += 1
    if not printed:
        reading.parts_to_measure(history, export.asked)  # or there are no frames at all
        say("nothing was recorded of what was asked for")


@contextmanager
def _bar() -> Iterator[OnProgress | None]:
    """Yield what shows how far it is; None where lines come to the terminal, or nobody looks."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        yield None
        return
    from marketcam.server.cli.progress import TickBar  # noqa: PLC0415 - rich, which --help need not

    with TickBar("measures") as bar:
        yield bar.show


def _write(history: History, export: MeasureExport, out: Path) -> None:
    from marketcam.io.measuring.files import (  # noqa: PLC0415 - as in `run`
        betweenness_left_out,
        export_measures,
    )

    files = written("measures", out, partial(export_measures, history, out, export))
    if left_out := betweenness_left_out(files[0].path):
        say(
            f"{left_out:,} graphs have no betweenness_centralization: it would have taken more "
            "than --betweenness-steps"
        )
