"""`marketcam cat`: what a store has recorded, as JSON lines."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.io.store import KINDS, Store
from marketcam.server.cli.parsing import OK, CommandTexts, UsageError, add_command, add_log_level

if TYPE_CHECKING:
    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="cat",
    arguments="[FLAG …] STORE frames|metrics|ticks",
    description="""\
Print what a store has recorded, in the order of recording, one JSON object a line, across all
its segments, the one being written included. The store is only read; the camera may be running.""",
    examples="""\
  marketcam cat ./data metrics | head -3
  marketcam cat ./data frames --from-t 12000 --to-t 12300 > part.jsonl
  marketcam cat ./run ticks | marketcam serve --ticks - --tick-rate 0 --W 50 --store-dir ./again""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument("store", metavar="STORE", type=Path, help="the store's folder")
    parser.add_argument("kind", metavar="frames|metrics|ticks", choices=KINDS, help="what to print")
    parser.add_argument("--from-t", metavar="T", type=_tick, help="from this tick on, inclusive")
    parser.add_argument("--to-t", metavar="T", type=_tick, help="up to this tick, inclusive")
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Print the lines; return the exit code."""
    from_t, to_t = args.from_t, args.to_t
    if from_t is not None and to_t is not None and from_t > to_t:
        raise UsageError(f"--from-t must be at most --to-t, {to_t}, got {from_t}")
    out = sys.stdout.buffer
    for line in Store(args.store).lines(args.kind, from_t, to_t):
        out.write(line)
        out.write(b"\n")
    return OK


def _tick(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a tick number, got {text!r}") from None
