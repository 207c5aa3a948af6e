"""`marketcam recover`: a store put right after a crash, or after damage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.io.store import KINDS, StoreError, recover
from marketcam.io.store.segment_check import warm_up_checks
from marketcam.io.store.verify import bytes_to_verify
from marketcam.server.cli.parsing import CommandTexts, UsageError, add_command, add_log_level
from marketcam.server.cli.progress import ByteBar
from marketcam.server.running.compiling import compiling_shown

if TYPE_CHECKING:
    import argparse

    from marketcam.io.store import RecoveryReport
    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run"]

_CODES: Final = {"whole": 0, "partial": 1, "nothing": 3}

_TEXTS: Final = CommandTexts(
    name="recover",
    arguments="[FLAG …] STORE",
    description="""\
Put a store right that no camera writes to. Every segment is read. What a dead writer has left
becomes a closed segment; of a damaged one the whole lines before the damage are saved, read again
and compared, and the original is kept aside as ….damaged-1.zst; a damaged manifest, or another
store's, is set aside and made anew from the segments. What was done is said on stdout, path by
path. A camera does the same at its start, but for reading what looks right.""",
    examples="""\
  marketcam recover ./data --kind frames
  marketcam verify ./data || marketcam recover ./data""",
    exit_codes="""\
exit codes:
  0    whole: the store was in order, or every line that was found could be saved
  1    partial: some lines are lost; what there was of them is kept aside
  2    it could not be done, nothing was changed that was not said; or bad usage
  3    nothing: of what was damaged, not one line could be saved
  130  interrupted""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument("store", metavar="STORE", type=Path, help="the store's folder")
    parser.add_argument(
        "--kind", choices=KINDS, action="append", help="only this kind; may be given again"
    )
    parser.add_argument(
        "--level", metavar="N", type=int, default=3, help="zstd level of what is made, 1-22 [3]"
    )
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Recover the store; return the exit code."""
    kinds = tuple(args.kind or KINDS)
    if not 1 <= args.level <= 22:
        raise UsageError(f"--level must be 1-22, got {args.level}")
    if not any((args.store / kind).is_dir() for kind in KINDS):
        raise UsageError(f"there is no store at {args.store}: it has no {'/, no '.join(KINDS)}/")
    with compiling_shown(sys.stderr):
        warm_up_checks()
    try:
        with ByteBar("recover", bytes_to_verify(args.store, kinds)) as bar:
            report = recover(
                args.store,
                kinds,
                level=args.level,
                thorough=True,
                on_event=_tell,
                on_progress=bar.advance,
            )
    except (StoreError, OSError) as error:
        raise UsageError(f"{args.store} was not recovered: {error}") from error
    print(f"{report.outcome}: {_summary(report)}")
    return _CODES[report.outcome]


def _tell(_: str, event: str, /, **fields: object) -> None:
    """Say what was done as it is done, so that it is said whatever comes after."""
    path = fields.pop("path", "")
    rest = ", ".join(f"{name} {value}" for name, value in fields.items())
    print(f"{event.replace('_', ' '):<24} {path}{'  ' if path and rest else ''}{rest}", flush=True)


def _summary(report: RecoveryReport) -> str:
    counts = {
        "recovered": len(report.recovered),
        "entered": len(report.entered),
        "corrected": len(report.corrected),
        "recorded as removed": len(report.missing),
        "added to the journal": len(report.noted),
        "discarded": len(report.discarded),
        "set aside": len(report.set_aside),
        "saved in part": len(report.partial),
        "lost": len(report.lost),
    }
    told = [f"{count:,} {name}" for name, count in counts.items() if count]
    return ", ".join(told) if told else "nothing had to be done"
