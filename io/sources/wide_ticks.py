"""Ticks from a table with a row a tick: agents, quotes and matches are lists in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from marketcam.engine import Tick, TickError
from marketcam.io.sources.tick_columns import (
    AGENT_COLUMNS,
    MATCH_COLUMNS,
    STATE_COLUMNS,
    TickHeads,
    at_fault,
    cells_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from marketcam.io.sources.cells import Cells

__all__ = ["WideTicks"]

_PAIR: Final = "must be a pair of agent ids"


@dataclass(frozen=True, slots=True)
class _Lists:
    """A column of lists: the values of all, and where the list of each row begins and ends."""

    cells: Cells
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    @classmethod
    def of(cls, array: Any, name: str) -> _Lists:
        if pa.types.is_fixed_size_list(array.type):
            array = array.cast(pa.list_(array.type.value_type))
        elif pa.types.is_null(array.type):
            array = array.cast(pa.list_(pa.null()))
        offsets = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
        first, last = int(offsets[0]), int(offsets[-1])
        missing = array.is_null().to_numpy(zero_copy_only=False)
        starts, stops = offsets[:-1] - first, offsets[1:] - first
        cells = cells_of(array.values.slice(first, last - first), name)
        return cls(cells, starts, np.where(missing, starts, stops))

    def span(self, row: int) -> slice:
        return slice(int(self.starts[row]), int(self.stops[row]))


class WideTicks:
    """Makes ticks of record batches with a row a tick."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        """Begin at row 1; `columns` are those that there are."""
        self.row = 0
        self._columns = columns

    def ticks(self, batches: Iterable[Any]) -> Iterator[Tick | TickError]:
        """Yield a tick, or what is wrong with it, for each row; `row` says which."""
        names = [name for name in (*AGENT_COLUMNS, *MATCH_COLUMNS) if name in self._columns]
        for batch in batches:
            heads = TickHeads(batch, self._columns)
            lists: dict[str, _Lists] = {name: _Lists.of(batch.column(name), name) for name in names}
            for row in range(batch.num_rows):
                self.row += 1
                try:
                    tick: Tick | TickError = _tick(heads, lists, row)
                except TickError as error:
                    tick = error
                yield tick


def _tick(heads: TickHeads, lists: dict[str, _Lists], row: int) -> Tick:
    t = heads.t(row)
    mid = heads.mid(row, t)
    state = heads.state(row, t) if STATE_COLUMNS[0] in heads.columns else None
    spans = {name: column.span(row) for name, column in lists.items()}
    for name in AGENT_COLUMNS:
        _check(t, name, lists, spans)
    ids, experience, side, price = (lists[name].cells.values[spans[name]] for name in AGENT_COLUMNS)
    return Tick(t, mid, ids, experience, side, price, _matches(t, lists, spans), state)


def _check(t: int, name: str, lists: dict[str, _Lists], spans: dict[str, slice]) -> None:
    """Refuse a cell of a list that cannot be read, naming its agent; and an agent without id."""
    cells, span = lists[name].cells, spans[name]
    found = cells.fault_within(span.start, span.stop)
    if found is not None:
        place, fault = found
        agents, which = spans["agent_id"], place - span.start
        inside = name != "agent_id" and which < agents.stop - agents.start
        agent = int(lists["agent_id"].cells.values[agents][which]) if inside else None
        raise at_fault(fault, name, t, agent)
    if name == "agent_id" and cells.missing[span].any():
        raise TickError("must hold integer agent ids", t=t, field=name, value=None)
    length, agents = span.stop - span.start, spans["agent_id"]
    if length != agents.stop - agents.start:
        problem = f"must have as many entries as agent_id, {agents.stop - agents.start}"
        raise TickError(problem, t=t, field=name, value=f"{length} entries")


def _matches(t: int, lists: dict[str, _Lists], spans: dict[str, slice]) -> NDArray[np.int64]:
    if MATCH_COLUMNS[0] not in lists:
        return np.empty((0, 2), dtype=np.int64)
    first, second = (spans[name] for name in MATCH_COLUMNS)
    lengths = [span.stop - span.start for span in (first, second)]
    if lengths[0] != lengths[1]:
        problem = f"must have as many entries as match_a, {lengths[0]}"
        raise TickError(problem, t=t, field="match_b", value=f"{lengths[1]} entries")
    columns = [lists[name].cells for name in MATCH_COLUMNS]
    for cells, span, name in zip(columns, (first, second), MATCH_COLUMNS, strict=True):
        found = cells.fault_within(span.start, span.stop)
        if found is not None:
            raise at_fault(found[1], name, t, None)
    missing = columns[0].missing[first] | columns[1].missing[second]
    if missing.any():
        raise TickError(_PAIR, t=t, field=f"matches[{int(np.argmax(missing))}]", value=None)
    return np.stack([columns[0].values[first], columns[1].values[second]], axis=1)
