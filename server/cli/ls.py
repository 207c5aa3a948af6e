"""`marketcam ls`: the segments of a store as a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import orjson

from marketcam.io.store import KINDS, Store
from marketcam.server.cli.parsing import OK, CommandError, CommandTexts, add_command, add_log_level

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from marketcam.io.store import SegmentEntry
    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="ls",
    arguments="[FLAG …] STORE",
    description="""\
List the segments of a store, of all runs, and the totals of each kind. A pending segment is
still being written, or was when its camera died. The store is only read.""",
    examples="""\
  marketcam ls ./data
  marketcam ls ./data --json | jq -r 'select(.start_t <= 5000 and .end_t >= 5000) | .path'""",
)


class _Row(NamedTuple):
    """One line of the table, as it is read."""

    segment: str
    ticks: str
    lines: str
    size: str
    created: str
    state: str


_NUMBERS: Final = ("lines", "size")


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument("store", metavar="STORE", type=Path, help="the store's folder")
    parser.add_argument(
        "--json", action="store_true", help="print the manifest entries, one JSON object a line"
    )
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table; return the exit code."""
    store = Store(args.store)
    kinds = [kind for kind in KINDS if (args.store / kind).is_dir()]
    if not kinds:
        raise CommandError(f"there is no store at {args.store}: it has no {'/, no '.join(KINDS)}/")
    entries = {kind: store.segments(kind) for kind in kinds}
    if args.json:
        _print_json(entries)
    else:
        _print_table([row for kind in kinds for row in _rows(kind, entries[kind])])
    return OK


def _print_json(entries: dict[str, list[SegmentEntry]]) -> None:
    for of_kind in entries.values():
        for entry in of_kind:
            sys.stdout.buffer.write(orjson.dumps(entry.to_dict()) + b"\n")


def _rows(kind: str, entries: Sequence[SegmentEntry]) -> Iterable[_Row]:
    for entry in entries:
        ticks = f"{entry.start_t}-{entry.end_t}"
        state = "pending" if entry.pending else "closed"
        size = _size(entry.bytes)
        yield _Row(entry.path, ticks, f"{entry.lines:,}", size, entry.created_at, state)
    lines, size = sum(e.lines for e in entries), _size(sum(e.bytes for e in entries))
    pending = sum(e.pending for e in entries)
    yield _Row(f"{kind}, {len(entries):,} in all", "", f"{lines:,}", size, "", f"{pending} pending")


def _size(count: float) -> str:
    """Return a number of bytes in the largest unit in which it is 1 or more."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 999.95 or unit == "TB":
            break
    return f"{count:,.1f} {unit}"


def _print_table(rows: Sequence[_Row]) -> None:
    if sys.stdout.isatty():
        _print_for_people(rows)
    else:
        _print_plain(rows)


def _print_plain(rows: Sequence[_Row]) -> None:
    """Print aligned text that is as wide as it needs to be: it goes to a file or a filter."""
    cells = [_Row(*(name.upper() for name in _Row._fields)), *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        fields = zip(_Row._fields, row, widths, strict=True)
        texts = (t.rjust(w) if name in _NUMBERS else t.ljust(w) for name, t, w in fields)
        print("  ".join(texts).rstrip())


def _print_for_people(rows: Sequence[_Row]) -> None:
    from rich.console import Console  # noqa: PLC0415 - for a terminal only
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in _Row._fields:
        justify: Literal["right", "left"] = "right" if name in _NUMBERS else "left"
        table.add_column(name.upper(), justify=justify, overflow="fold")
    for row in rows:
        is_total = not row.created
        table.add_row(*row, style="bold" if is_total else None, end_section=is_total)
    Console(highlight=False).print(table)
