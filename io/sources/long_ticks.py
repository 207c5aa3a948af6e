"""Ticks from a table with a row an agent and tick, sorted by t; their matches from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from marketcam.engine import Tick, TickError
from marketcam.io.sources.errors import SourceError
from marketcam.io.sources.tick_columns import (
    AGENT_COLUMNS,
    STATE_COLUMNS,
    TickHeads,
    at_fault,
    cells_of,
    check_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from marketcam.io.sources.cells import Cells
    from marketcam.io.sources.table_files import TableFile

__all__ = ["LongTicks", "MatchTable"]

_PAIR: Final = ("a", "b")
_NO_PAIRS: Final = np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Whole ticks of a batch: the batch, and where in it the rows of each begin and end."""

    batch: Any
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


def _whole_ticks(batches: Iterable[Any]) -> Iterator[_Rows]:
    """Cut batches between ticks; the rows of the last tick wait for the next batch."""
    rest: Any = None
    for batch in batches:
        if not batch.num_rows:
            continue
        joined = batch if rest is None else _joined(rest, batch)
        starts = _starts(cells_of(joined.column("t"), "t"))
        cut = int(starts[-1])
        rest = joined.slice(cut)
        if cut:
            yield _Rows(joined.slice(0, cut), starts[:-1], starts[1:])
    if rest is not None:
        ends = np.array([0, rest.num_rows], dtype=np.int64)
        yield _Rows(rest, ends[:1], ends[1:])


def _joined(rest: Any, batch: Any) -> Any:
    [joined] = pa.Table.from_batches([rest, batch]).combine_chunks().to_batches()
    return joined


def _starts(t: Cells) -> NDArray[np.int64]:
    """Return the rows with another t than the one before; a t that cannot be read is one too."""
    values = t.values
    unread = t.missing.copy()
    unread[list(t.faults)] = True
    other = (values[1:] != values[:-1]) | (unread[1:] != unread[:-1])
    return np.concatenate([[0], np.flatnonzero(other) + 1]).astype(np.int64)


class MatchTable:
    """The matches of a long table: columns `t`, `a` and `b`, a row a match, sorted by t."""

    def __init__(self, file: TableFile) -> None:
        """Begin at its first row.

        Raises:
            SourceError: a column is missing, or of another type than it must be.
        """
        check_columns(file, ("t", *_PAIR))
        self._file = file
        self._groups = self._grouped()
        self._next = next(self._groups, None)

    def of(self, t: int) -> NDArray[np.int64]:
        """Return the matches of a tick, int64[M, 2]; ticks are asked for in their order.

        Raises:
            TickError: a match of it cannot be read.
            SourceError: the next matches are of an earlier tick, which the ticks do not have.
        """
        if self._next is None:
            return _NO_PAIRS
        row, its_t, pairs = self._next
        if its_t is None or its_t < t:
            raise self._stray(row, its_t)
        if its_t > t:
            return _NO_PAIRS
        self._next = next(self._groups, None)
        if isinstance(pairs, TickError):
            raise pairs
        return pairs

    def end(self) -> None:
        """Raise SourceError where matches are left over."""
        if self._next is not None:
            raise self._stray(*self._next[:2])

    def _stray(self, row: int, t: int | None) -> SourceError:
        which = "t must be an integer" if t is None else f"the ticks have no tick {t} here"
        return SourceError(f"{self._file.name}: row {row}: {which}; both are sorted by t")

    def _grouped(self) -> Iterator[tuple[int, int | None, NDArray[np.int64] | TickError]]:
        before = 0
        for rows in _whole_ticks(self._file.batches(["t", *_PAIR])):
            t = cells_of(rows.batch.column("t"), "t")
            ends = [cells_of(rows.batch.column(name), name) for name in _PAIR]
            for start, stop in zip(rows.starts.tolist(), rows.stops.tolist(), strict=True):
                read = not t.missing[start] and start not in t.faults
                number = int(t.values[start]) if read else None
                yield before + start + 1, number, _pairs(number, ends, start, stop)
            before += rows.batch.num_rows


def _pairs(
    t: int | None, ends: list[Cells], start: int, stop: int
) -> NDArray[np.int64] | TickError:
    for cells, name in zip(ends, _PAIR, strict=True):
        found = cells.fault_within(start, stop)
        if found is not None:
            return at_fault(found[1], f"matches[{found[0] - start}].{name}", t, None)
        missing = cells.missing[start:stop]
        if missing.any():
            field = f"matches[{int(np.argmax(missing))}].{name}"
            return TickError("must be an integer", t=t, field=field, value=None)
    return np.stack([cells.values[start:stop] for cells in ends], axis=1)


class LongTicks:
    """Makes ticks of record batches with a row an agent and tick.

    A tick without agents is one row without an agent id. What is said of the tick as such, its
    mid and the state of the market, is the same in all its rows.
    """

    def __init__(self, columns: tuple[str, ...], matches: MatchTable | None) -> None:
        """Begin at row 1; `columns` are those that there are."""
        self.row = 1
        self._columns = columns
        self._matches = matches

    def ticks(self, batches: Iterable[Any]) -> Iterator[Tick | TickError]:
        """Yield each tick, or what is wrong with it; `row` is its first row.

        Raises:
            SourceError: there are matches of ticks that are not there.
        """
        before = 0
        for rows in _whole_ticks(batches):
            heads = TickHeads(rows.batch, self._columns)
            columns = {name: cells_of(rows.batch.column(name), name) for name in AGENT_COLUMNS}
            changes = heads.changes(rows.starts)
            for start, stop in zip(rows.starts.tolist(), rows.stops.tolist(), strict=True):
                self.row = before + start + 1
                try:
                    tick: Tick | TickError = self._tick(heads, columns, changes, slice(start, stop))
                except TickError as error:
                    tick = error
                yield tick
            before += rows.batch.num_rows
        if self._matches is not None:
            self._matches.end()

    def _tick(
        self,
        heads: TickHeads,
        columns: dict[str, Cells],
        changes: list[tuple[int, str]],
        rows: slice,
    ) -> Tick:
        t = heads.t(rows.start)
        # Taken before anything is refused: the matches of a bad tick go with it.
        matches = _NO_PAIRS if self._matches is None else self._matches.of(t)
        mid = heads.mid(rows.start, t)
        state = heads.state(rows.start, t) if STATE_COLUMNS[0] in heads.columns else None
        for row, name in changes:
            if rows.start < row < rows.stop:
                value = heads.cells[name].values[row].item()
                problem = "must be the same in all rows of a tick"
                raise TickError(problem, t=t, field=name, value=value)
        if _is_empty(columns, rows):
            rows = slice(rows.start, rows.start)
        for name in AGENT_COLUMNS:
            _check(t, name, columns, rows)
        ids, experience, side, price = (columns[name].values[rows] for name in AGENT_COLUMNS)
        return Tick(t, mid, ids, experience, side, price, matches, state)


def _is_empty(columns: dict[str, Cells], rows: slice) -> bool:
    if rows.stop - rows.start != 1:
        return False
    return all(
        bool(cells.missing[rows.start]) and rows.start not in cells.faults
        for cells in columns.values()
    )


def _check(t: int, name: str, columns: dict[str, Cells], rows: slice) -> None:
    cells = columns[name]
    found = cells.fault_within(rows.start, rows.stop)
    if found is not None:
        ids = columns["agent_id"]
        known = name != "agent_id" and found[0] not in ids.faults
        raise at_fault(found[1], name, t, int(ids.values[found[0]]) if known else None)
    if name == "agent_id" and cells.missing[rows].any():
        raise TickError("must be an integer", t=t, field=name, value=None)
