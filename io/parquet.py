"""A recording as a folder of Parquet files, whole or not at all."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from marketcam.io.arrow_tables import KIND_OF_TABLE, TABLES, LineTables, arrow_schema
from marketcam.io.extras import of_extra
from marketcam.io.history import runs_asked_for
from marketcam.io.parquet_folder import ExportError, ParquetFolder
from marketcam.io.recorded_parts import elsewhere, parts_of
from marketcam.io.store.asked import check_asked
from marketcam.io.store.decode import tick_of_line
from marketcam.io.store.errors import UnknownSegmentError
from marketcam.io.store.names import EXPORTED_KINDS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from marketcam.io.history import History
    from marketcam.io.parquet_folder import Exported, ParquetFile
    from marketcam.io.recorded_parts import Part

__all__ = ["ExportOptions", "export_parquet"]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to export.

    Attributes:
        from_t: only what was recorded at this tick and later.
        to_t: only up to this tick, itself included.
        run: of this run only; None: of the latest; ``"all"``: run after run.
        kinds: of these kinds only (`frames`, `metrics`, `ticks`), each of which must be there;
            None: of all that are.
        every: only each so many-th frame, metric and tick, the first included.
        force: replace an earlier export.
    """

    from_t: int | None = None
    to_t: int | None = None
    run: str | None = None
    kinds: tuple[str, ...] | None = None
    every: int = 1
    force: bool = False

    def __post_init__(self) -> None:
        check_asked(self.from_t, self.to_t, self.every)


def export_parquet(
    history: History,
    out: str | os.PathLike[str],
    options: ExportOptions | None = None,
    on_progress: Callable[[str, int, int], object] = lambda kind, done, total: None,
) -> list[Exported]:
    """Write a recording into the folder `out`: a Parquet file for each table there is.

    The folder is made as `ParquetFolder.files` says, whole or not at all. The columns are those of
    `arrow_schema`, compressed by zstd, 131,072 rows a row group.

    Args:
        history: what to export, as `open_store` gives it.
        out: the folder to make; its parent is there.
        options: what of it.
        on_progress: is called with the kind, and how many of how many ticks are done, of all kinds
            together; after each line.

    Raises:
        ExportTargetError: `out` is there, and not an export that `force` allows to replace, or its
            parent is not; or something has come there meanwhile.
        ExportError: there is nothing to export, or none of a kind that was asked for.
        LimitError, StoreError, FrameError, TickError: as `arrow_reader`.
        MissingExtraError: pyarrow is not installed.
        OSError: the disk refused.

    Cost: 2 to 2.6 ms a frame of 74 nodes and 2000 edges, most of it to parse its JSON (to read its
    line takes 0.25), and 0.3 ms a tick of 74 agents; the memory of one batch a table.
    """
    with of_extra("arrow"):
        from pyarrow import parquet as _  # noqa: F401, PLC0415 - before anything is read

    options = options or ExportOptions()
    folder = ParquetFolder(Path(out), TABLES, force=options.force)
    folder.check()
    parts = _parts(history, options)
    total = sum(part.ticks for part in parts)
    tables = [table for table in TABLES if any(p.kind == KIND_OF_TABLE[table] for p in parts)]
    with folder.files({table: arrow_schema(table) for table in tables}) as files:
        done = 0
        for part in parts:
            for t in _written(history, part, options, files):
                on_progress(part.kind, done + t - part.first_t + 1, total)
            done += part.ticks
    return folder.exported(files)


def _parts(history: History, options: ExportOptions) -> list[Part]:
    """Return what there is to export, in the order in which it is read."""
    kinds = EXPORTED_KINDS if options.kinds is None else tuple(map(_check_kind, options.kinds))
    runs = runs_asked_for(history, options.run)
    parts = parts_of(history, kinds, runs)
    missing = [kind for kind in kinds if all(part.kind != kind for part in parts)]
    if not parts or (missing and options.kinds is not None):
        raise ExportError(
            f"there are no {' and no '.join(missing)} to export{elsewhere(history, runs, missing)}"
        )
    return [part.within(options.from_t, options.to_t) for part in parts]


def _check_kind(kind: str) -> str:
    if kind not in EXPORTED_KINDS:
        names = ", ".join(EXPORTED_KINDS)
        raise UnknownSegmentError(f"kind must be one of {names}, got {kind!r}")
    return kind


def _written(
    history: History, part: Part, options: ExportOptions, files: dict[str, ParquetFile]
) -> Iterator[int]:
    """Write one kind of lines of one run; yield the tick after each line."""
    tables = LineTables(part.run, tuple(t for t in files if KIND_OF_TABLE[t] == part.kind))
    lines = history.lines(
        part.kind, options.from_t, options.to_t, run=part.run, every=options.every
    )
    with closing(lines):
        for line in lines:
            for table, batch in tables.add(line):
                files[table].write(batch)
            yield min(tick_of_line(line) or 0, part.last_t)
    for table, batch in tables.rest():
        files[table].write(batch)
