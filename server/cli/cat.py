"""`marketcam cat`: what a store has recorded, as JSON lines."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.io.store import KINDS, Store
from marketcam.server.cli.parsing import (
    LATEST,
    OK,
    CommandTexts,
    add_command,
    add_log_level,
    add_span,
    at_least,
    check_span,
)

if TYPE_CHECKING:
    import argparse

    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="cat",
    arguments="[FLAG …] STORE frames|metrics|ticks",
    description="""\
Print what a store has recorded in a run, in order of tick, one JSON object a line, across all its
segments, the one being written included. The store is only read; the camera may be running. A
segment whose file is missing is left out, with a note on stderr.""",
    examples="""\
  marketcam cat ./data metrics | head -3
  marketcam cat ./data frames --from-t 12000 --to-t 12300 > part.jsonl
  marketcam cat ./data frames --run all --every 100 | head -20
  marketcam cat ./run ticks | marketcam serve --ticks - --tick-rate 0 --W 50 --store-dir ./again""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument("store", metavar="STORE", type=Path, help="the store's folder")
    parser.add_argument("kind", metavar="|".join(KINDS), choices=KINDS, help="what to print")
    add_span(parser)
    parser.add_argument(
        "--run",
        dest="of_run",  # `run` is the command itself
        metavar="RUN",
        default=LATEST,
        help="of this run; latest: the one that started last (the default); all: run after run",
    )
    parser.add_argument(
        "--every", metavar="N", type=at_least(1), default=1, help="only every Nth of these lines"
    )
    parser.add_argument("--limit", metavar="N", type=at_least(0), help="stop after N lines")
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Print the lines; return the exit code."""
    check_span(args)
    run = None if args.of_run == LATEST else args.of_run
    store = Store(args.store, on_missing=_tell_missing)
    lines = store.lines(args.kind, args.from_t, args.to_t, run=run, every=args.every)
    out = sys.stdout.buffer
    for line in islice(lines, args.limit):
        out.write(line)
        out.write(b"\n")
    return OK


def _tell_missing(path: str) -> None:
    print(f"note: {path} is missing, no record says why: left out", file=sys.stderr)
