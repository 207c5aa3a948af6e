"""Measures as a folder of Parquet files, whole or not at all."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from marketcam.io.extras import of_extra
from marketcam.io.history import runs_asked_for
from marketcam.io.measuring.options import MeasureOptions
from marketcam.io.measuring.reading import Asked, measured_frames
from marketcam.io.measuring.tables import MEASURE_TABLES, FrameTables, check_table, measures_schema
from marketcam.io.parquet_folder import ExportError, ParquetFolder
from marketcam.io.recorded_parts import elsewhere, parts_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from marketcam.io.history import History
    from marketcam.io.measuring.reading import Spread
    from marketcam.io.parquet_folder import Exported
    from marketcam.io.recorded_parts import Part

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
    on_progress: Callable[[str, int, int], object] = lambda kind, done, total: None,
) -> list[Exported]:
    """Measure a recording and write the tables into the folder `out`, each a Parquet file.

    The folder is made as `ParquetFolder.files` says, whole or not at all; the columns are those of
    `measures_schema`.

    Args:
        history: what to measure, as `open_store` gives it.
        out: the folder to make; its parent is there.
        export: what to write.
        on_progress: is called with "frames", and how many of how many ticks are done; after each
            frame.

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
    parts = _parts(history, export.asked)
    total = sum(part.ticks for part in parts)
    up_to = dict(zip((p.run for p in parts), accumulate(p.ticks for p in parts), strict=True))
    last_t = {part.run: part.last_t for part in parts}
    tables = FrameTables(export.tables, options)
    schemas = {table: measures_schema(table, options) for table in export.tables}
    measured = measured_frames(history, export.asked, options, export.spread)
    with folder.files(schemas) as files, closing(measured) as frames:
        for frame in frames:
            for table, batch in tables.add(frame):
                files[table].write(batch)
            left = last_t[frame.run] - min(frame.row["t"], last_t[frame.run])
            on_progress("frames", up_to[frame.run] - left, total)
        for table, batch in tables.rest():
            files[table].write(batch)
    return folder.exported(files)


def betweenness_left_out(path: Path) -> int:
    """Return how many graphs have no betweenness, in a file of measures, for it costs too much."""
    from pyarrow import compute, parquet  # noqa: PLC0415 - as above

    file = parquet.ParquetFile(path)
    names = [
        name for name in file.schema_arrow.names if name.endswith("_betweenness_centralization")
    ]
    table = file.read(["nodes", *names])
    large = table.filter(compute.greater(table["nodes"], 2))
    return sum(large[name].null_count for name in names)


def _parts(history: History, asked: Asked) -> list[Part]:
    """Return which frames there are of each run, in the order in which they are read."""
    runs = runs_asked_for(history, asked.run)
    parts = parts_of(history, ("frames",), runs)
    if not parts:
        raise ExportError(f"there are no frames to measure{elsewhere(history, runs, ['frames'])}")
    return [part.within(asked.from_t, asked.to_t) for part in parts]
