"""`marketcam verify`: whether a store is as it was recorded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from marketcam.io.store import KINDS, StoreError
from marketcam.io.store.segment_check import warm_up_checks
from marketcam.io.store.verify import bytes_to_verify, verify
from marketcam.server.cli.parsing import (
    FAILED,
    OK,
    CommandTexts,
    UsageError,
    add_command,
    add_log_level,
)
from marketcam.server.cli.progress import ByteBar
from marketcam.server.running.compiling import compiling_shown

if TYPE_CHECKING:
    import argparse

    from marketcam.io.store.verify import VerifyReport
    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="verify",
    arguments="[FLAG …] STORE",
    description="""\
Read every segment of a store through and hold it against the manifests and the journal of runs.
The camera may be running; the store is only read. What is wrong is listed on stdout, one line
each; `marketcam recover` puts right what can be.""",
    examples="""\
  marketcam verify ./data
  marketcam verify ./data --kind frames --parse
  marketcam verify ./data --json | jq -r '.damage[].path'""",
    exit_codes="""\
exit codes:
  0    clean
  1    damage was found
  2    it could not be checked, or bad usage
  130  interrupted""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument("store", metavar="STORE", type=Path, help="the store's folder")
    parser.add_argument(
        "--kind", choices=KINDS, action="append", help="only this kind; may be given again"
    )
    parser.add_argument("--run", dest="of_run", metavar="RUN", help="only the segments of this run")
    parser.add_argument(
        "--parse", action="store_true", help="decode every line as JSON, not its beginning alone"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as one JSON object")
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Check the store; return the exit code."""
    kinds = tuple(args.kind or KINDS)
    try:
        with compiling_shown(sys.stderr):
            warm_up_checks()
        with ByteBar("verify", bytes_to_verify(args.store, kinds)) as bar:
            report = verify(
                args.store, kinds, run=args.of_run, parse=args.parse, on_progress=bar.advance
            )
    except (StoreError, OSError) as error:
        raise UsageError(f"{args.store} could not be checked: {error}") from error
    figures = {"seconds": round(bar.seconds(), 3), "json_mb_per_second": round(bar.speed(), 1)}
    if args.json:
        sys.stdout.buffer.write(orjson.dumps(_as_dict(report) | figures) + b"\n")
    else:
        _print(report, bar)
    return FAILED if report.damage else OK


def _as_dict(report: VerifyReport) -> dict[str, Any]:
    return {
        "clean": not report.damage,
        "segments": report.segments,
        "lines": report.lines,
        "json_bytes": report.json_bytes,
        "file_bytes": report.file_bytes,
        "damage": [{"path": one.path, "what": one.what} for one in report.damage],
        "notes": [{"path": one.path, "what": one.what} for one in report.notes],
    }


def _print(report: VerifyReport, bar: ByteBar) -> None:
    for one in report.damage:
        print(f"damage  {one.path}: {one.what}")
    for one in report.notes:
        print(f"note    {one.path}: {one.what}")
    print(
        f"{report.segments:,} segments, {report.lines:,} lines, {report.json_bytes / 1e6:,.1f} MB"
        f" of JSON in {bar.seconds():,.1f} s ({bar.speed():,.0f} MB/s):"
        f" {f'{len(report.damage):,} damaged places' if report.damage else 'clean'}"
    )
