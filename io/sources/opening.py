"""A source for a path, by what lies there: a tick file of any format, a recording, a pipe."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    ClassVar,
    Literal,
    Protocol,
    TypeAlias,
    runtime_checkable,
)

from marketcam.io.sources.byte_input import STANDARD_INPUT
from marketcam.io.sources.endings import TABLE_ENDINGS
from marketcam.io.sources.errors import SourceError
from marketcam.io.sources.store_ticks import StoreTicks
from marketcam.io.sources.tick_lines import TickLines, fail_on_bad_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marketcam.engine import Tick
    from marketcam.io.sources.line_reader import TornEnd
    from marketcam.io.sources.tick_lines import BadLine
    from marketcam.io.sources.tick_tables import TickTable

__all__ = ["LineSource", "Measured", "Numbered", "TickSource", "open_ticks", "read_ticks"]

TickSource: TypeAlias = "TickLines | TickTable | StoreTicks"
"""What a path can turn out to be; each is a `Source`."""


@runtime_checkable
class Measured(Protocol):
    """A source that may know how far it has come.

    Attributes:
        share: how much of it has been read, 0 to 1; None where nobody knows.
    """

    @property
    def share(self) -> float | None:
        """How much of it has been read; see the class."""


@runtime_checkable
class Numbered(Protocol):
    """A source whose ticks stand in numbered places.

    Attributes:
        unit: what is numbered, such as ``"line"``.
        number: where the last tick stands.
    """

    unit: ClassVar[Literal["line", "row"]]

    @property
    def number(self) -> int:
        """Where the last tick stands; see the class."""


@runtime_checkable
class LineSource(Numbered, Protocol):
    """A source that can be had as lines of JSON, to be parsed by somebody else.

    Attributes:
        name: what the log calls it.
    """

    name: str

    def lines(self) -> Iterator[bytes]:
        """Yield a line where the iteration would yield its tick, or call it a bad one."""

    def tick_of(self, line: bytes) -> Tick | None:
        """Return the tick of the line read last, as the iteration would."""


def _do_nothing(_: TornEnd) -> None:
    pass


def open_ticks(
    path: str | os.PathLike[str],
    on_bad: Callable[[BadLine], None] = fail_on_bad_line,
    on_torn: Callable[[TornEnd], None] = _do_nothing,
    *,
    matches: str | os.PathLike[str] | None = None,
    run: str | None = None,
) -> TickSource:
    """Open raw ticks, in the format that the path says.

    A folder is a store, whose recorded raw ticks are read. Names that end in ``.parquet``,
    ``.csv``, ``.csv.gz`` or ``.csv.zst`` are tables (`TickTable`). Everything else is JSON lines,
    compressed or not, from a file, a named pipe, or from standard input where the path is ``"-"``
    (`TickLines`).

    Args:
        path: where they are.
        on_bad: is called for a line or row that holds no tick; `fail_on_bad_line` ends the ticks.
        on_torn: is called where a compressed file of JSON lines breaks off.
        matches: a table of the matches, for a table with a row an agent.
        run: the run of a store; the latest that has ticks where it is None.

    Raises:
        SourceError: there is nothing to be read, or it is not of its format; a table is asked for
            without pyarrow; `matches` or `run` are given for what has none.
        StoreError: the store cannot be read, or has no such run.
    """
    is_store = os.fspath(path) != STANDARD_INPUT and Path(path).is_dir()
    is_table = os.fspath(path).lower().endswith(TABLE_ENDINGS) and not is_store
    if run is not None and not is_store:
        raise SourceError(f"a run can be named of a store's ticks only, and {path} is no folder")
    if matches is not None and not is_table:
        raise SourceError(f"matches go with a Parquet or CSV file only, and {path} is none")
    if is_store:
        return StoreTicks(path, on_bad, run)
    if not is_table:
        return TickLines.open(path, on_bad, on_torn)
    if find_spec("pyarrow") is None:
        raise SourceError(
            f"{path} needs pyarrow, which is not here: pip install 'marketcam[arrow]'"
        )
    from marketcam.io.sources.tick_tables import TickTable  # noqa: PLC0415 - needs pyarrow

    return TickTable(path, on_bad, matches)


def read_ticks(
    path: str | os.PathLike[str],
    *,
    matches: str | os.PathLike[str] | None = None,
    run: str | None = None,
) -> TickSource:
    """Return the raw ticks of a file or a store, to be iterated once; a bad one is an error.

    As `open_ticks`, for notebooks:

    >>> for frame in film(read_ticks("run.jsonl.zst"), W=300):
    ...     ...
    """
    return open_ticks(path, matches=matches, run=run)
