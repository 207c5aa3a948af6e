"""`marketcam prune`: old segments of a store removed by hand."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.io.store import KINDS, RetentionPolicy, StoreError
from marketcam.io.store.prune import keep_newest, prune
from marketcam.server.cli.parsing import (
    FAILED,
    OK,
    CommandTexts,
    UsageError,
    add_command,
    add_log_level,
)

if TYPE_CHECKING:
    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run"]

_DAY: Final = 86_400.0

_TEXTS: Final = CommandTexts(
    name="prune",
    arguments="[--yes] --keep N|--older DAYS|--bytes N [FLAG …] STORE",
    description="""\
Remove old segments of a store that no camera writes to: all but the newest of each kind, those
closed long ago, or as many as it takes. Without --yes it only says which would go, also while a
camera records. Each removal is recorded in the manifest, as retention's own are. Segments that
somebody reads stay.""",
    examples="""\
  marketcam prune ./data --older 30
  marketcam prune ./data --older 30 --yes
  marketcam prune ./data --keep 12 --kind ticks --yes
  marketcam prune ./data --bytes 2000000000 --yes""",
    exit_codes="""\
exit codes:
  0    done, or without --yes: said what would go
  1    some segments could not be removed: they are being read, or the disk refused
  2    bad usage, no store, a damaged manifest, or (with --yes) a store that a camera writes to
  130  interrupted""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument("store", metavar="STORE", type=Path, help="the store's folder")
    rules = parser.add_mutually_exclusive_group(required=True)
    rules.add_argument(
        "--keep", metavar="N", type=_count, help="keep the newest N closed segments of each kind"
    )
    rules.add_argument(
        "--older", metavar="DAYS", type=_days, help="remove what was closed longer ago than that"
    )
    rules.add_argument(
        "--bytes",
        metavar="N",
        type=_count,
        help="remove the oldest until the files hold no more than that",
    )
    parser.add_argument(
        "--kind", choices=KINDS, action="append", help="only this kind; may be given again"
    )
    parser.add_argument("--yes", action="store_true", help="do it, instead of saying what would go")
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Remove, or say what would be; return the exit code."""
    try:
        report = prune(args.store, _policy(args), args.kind or KINDS, dry_run=not args.yes)
    except (StoreError, OSError) as error:
        raise UsageError(f"{args.store} was not pruned: {error}") from error
    word = "removed" if args.yes else "would go"
    for entry in report.removed:
        print(f"{word:<9} {entry.path}  {entry.bytes:,} bytes, closed {entry.created_at}")
    for entry in report.held:
        print(f"{'held':<9} {entry.path}  is being read")
    for problem in report.errors:
        print(f"{'refused':<9} {problem}")
    hint = "" if args.yes or not report.removed else "; --yes removes them"
    print(f"{len(report.removed):,} segments, {report.removed_bytes:,} bytes {word}{hint}")
    return FAILED if args.yes and (report.held or report.errors) else OK


def _policy(args: argparse.Namespace) -> RetentionPolicy:
    if args.keep is not None:
        return keep_newest(args.keep)
    if args.older is not None:
        return RetentionPolicy(retain_seconds=args.older * _DAY, keep_min=0)
    return RetentionPolicy(retain_bytes=max(1, args.bytes), keep_min=0)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {text!r}")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 < days < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number of days above 0, got {text!r}")
    return days
