"""`marketcam ls`: the segments of a store, or its runs, as a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import orjson

from marketcam.io.store import ALL_RUNS, KINDS, UNNAMED_RUN, Store
from marketcam.server.cli.parsing import (
    LATEST,
    OK,
    CommandError,
    CommandTexts,
    add_command,
    add_log_level,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from marketcam.io.store import Run, SegmentEntry
    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="ls",
    arguments="[FLAG …] STORE",
    description="""\
List the segments of a store, of all runs, and the totals of each kind. A pending segment is
still being written, or was when its camera died. Or, with --runs, list the runs: when each began
and ended, its ticks, and of how many holes lines are missing, because the disk did not take them;
a run without an end is being recorded, or was killed. The store is only read.""",
    examples="""\
  marketcam ls ./data
  marketcam ls ./data --runs
  marketcam ls ./data --run latest
  marketcam ls ./data --json | jq -r 'select(.start_t <= 5000 and .end_t >= 5000) | .path'""",
)


class _Row(NamedTuple):
    """One line of the table, as it is read."""

    segment: str
    ticks: str
    lines: str
    size: str
    created: str
    run: str
    state: str


class _RunRow(NamedTuple):
    """One line of the table of runs."""

    run: str
    started: str
    ended: str
    ticks: str
    lines: str
    size: str
    holes: str


_NUMBERS: Final = ("lines", "size", "holes")


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument("store", metavar="STORE", type=Path, help="the store's folder")
    parser.add_argument(
        "--json", action="store_true", help="print the manifest entries, one JSON object a line"
    )
    parser.add_argument(
        "--run",
        dest="of_run",  # `run` is the command itself
        metavar="RUN",
        default=ALL_RUNS,
        help="only what is of this run; latest: of the one that started last; all: the default",
    )
    parser.add_argument("--runs", action="store_true", help="list the runs instead")
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table; return the exit code."""
    store = Store(args.store)
    kinds = [kind for kind in KINDS if (args.store / kind).is_dir()]
    if not kinds:
        raise CommandError(f"there is no store at {args.store}: it has no {'/, no '.join(KINDS)}/")
    entries = {kind: store.segments(kind, _run_asked_for(store, args.of_run)) for kind in kinds}
    segments = [entry for of_kind in entries.values() for entry in of_kind]
    if args.runs:
        _list_runs(_runs_asked_for(store, args.of_run), segments, as_json=args.json)
    elif args.json:
        _print_json(entry.to_dict() for entry in segments)
    else:
        _print_table([row for kind in kinds for row in _rows(kind, entries[kind])])
    return OK


def _run_asked_for(store: Store, run: str) -> str | None:
    if run == ALL_RUNS:
        return None
    return store.run(None if run == LATEST else run).id


def _runs_asked_for(store: Store, run: str) -> list[Run]:
    one = _run_asked_for(store, run)
    return store.runs() if one is None else [store.run(one)]


def _print_json(records: Iterable[dict[str, Any]]) -> None:
    for record in records:
        sys.stdout.buffer.write(orjson.dumps(record) + b"\n")


def _list_runs(runs: Iterable[Run], segments: Sequence[SegmentEntry], *, as_json: bool) -> None:
    of_runs = [
        (run, [entry for entry in segments if (entry.run or UNNAMED_RUN) == run.id]) for run in runs
    ]
    if as_json:
        _print_json(run.to_dict() | _ticks(entries) for run, entries in of_runs)
    else:
        _print_table([_run_row(run, entries) for run, entries in of_runs])


def _ticks(entries: Sequence[SegmentEntry]) -> dict[str, int | None]:
    return {
        "start_t": min((entry.start_t for entry in entries), default=None),
        "end_t": max((entry.end_t for entry in entries), default=None),
    }


def _run_row(run: Run, entries: Sequence[SegmentEntry]) -> _RunRow:
    ticks = "{start_t}-{end_t}".format(**_ticks(entries)) if entries else ""
    lines, size = sum(e.lines for e in entries), _size(sum(e.bytes for e in entries))
    missing = f"{len(run.holes)} ({sum(hole.lines for hole in run.holes):,} lines)"
    holes = missing if run.holes else "0"
    return _RunRow(run.id, run.started_at, run.ended_at or "", ticks, f"{lines:,}", size, holes)


def _rows(kind: str, entries: Sequence[SegmentEntry]) -> Iterable[_Row]:
    for entry in entries:
        ticks = f"{entry.start_t}-{entry.end_t}"
        state = "pending" if entry.pending else "closed"
        size = _size(entry.bytes)
        of_run = entry.run or UNNAMED_RUN
        yield _Row(entry.path, ticks, f"{entry.lines:,}", size, entry.created_at, of_run, state)
    lines, size = sum(e.lines for e in entries), _size(sum(e.bytes for e in entries))
    pending = sum(e.pending for e in entries)
    yield _Row(
        f"{kind}, {len(entries):,} in all", "", f"{lines:,}", size, "", "", f"{pending} pending"
    )


def _size(count: float) -> str:
    """Return a number of bytes in the largest unit in which it is 1 or more."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 999.95 or unit == "TB":
            break
    return f"{count:,.1f} {unit}"


def _print_table(rows: Sequence[_Row] | Sequence[_RunRow]) -> None:
    if not rows:
        return
    if sys.stdout.isatty():
        _print_for_people(rows)
    else:
        _print_plain(rows)


def _print_plain(rows: Sequence[_Row] | Sequence[_RunRow]) -> None:
    """Print aligned text that is as wide as it needs to be: it goes to a file or a filter."""
    fields = rows[0]._fields
    cells = [[name.upper() for name in fields], *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        texts = (
            text.rjust(width) if name in _NUMBERS else text.ljust(width)
            for name, text, width in zip(fields, row, widths, strict=True)
        )
        print("  ".join(texts).rstrip())


def _print_for_people(rows: Sequence[_Row] | Sequence[_RunRow]) -> None:
    from rich.console import Console  # noqa: PLC0415 - for a terminal only
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]._fields:
        justify: Literal["right", "left"] = "right" if name in _NUMBERS else "left"
        table.add_column(name.upper(), justify=justify, overflow="fold")
    for row in rows:
        is_total = isinstance(row, _Row) and not row.created
        table.add_row(*row, style="bold" if is_total else None, end_section=is_total)
    Console(highlight=False).print(table)
