"""Recorded lines as rows of Arrow: which tables there are, their columns, and how rows get there.

Lines are parsed one at a time and kept as columns; a batch of rows is made of many at once, so
that beside the parsing an edge costs a few nanoseconds.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
import orjson

from marketcam.engine import Edges, Frame, MarketState, Nodes, Tick
from marketcam.engine.frame import EDGE_TYPES
from marketcam.engine.tick import SIDES
from marketcam.io.extras import of_extra
from marketcam.io.sources.tick_json import parse_tick
from marketcam.io.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["BATCH_ROWS", "KIND_OF_TABLE", "TABLES", "LineTables", "arrow_schema"]

KIND_OF_TABLE: Final = {
    "nodes": "frames",
    "edges": "frames",
    "metrics": "metrics",
    "ticks": "ticks",
}
"""The kind of lines that each table is made of."""

TABLES: Final = tuple(KIND_OF_TABLE)

BATCH_ROWS: Final = 131_072
"""Rows of a batch: 7 MB of edges, and a row group of a size that query engines like."""

_BATCH_VALUES: Final = 262_144
"""Agents and matches in the rows of a batch of ticks: 9 MB."""

_UNITS: Final = {
    "t": "tick number",
    "t0": "tick number, the first of the window",
    "t1": "tick number, the last of the window",
    "w": "0..1",
    "run": "name of the run",
    "match_rate": "matches per tick",
    "quote_price_mean": "price",
    "quote_price_std": "price",
    "quote_dist_to_mid_mean": "share of the mid",
    "price_norm": "0..1",
    "volatility": "0..1",
    "liquidity": "0..1",
    "imbalance": "-1..1",
    "mid": "price",
    "price": "price",
    "matches_n": "matches",
    "N": "agents",
}


@cache
def arrow_schema(table: str) -> pa.Schema:
    """Return the columns of a table; each carries its unit where it has one.

    Args:
        table: ``"nodes"``, ``"edges"``, ``"metrics"`` or ``"ticks"``.

    Raises:
        StoreError: there is no such table.
        MissingExtraError: pyarrow is not installed.
    """
    with of_extra("arrow"):
        import pyarrow as pa  # noqa: PLC0415 - of the extra `arrow`

    if table not in KIND_OF_TABLE:
        raise StoreError(f"table must be one of {', '.join(TABLES)}, got {table!r:.120}")
    whole, number = pa.int64(), pa.float64()
    word = pa.dictionary(pa.int8(), pa.string())
    if table == "nodes":
        types = {
            name: pa.int32() if name.endswith("_count") else number for name in Nodes.__slots__
        }
        types |= {"agent_id": whole, "dominant_side": word}
        types = {"t": whole, "t0": whole, "t1": whole, **types}
    elif table == "edges":
        types = dict.fromkeys(("t", "t0", "t1", "src", "dst"), whole) | {"type": word, "w": number}
    elif table == "metrics":
        types = {"t": whole, **dict.fromkeys(MarketState._fields, number)}
        types |= {"N": whole, "avg_exp": number, "matches_n": whole}
    else:
        types = {"t": whole, "mid": number, **dict.fromkeys(MarketState._fields, number)}
        lists = {"agent_id": whole, "experience": number, "side": pa.string(), "price": number}
        lists |= {"match_a": whole, "match_b": whole}
        types |= {name: pa.list_(item) for name, item in lists.items()}
    types["run"] = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([_field(pa, table, name, type_) for name, type_ in types.items()])


def _field(pa: Any, table: str, name: str, type_: pa.DataType) -> pa.Field:
    unit = _UNITS.get(name)
    return pa.field(
        name,
        type_,
        nullable=name in _NULLABLE[table],
        metadata=None if unit is None else {"unit": unit},
    )


_NULLABLE: Final = {
    "nodes": ("experience_start", "experience_end"),
    "edges": (),
    "metrics": (),
    "ticks": ("mid", *MarketState._fields),
}


class _Rows(Protocol):
    """Rows of one table, of one run, on their way to a batch."""

    @property
    def count(self) -> int:
        """How many there are."""

    def add(self, parsed: Any) -> None:
        """Take what a line says."""

    @property
    def is_full(self) -> bool:
        """Whether it is time for a batch."""

    def take(self) -> dict[str, Any]:
        """Return the columns of the rows so far, and begin anew."""


class _Lists(NamedTuple):
    """A column of lists: how many items each row has, and all items."""

    lengths: list[int]
    items: NDArray[Any]


class _FrameRows:
    """Nodes or edges of frames."""

    def __init__(self, columns: Callable[[Frame], tuple[Any, ...]], names: tuple[str, ...]) -> None:
        self._columns = columns
        self._names = names
        self._begin()

    def _begin(self) -> None:
        self.count = 0
        self._parts: list[tuple[Any, ...]] = []
        self._spans: list[tuple[int, int, int]] = []  # t, t0 and rows of each frame

    def add(self, frame: Frame) -> None:
        columns = self._columns(frame)
        self._parts.append(columns)
        self._spans.append((frame.t, frame.t0, len(columns[0])))
        self.count += len(columns[0])

    @property
    def is_full(self) -> bool:
        return self.count >= BATCH_ROWS or len(self._spans) >= BATCH_ROWS

    def take(self) -> dict[str, Any]:
        t, t0, rows = np.array(self._spans, dtype=np.int64).T
        of_row = {"t": np.repeat(t, rows), "t0": np.repeat(t0, rows)}
        whole = [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]
        self._begin()
        return of_row | {"t1": of_row["t"]} | dict(zip(self._names, whole, strict=True))


def _node_columns(frame: Frame) -> tuple[Any, ...]:
    return tuple(getattr(frame.nodes, name) for name in Nodes.__slots__)


def _edge_columns(frame: Frame) -> tuple[Any, ...]:
    return tuple(getattr(frame.edges, name) for name in Edges.__slots__)


class _MetricRows:
    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    @property
    def count(self) -> int:
        return len(self._rows)

    def add(self, metric: dict[str, Any]) -> None:
        try:
            state = metric["s"]
            self._rows.append(
                (
                    metric["t"],
                    *(state[name] for name in MarketState._fields),
                    metric["N"],
                    metric["avg_exp"],
                    metric["matches_n"],
                )
            )
        except (KeyError, TypeError) as error:
            raise StoreError(f"not a metric: {metric!r:.120}") from error

    @property
    def is_full(self) -> bool:
        return len(self._rows) >= BATCH_ROWS

    def take(self) -> dict[str, Any]:
        names = ("t", *MarketState._fields, "N", "avg_exp", "matches_n")
        columns = dict(zip(names, zip(*self._rows, strict=True), strict=True))
        self._rows = []
        return columns


class _TickRows:
    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._ticks: list[Tick] = []
        self._values = 0

    @property
    def count(self) -> int:
        return len(self._ticks)

    def add(self, tick: Tick) -> None:
        self._ticks.append(tick)
        self._values += tick.agent_id.size + len(tick.matches)

    @property
    def is_full(self) -> bool:
        return len(self._ticks) >= BATCH_ROWS or self._values >= _BATCH_VALUES

    def take(self) -> dict[str, Any]:
        ticks = self._ticks
        self._begin()
        none = MarketState(*[None] * 4)  # type: ignore[arg-type]
        states = zip(*(none if tick.state is None else tick.state for tick in ticks), strict=True)
        columns: dict[str, Any] = {
            "t": [tick.t for tick in ticks],
            "mid": [tick.mid for tick in ticks],
            **dict(zip(MarketState._fields, states, strict=True)),
        }
        agents = [tick.agent_id.size for tick in ticks]
        for name in ("agent_id", "experience", "side", "price"):
            columns[name] = _Lists(agents, np.concatenate([getattr(t, name) for t in ticks]))
        # the price of no quote is ignored, whatever it is
        columns["price"].items[columns["side"].items == 0] = np.nan
        pairs = np.concatenate([tick.matches for tick in ticks])
        matches = [len(tick.matches) for tick in ticks]
        return columns | {
            "match_a": _Lists(matches, np.ascontiguousarray(pairs[:, 0])),
            "match_b": _Lists(matches, np.ascontiguousarray(pairs[:, 1])),
        }


_ROWS: Final[dict[str, Callable[[], _Rows]]] = {
    "nodes": lambda: _FrameRows(_node_columns, Nodes.__slots__),
    "edges": lambda: _FrameRows(_edge_columns, ("src", "dst", "type", "w")),
    "metrics": _MetricRows,
    "ticks": _TickRows,
}
_PARSE: Final[dict[str, Callable[[bytes], Any]]] = {
    "frames": lambda line: Frame.from_dict(orjson.loads(line)),
    "metrics": orjson.loads,
    "ticks": parse_tick,
}


class LineTables:
    """Turns the lines of one kind, of one run, into batches of the tables that they make.

    Args:
        run: the run's name.
        tables: which tables; all of one kind of lines.

    Raises:
        StoreError: there is no such table.
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, run: str, tables: tuple[str, ...]) -> None:
        self._run = run
        self._schemas = {table: arrow_schema(table) for table in tables}
        self._rows = {table: _ROWS[table]() for table in tables}
        self._parse = _PARSE[KIND_OF_TABLE[tables[0]]]

    def add(self, line: bytes) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Take a line; yield the tables that have a batch by now, and the batches.

        Raises:
            FrameError, TickError, SourceError, StoreError, orjson.JSONDecodeError: the line does
                not hold what its kind says.
        """
        parsed = self._parse(line)
        for table, rows in self._rows.items():
            rows.add(parsed)
            if rows.is_full:
                yield table, self._batch(table, rows)

    def rest(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield the rows that have not been given yet."""
        for table, rows in self._rows.items():
            if rows.count:
                yield table, self._batch(table, rows)

    def _batch(self, table: str, rows: _Rows) -> pa.RecordBatch:
        import pyarrow as pa  # noqa: PLC0415 - as above

        schema, count = self._schemas[table], rows.count
        columns = rows.take()
        run = pa.DictionaryArray.from_arrays(np.zeros(count, dtype=np.int32), [self._run])
        arrays = [_array(pa, columns[name], schema.field(name)) for name in columns]
        return pa.record_batch([*arrays, run], schema=schema)


def _array(pa: Any, values: Any, field: pa.Field) -> pa.Array:
    """Return values as a column: as they are where they are an array of its type."""
    if isinstance(values, _Lists):
        offsets = np.zeros(len(values.lengths) + 1, dtype=np.int32)
        np.cumsum(values.lengths, out=offsets[1:])
        inner = _array(pa, values.items, field.type.value_field)
        return pa.ListArray.from_arrays(offsets, inner, type=field.type)
    if field.name == "type":
        return pa.DictionaryArray.from_arrays(values, list(EDGE_TYPES))
    if field.name == "dominant_side":
        return pa.DictionaryArray.from_arrays(values, list(SIDES))
    if pa.types.is_string(field.type):
        return pa.DictionaryArray.from_arrays(values, list(SIDES)).cast(field.type)
    return pa.array(values, type=field.type, from_pandas=field.nullable)
