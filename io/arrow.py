"""History as Arrow tables: nodes, edges, metrics and ticks, whole or as a stream."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from marketcam.io.arrow_tables import KIND_OF_TABLE, LineTables, arrow_schema
from marketcam.io.extras import of_extra
from marketcam.io.history import runs_asked_for

if TYPE_CHECKING:
    from collections.abc import Generator

    import pyarrow as pa

    from marketcam.io.history import History

__all__ = ["arrow_reader", "arrow_table"]


def arrow_reader(
    history: History,
    table: str,
    from_t: int | None = None,
    to_t: int | None = None,
    *,
    run: str | None = None,
    every: int = 1,
) -> pa.RecordBatchReader:
    """Return a table as a stream of batches, read as they are asked for: for long ranges.

    Args:
        history: a store, as `open_store` gives it.
        table: ``"nodes"``, ``"edges"``, ``"metrics"`` or ``"ticks"``; their columns are those of
            `arrow_schema`.
        from_t: only what was recorded at this tick and later.
        to_t: only up to this tick, itself included.
        run: of this run only; None: of the latest; ``"all"``: run after run.
        every: only each so many-th frame, metric or tick, the first included.

    Raises:
        StoreError: there is no such table, or as `History.lines`; while reading, as well.
        FrameError, TickError: while reading: a line does not hold what its kind says.
        MissingExtraError: pyarrow is not installed.

    Cost: 2 ms a frame of 74 nodes and 2000 edges, nearly all of it to parse its JSON; the memory of
    one batch.
    """
    schema = arrow_schema(table)
    with of_extra("arrow"):
        import pyarrow as pa  # noqa: PLC0415 - of the extra `arrow`

    runs = runs_asked_for(history, run)
    batches = _batches(history, table, runs, (from_t, to_t, every))
    return pa.RecordBatchReader.from_batches(schema, batches)


def arrow_table(
    history: History,
    table: str,
    from_t: int | None = None,
    to_t: int | None = None,
    *,
    run: str | None = None,
    every: int = 1,
) -> pa.Table:
    """Return a table whole: for ranges that fit into memory, 53 bytes an edge.

    Arguments and errors are those of `arrow_reader`. ``table.to_pandas(split_blocks=True)`` and
    ``polars.from_arrow(table)`` take most of its columns as they are (docs/history.md).
    """
    reader = arrow_reader(history, table, from_t, to_t, run=run, every=every)
    return reader.read_all().combine_chunks()


def _batches(
    history: History, table: str, runs: list[str], asked: tuple[int | None, int | None, int]
) -> Generator[pa.RecordBatch]:
    from_t, to_t, every = asked
    for run in runs:
        tables = LineTables(run, (table,))
        lines = history.lines(KIND_OF_TABLE[table], from_t, to_t, run=run, every=every)
        with closing(lines):
            for line in lines:
                for _, batch in tables.add(line):
                    yield batch
            for _, batch in tables.rest():
                yield batch
