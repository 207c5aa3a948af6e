"""Measures as a folder of Parquet files, whole or not at all."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from marketcam.io.extras import of_extra
from marketcam.io.measuring.options import MeasureOptions
from marketcam.io.measuring.reading import Asked, measured_recording
from marketcam.io.measuring.tables import MEASURE_TABLES, FrameTables, check_table, measures_schema
from marketcam.io.parquet_folder import ParquetFolder

if TYPE_CHECKING:
    import os

    from marketcam.io.history import History
    from marketcam.io.measuring.reading import OnProgress, Spread
    from marketcam.io.parquet_folder import Exported

__all__ = ["MeasureExport", "betweenness_left_out", "export_measures"]


@dataclass(frozen=True, slots=True)
class MeasureExport:
    """What to write.

    Attributes:
        from_t: only frames of this tick and later.
        to_t: only up to this tick, itself included.
        run: of this run only; None: of the latest; ``"all"``: run after run.
        every: only each so many-th frame, the first included.
        options: which measures.
        tables: which tables, some of `MEASURE_TABLES`.
        force: replace an earlier folder of measures.
        spread: measures the frames, as `measured_frames` has it.

    Raises:
        LimitError: a value that cannot be.
        StoreError: there is no such table.
    """

    from_t: int | None = None
    to_t: int | None = None
    run: str | None = None
    every: int = 1
    options: MeasureOptions = field(default_factory=MeasureOptions)
    tables: tuple[str, ...] = MEASURE_TABLES[:1]
    force: bool = False
    spread: Spread = map

    def __post_init__(self) -> None:
        self.asked  # noqa: B018 - is checked
        for table in self.tables:
            check_table(table)

    @property
    def asked(self) -> Asked:
        """Which frames."""
        return Asked(self.from_t, self.to_t, self.run, self.every)


def export_measures(
    history: History,
    out: str | os.PathLike[str],
    export: MeasureExport | None = None,
    on_progress: OnProgress = lambda kind, done, total: None,
) -> list[Exported]:
    """Measure a recording and write the tables into the folder `out`, each a Parquet file.

    The folder is made as `ParquetFolder.files` says, whole or not at all; the columns are those of
    `measures_schema`.

    Args:
        history: what to measure, as `open_store` gives it.
        out: the folder to make; its parent is there.
        export: what to write.
        on_progress: is told how far it is.

    Raises:
        ExportTargetError: `out` is there, and not a folder of measures that `force` allows to
            replace, or its parent is not; or something has come there meanwhile.
        ExportError: there are no frames.
        LimitError, StoreError, FrameError: as `measures_reader`.
        MissingExtraError: igraph or pyarrow is not installed.
        OSError: the disk refused.

    Cost: as `measured_frames`; the memory of one batch a table.
    """
    with of_extra("measures"):
        import igraph as _  # noqa: F401, PLC0415 - before anything is read
        from pyarrow import parquet as _parquet  # noqa: F401, PLC0415 - as above

    export = export or MeasureExport()
    folder = ParquetFolder(Path(out), MEASURE_TABLES, force=export.force)
    folder.check()
    options = export.options.for_tables(export.tables)
    measured = measured_recording(history, export.asked, options, export.spread, on_progress)
    tables = FrameTables(export.tables, options)
    schemas = {table: measures_schema(table, options) for table in export.tables}
    with folder.files(schemas) as files, closing(measured) as frames:
        for frame in frames:
            for table, batch in tables.add(frame):
                files[table].write(batch)
        for table, batch in tables.rest():
            files[table].write(batch)
    return folder.exported(files)


def betweenness_left_out(path: Path) -> int:
    """Return how many graphs have no betweenness, in a file of measures, for it costs too much.

    Memory: one row group.
    """
    from pyarrow import compute, parquet  # noqa: PLC0415 - as above

    file = parquet.ParquetFile(path)
    names = [
        name for name in file.schema_arrow.names if name.endswith("_betweenness_centralization")
    ]
    left_out = 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, ["nodes", *names])
        large = table.filter(compute.greater(table["nodes"], 2))
        left_out += sum(large[name].null_count for name in names)
    return left_out
