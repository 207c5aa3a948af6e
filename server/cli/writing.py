"""What the commands share that write a part of a store as a folder of files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from marketcam.server.cli.parsing import UsageError, add_runs, add_span, at_least, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.io.parquet_folder import Exported
    from marketcam.server.cli.parsing import Parser

    OnProgress = Callable[[str, int, int], object]

__all__ = ["add_reading_flags", "written"]


def add_reading_flags(parser: Parser, thinned: str, *, needs_out: bool) -> None:
    """Add what is read, and where to; `thinned` says what `--every` does."""
    parser.add_argument("store", metavar="STORE", help="the store's folder, or http(s)://…")
    parser.add_argument(
        "out",
        metavar="OUT.parquet",
        type=Path,
        nargs=None if needs_out else "?",
        help="the folder to make",
    )
    add_span(parser)
    add_runs(parser)
    parser.add_argument("--every", metavar="N", type=at_least(1), default=1, help=thinned)


def written(title: str, out: Path, write: Callable[[OnProgress], list[Exported]]) -> list[Exported]:
    """Have files written behind a bar, and print a line for each.

    Raises:
        UsageError: the folder cannot be made, or something is not installed.
    """
    from marketcam.io.extras import MissingExtraError  # noqa: PLC0415 - not needed for --help
    from marketcam.io.parquet_folder import ExportTargetError  # noqa: PLC0415 - likewise
    from marketcam.server.cli.progress import TickBar  # noqa: PLC0415 - rich, likewise

    try:
        with TickBar(title) as bar:
            files = write(bar.show)
    except (ExportTargetError, MissingExtraError) as error:
        raise UsageError(str(error).replace("`force`", "--force")) from error
    except KeyboardInterrupt:
        say(f"interrupted: {out} was not written")
        raise
    for file in files:
        print(f"{file.path}  {file.rows:,} rows  {file.bytes:,} bytes")
    if not any(file.rows for file in files):
        say("nothing was recorded of what was asked for: there are no rows in these files")
    return files
