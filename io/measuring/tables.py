"""Measures as Arrow tables: a row a frame, a row a community, a row a member of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from marketcam.io.extras import of_extra
from marketcam.io.measuring.options import MeasureOptions
from marketcam.io.measuring.reading import Asked, measured_frames
from marketcam.io.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

    from marketcam.io.history import History
    from marketcam.io.measuring.reading import MeasuredFrame

__all__ = [
    "BATCH_ROWS",
    "MEASURE_TABLES",
    "FrameTables",
    "check_table",
    "measures_reader",
    "measures_schema",
    "measures_table",
]

MEASURE_TABLES: Final = ("measures", "communities", "memberships")
"""A row a frame; a row a community of a graph of a frame; a row an agent in one."""

BATCH_ROWS: Final = {"measures": 4096, "communities": 131_072, "memberships": 131_072}
"""Rows of a batch: 4 MB of measures, 7 MB of the others."""

_TICKS: Final = {
    "t": "tick number",
    "t0": "tick number, the first of the window",
    "t1": "tick number, the last of the window",
}


def check_table(table: str) -> None:
    """Raise StoreError where there is no such table."""
    if table not in MEASURE_TABLES:
        names = ", ".join(MEASURE_TABLES)
        raise StoreError(f"table must be one of {names}, got {table!r:.120}")


def measures_schema(table: str, options: MeasureOptions | None = None) -> pa.Schema:
    """Return the columns of a table; each carries its unit where it has one.

    Args:
        table: ``"measures"``, ``"communities"`` or ``"memberships"``.
        options: of which measures; all by default.

    Raises:
        StoreError: there is no such table.
        MissingExtraError: pyarrow is not installed.
    """
    with of_extra("measures"):
        import pyarrow as pa  # noqa: PLC0415 - of the extra `measures`

    check_table(table)
    whole, number = pa.int64(), pa.float64()
    fields = [pa.field(name, whole, False, {"unit": unit}) for name, unit in _TICKS.items()]
    if table == "measures":
        fields.append(pa.field("nodes", whole, False, {"unit": "agents"}))
        fields += [
            pa.field(name, whole if each.is_count else number, metadata={"unit": each.unit})
            for name, each in (options or MeasureOptions()).columns.items()
        ]
    else:
        fields.append(pa.field("graph", pa.dictionary(pa.int8(), pa.string()), False))
        fields.append(pa.field("community", whole, False))
    if table == "communities":
        fields.append(pa.field("size", whole, False, {"unit": "agents"}))
        fields.append(pa.field("born_t", whole, False, {"unit": "tick number"}))
        fields.append(pa.field("overlap", number, metadata={"unit": "0..1"}))
        fields.append(pa.field("split_from", whole))
    elif table == "memberships":
        fields.append(pa.field("agent_id", whole, False))
    fields.append(pa.field("run", pa.dictionary(pa.int32(), pa.string()), False))
    return pa.schema(fields)


def measures_reader(
    history: History,
    from_t: int | None = None,
    to_t: int | None = None,
    *,
    run: str | None = None,
    every: int = 1,
    table: str = "measures",
    options: MeasureOptions | None = None,
) -> pa.RecordBatchReader:
    """Return the measures of a recording as a stream of batches: for long ranges.

    Args:
        history: a store, as `open_store` gives it.
        from_t: only frames of this tick and later.
        to_t: only up to this tick, itself included.
        run: of this run only; None: of the latest; ``"all"``: run after run.
        every: only each so many-th frame, the first included.
        table: ``"measures"``, a row a frame; ``"communities"``, a row a community of a graph of a
            frame; ``"memberships"``, a row an agent in one. Agents without an edge are in none.
        options: what to measure.

    Raises:
        StoreError: there is no such table, or as `History.lines`; while reading, as well.
        LimitError: `from_t` is after `to_t`, or `every` is none.
        FrameError: while reading: a line holds no frame, or one that cannot be.
        MissingExtraError: igraph or pyarrow is not installed.

    Cost: as `measured_frames`; the memory of one batch.
    """
    options = (options or MeasureOptions()).for_tables((table,))
    asked = Asked(from_t, to_t, run, every)
    schema = measures_schema(table, options)
    with of_extra("measures"):
        import igraph  # noqa: F401, PLC0415 - of the extra `measures`, before anything is read
        import pyarrow as pa  # noqa: PLC0415 - as above

    frames = measured_frames(history, asked, options)
    return pa.RecordBatchReader.from_batches(schema, _batches(frames, table, options))


def measures_table(
    history: History,
    from_t: int | None = None,
    to_t: int | None = None,
    *,
    run: str | None = None,
    every: int = 1,
    table: str = "measures",
    options: MeasureOptions | None = None,
) -> pa.Table:
    """Return the measures of a recording whole; arguments and errors are `measures_reader`'s."""
    reader = measures_reader(
        history, from_t, to_t, run=run, every=every, table=table, options=options
    )
    return reader.read_all().combine_chunks()


def _batches(
    frames: Iterable[MeasuredFrame], table: str, options: MeasureOptions
) -> Iterator[pa.RecordBatch]:
    tables = FrameTables((table,), options)
    for frame in frames:
        for _, batch in tables.add(frame):
            yield batch
    for _, batch in tables.rest():
        yield batch


class FrameTables:
    """Turns measured frames into batches of tables.

    Args:
        tables: which tables.
        options: what was measured.
    """

    def __init__(self, tables: tuple[str, ...], options: MeasureOptions) -> None:
        self._schemas = {table: measures_schema(table, options) for table in tables}
        self._columns = {table: _empty(schema) for table, schema in self._schemas.items()}

    def add(self, frame: MeasuredFrame) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Take a frame; yield the tables that have a batch by now, and the batches."""
        for table, columns in self._columns.items():
            for row in _ROWS[table](frame):
                for name, value in row.items():
                    columns[name].append(value)
                columns["run"].append(frame.run)
            if len(columns["run"]) >= BATCH_ROWS[table]:
                yield table, self._batch(table)

    def rest(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield what has not been given yet."""
        for table, columns in self._columns.items():
            if columns["run"]:
                yield table, self._batch(table)

    def _batch(self, table: str) -> pa.RecordBatch:
        import pyarrow as pa  # noqa: PLC0415 - as above

        schema, columns = self._schemas[table], self._columns[table]
        self._columns[table] = _empty(schema)
        arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
        return pa.record_batch(arrays, schema=schema)


def _empty(schema: pa.Schema) -> dict[str, list[Any]]:
    return {name: [] for name in schema.names}


def _measure_rows(frame: MeasuredFrame) -> Iterator[dict[str, Any]]:
    yield frame.row


def _community_rows(frame: MeasuredFrame) -> Iterator[dict[str, Any]]:
    span = {name: frame.row[name] for name in _TICKS}
    for graph, followed in frame.followed.items():
        for each in followed:
            yield span | {"graph": graph} | each._asdict()


def _membership_rows(frame: MeasuredFrame) -> Iterator[dict[str, Any]]:
    span = {name: frame.row[name] for name in _TICKS}
    for graph, partition in frame.partitions.items():
        for agents, which in zip(partition, frame.followed[graph], strict=True):
            of_community = span | {"graph": graph, "community": which.community}
            for agent in agents.tolist():
                yield of_community | {"agent_id": agent}


_ROWS: Final[dict[str, Callable[[MeasuredFrame], Iterator[dict[str, Any]]]]] = {
    "measures": _measure_rows,
    "communities": _community_rows,
    "memberships": _membership_rows,
}
