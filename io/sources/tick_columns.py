"""The columns of tick tables: their names, what they hold, and what stands once a tick in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from marketcam.engine import MarketState, TickError
from marketcam.engine.tick import finite_number, tick_number
from marketcam.io.sources.cells import numbers, sides, whole_numbers
from marketcam.io.sources.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from marketcam.io.sources.cells import Cells, Fault
    from marketcam.io.sources.table_files import TableFile

__all__ = [
    "AGENT_COLUMNS",
    "MATCH_COLUMNS",
    "STATE_COLUMNS",
    "TickHeads",
    "at_fault",
    "cells_of",
    "check_columns",
    "is_list",
    "tick_columns",
]

AGENT_COLUMNS: Final = ("agent_id", "experience", "side", "price")
MATCH_COLUMNS: Final = ("match_a", "match_b")
STATE_COLUMNS: Final = MarketState._fields
_NEEDED: Final = ("t", "mid", *AGENT_COLUMNS)
_LISTS: Final = (*AGENT_COLUMNS, *MATCH_COLUMNS)

_KINDS: Final[dict[str, tuple[Callable[[Any], Cells | None], str]]] = {
    "t": (whole_numbers, "integers"),
    "a": (whole_numbers, "integers"),
    "b": (whole_numbers, "integers"),
    "agent_id": (whole_numbers, "integers"),
    "match_a": (whole_numbers, "integers"),
    "match_b": (whole_numbers, "integers"),
    "side": (sides, "'none', 'buy' and 'sell', or 0, 1 and 2"),
}


def tick_columns(file: TableFile) -> tuple[str, ...]:
    """Return those of a table's columns that belong to ticks.

    Raises:
        SourceError: one that is needed is missing, or one of several that go together; or one is
            of another type than it must be.
    """
    columns = tuple(
        name for name in (*_NEEDED, *STATE_COLUMNS, *MATCH_COLUMNS) if name in file.types
    )
    needed = [*_NEEDED]
    for group in (STATE_COLUMNS, MATCH_COLUMNS):
        if any(name in columns for name in group):
            needed += group
    check_columns(file, needed)
    return columns


def check_columns(file: TableFile, columns: Iterable[str]) -> None:
    """Raise SourceError where a column is missing, or of another type than it must be."""
    missing = [name for name in columns if name not in file.types]
    if missing:
        raise SourceError(f"{file.name}: there is no column {', '.join(missing)}")
    lists = {name for name in _LISTS if name in file.types and is_list(file.types[name])}
    for name in columns:
        kind = file.types[name]
        if name in _LISTS and lists and name not in lists:
            if pa.types.is_null(kind):
                continue  # no list anywhere
            problem = f"lists, as {min(lists)} does"
        else:
            read, what = _reading(name)
            problem = f"lists of {what}" if name in MATCH_COLUMNS or name in lists else what
            if read(pa.array([], kind.value_type if name in lists else kind)) is not None:
                continue
        raise SourceError(f"{file.name}: column {name} must hold {problem}, got {kind}")


def is_list(kind: Any) -> bool:
    """Tell whether an Arrow type is that of lists."""
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(kind) for is_kind in kinds)


def cells_of(array: Any, name: str) -> Cells:
    """Read a column whose type was checked."""
    cells = _reading(name)[0](array)
    assert cells is not None  # noqa: S101 - `check_columns` would have refused it
    return cells


def _reading(name: str) -> tuple[Callable[[Any], Cells | None], str]:
    return _KINDS.get(name, (numbers, "numbers"))


def at_fault(fault: Fault, name: str, t: int | None, agent: int | None) -> TickError:
    """Return the error of a cell."""
    return TickError(fault.problem, t=t, agent=agent, field=_field(name), value=fault.value)


class TickHeads:
    """What a batch says of each tick as such: its number, its mid, the state of the market.

    Attributes:
        columns: names of the columns that there are.
        cells: those of a tick as such.
    """

    def __init__(self, batch: Any, columns: tuple[str, ...]) -> None:
        self.columns = columns
        names = [name for name in ("t", "mid", *STATE_COLUMNS) if name in columns]
        self.cells = {name: cells_of(batch.column(name), name) for name in names}

    def t(self, row: int) -> int:
        """Return the number of the tick in a row, or raise `TickError`."""
        value = self._value("t", row, None)
        return tick_number(None if value is None else int(value))

    def mid(self, row: int, t: int) -> float | None:
        """Return its mid, or raise `TickError`."""
        mid = self._value("mid", row, t)
        return None if mid is None else finite_number(float(mid), "mid", t=t)

    def state(self, row: int, t: int) -> MarketState | None:
        """Return the state of the market, None where all of it is missing, or raise `TickError`."""
        values = [self._value(name, row, t) for name in STATE_COLUMNS]
        if all(value is None for value in values):
            return None
        named = zip(STATE_COLUMNS, values, strict=True)
        return MarketState(*(finite_number(value, _field(name), t=t) for name, value in named))

    def _value(self, name: str, row: int, t: int | None) -> Any:
        cells = self.cells[name]
        if (fault := cells.faults.get(row)) is not None:
            raise at_fault(fault, name, t, None)
        return None if cells.missing[row] else cells.values[row].item()

    def changes(self, starts: np.ndarray[Any, Any]) -> list[tuple[int, str]]:
        """Return rows, and columns, in which a tick says otherwise than in the row before.

        `starts` are the first rows of the ticks.
        """
        found: list[tuple[int, str]] = []
        for name, cells in self.cells.items():
            values, missing = cells.values, cells.missing
            same = (values[1:] == values[:-1]) | (missing[1:] & missing[:-1])
            same &= missing[1:] == missing[:-1]
            rows = np.setdiff1d(np.flatnonzero(~same) + 1, starts, assume_unique=True)
            found += [(row, name) for row in rows.tolist()]
        return sorted(found)


def _field(name: str) -> str:
    return f"s.{name}" if name in STATE_COLUMNS else name
