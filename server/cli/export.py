"""`marketcam export`: a recording as Parquet files."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Final

from marketcam.io.store.names import EXPORTED_KINDS
from marketcam.server.cli.parsing import (
    OK,
    CommandTexts,
    add_command,
    add_log_level,
    add_token,
    check_span,
)
from marketcam.server.cli.starting import interrupted_by_sigterm
from marketcam.server.cli.writing import add_reading_flags, written

if TYPE_CHECKING:
    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="export",
    arguments="[FLAG …] STORE OUT.parquet",
    description="""\
Write what a store has recorded as Parquet: a folder with nodes.parquet and edges.parquet (of the
frames), metrics.parquet and ticks.parquet, as far as the store has them. DuckDB, Polars, pandas and
Spark read them; `marketcam film` takes the ticks. STORE is a folder, or the address of a camera.
The folder is made whole or not at all. The store is only read; the camera may be running.""",
    examples="""\
  marketcam export ./data market.parquet
  marketcam export ./data part.parquet --from-t 12000 --to-t 24000 --kinds frames,metrics
  marketcam export http://127.0.0.1:8000 live.parquet --run all --every 10""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    thinned = "only each N-th frame, metric and tick, the first included"
    add_reading_flags(parser, thinned, needs_out=True)
    parser.add_argument(
        "--kinds",
        metavar="KIND,…",
        type=_kinds,
        help=f"only these of {', '.join(EXPORTED_KINDS)}; all there are by default",
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier export")
    add_token(parser)
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Write the files; return the exit code."""
    check_span(args)
    from marketcam.io.history import open_store  # noqa: PLC0415 - loads numpy, which help need not
    from marketcam.io.parquet import ExportOptions, export_parquet  # noqa: PLC0415 - likewise

    options = ExportOptions(
        args.from_t, args.to_t, args.of_run, args.kinds, args.every, force=args.force
    )
    reading = open_store(args.store, args.token)
    with interrupted_by_sigterm(), reading as history:
        written("export", args.out, partial(export_parquet, history, args.out, options))
    return OK


def _kinds(text: str) -> tuple[str, ...]:
    asked = tuple(text.split(","))
    if unknown := set(asked) - set(EXPORTED_KINDS):
        names = ", ".join(EXPORTED_KINDS)
        raise argparse.ArgumentTypeError(f"must be some of {names}, got {min(unknown)!r}")
    return tuple(kind for kind in EXPORTED_KINDS if kind in asked)
