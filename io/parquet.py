"""A recording as a folder of Parquet files, whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from marketcam.engine import LimitError
from marketcam.io.arrow_tables import KIND_OF_TABLE, TABLES, LineTables, arrow_schema
from marketcam.io.extras import of_extra
from marketcam.io.history import runs_asked_for
from marketcam.io.store.decode import tick_of_line
from marketcam.io.store.errors import StoreError, UnknownSegmentError
from marketcam.io.store.files import sync_folder
from marketcam.io.store.names import EXPORTED_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from marketcam.io.history import History

__all__ = [
    "ExportError",
    "ExportOptions",
    "ExportTargetError",
    "Exported",
    "export_parquet",
    "file_of",
]

_ZSTD_LEVEL: Final = 3
_OLD: Final = ".old"


class ExportError(StoreError):
    """A recording cannot be exported to where it was to go."""


class ExportTargetError(ExportError):
    """The folder to make is there, or cannot be."""


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
        if self.from_t is not None and self.to_t is not None and self.from_t > self.to_t:
            raise LimitError(f"from_t must be at most to_t ({self.to_t}), got {self.from_t}")
        if self.every < 1:
            raise LimitError(f"every must be at least 1, got {self.every}")


class Exported(NamedTuple):
    """One file of an export.

    Attributes:
        path: where it is.
        rows: how many rows it has.
        bytes: its size.
    """

    path: Path
    rows: int
    bytes: int


class _Part(NamedTuple):
    """One kind of lines of one run, and from which tick to which it goes."""

    run: str
    kind: str
    first_t: int
    last_t: int

    @property
    def ticks(self) -> int:
        return self.last_t - self.first_t + 1


def file_of(table: str) -> str:
    """Return the name that a table's file has in an export."""
    return f"{table}.parquet"


def export_parquet(
    history: History,
    out: str | os.PathLike[str],
    options: ExportOptions | None = None,
    on_progress: Callable[[str, int, int], object] = lambda kind, done, total: None,
) -> list[Exported]:
    """Write a recording into the folder `out`: a Parquet file for each table there is.

    The files are written under another name beside `out` and are on the disk before they get
    theirs, all at once; whatever ends it before leaves nothing behind, and an earlier export as it
    was. Only a kill between two renames can leave that one as ``.NAME.PID.old``, which the next
    export tells of. Their columns are those of
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
    folder = Path(out)
    _check_target(folder, force=options.force)
    parts = _parts(history, options)
    total = sum(part.ticks for part in parts)
    tables = [table for table in TABLES if any(p.kind == KIND_OF_TABLE[table] for p in parts)]
    with _made_whole(folder, force=options.force) as temporary:
        with ExitStack() as stack:
            files = {table: stack.enter_context(_File(temporary, table)) for table in tables}
            done = 0
            for part in parts:
                for t in _written(history, part, options, files):
                    on_progress(part.kind, done + t - part.first_t + 1, total)
                done += part.ticks
        return [
            Exported(folder / path.name, files[path.stem].rows, path.stat().st_size)
            for path in (temporary / file_of(table) for table in tables)
        ]


def _parts(history: History, options: ExportOptions) -> list[_Part]:
    """Return what there is to export, in the order in which it is read."""
    kinds = EXPORTED_KINDS if options.kinds is None else tuple(map(_check_kind, options.kinds))
    runs = runs_asked_for(history, options.run)
    parts = [
        part for kind in kinds for run in runs if (part := _part(history, run, kind)) is not None
    ]
    missing = [kind for kind in kinds if all(part.kind != kind for part in parts)]
    if not parts or (missing and options.kinds is not None):
        raise ExportError(
            f"there are no {' and no '.join(missing)} to export{_elsewhere(history, runs, missing)}"
        )
    return [_clipped(part, options) for part in parts]


def _check_kind(kind: str) -> str:
    if kind not in EXPORTED_KINDS:
        names = ", ".join(EXPORTED_KINDS)
        raise UnknownSegmentError(f"kind must be one of {names}, got {kind!r}")
    return kind


def _elsewhere(history: History, runs: list[str], kinds: list[str]) -> str:
    """Say which is the latest of the other runs that has these kinds, if one has."""
    for run in reversed(history.runs()):
        if run.id not in runs and all(_part(history, run.id, kind) for kind in kinds):
            return f" in run {runs[0]}; run {run.id} has them"
    return ""


def _part(history: History, run: str, kind: str) -> _Part | None:
    try:
        entries = history.segments(kind, run)
    except UnknownSegmentError:
        return None  # the runs are known: it is the kind that was not recorded
    if not entries:
        return None
    return _Part(run, kind, min(e.start_t for e in entries), max(e.end_t for e in entries))


def _clipped(part: _Part, options: ExportOptions) -> _Part:
    first = part.first_t if options.from_t is None else max(part.first_t, options.from_t)
    last = part.last_t if options.to_t is None else min(part.last_t, options.to_t)
    return part._replace(first_t=first, last_t=max(last, first - 1))


def _written(
    history: History, part: _Part, options: ExportOptions, files: dict[str, _File]
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


class _File:
    """One table on its way to the disk, a row group a batch."""

    def __init__(self, folder: Path, table: str) -> None:
        from pyarrow import parquet  # noqa: PLC0415 - of the extra `arrow`

        self.rows = 0
        self._file = (folder / file_of(table)).open("xb")
        self._writer: Any = parquet.ParquetWriter(
            self._file, arrow_schema(table), compression="zstd", compression_level=_ZSTD_LEVEL
        )

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch, row_group_size=batch.num_rows)
        self.rows += batch.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            self._writer.close()
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())


def _check_target(folder: Path, *, force: bool) -> None:
    """Raise ExportTargetError where the folder may not be made."""
    if not folder.parent.is_dir():
        raise ExportTargetError(
            f"{folder.parent} must be a folder that is there, for {folder.name}"
        )
    if not os.path.lexists(folder):
        killed = _set_aside(folder)
        if killed and not force:
            raise ExportTargetError(
                f"{killed[0]} is an earlier export to {folder.name}, whose replacement was killed; "
                "rename or remove it, or use `force`"
            )
        return
    if not force:
        raise ExportTargetError(
            f"{folder} is there already; only `force` replaces an earlier export"
        )
    if not _is_export(folder):
        raise ExportTargetError(f"{folder} is no earlier export, and is not replaced")


@contextmanager
def _made_whole(folder: Path, *, force: bool) -> Iterator[Path]:
    """Yield a folder that gets its name at the end of the block, or is removed at an error."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    temporary.mkdir()
    try:
        yield temporary
        sync_folder(temporary)
        _check_target(folder, force=force)  # once more: much may have come there meanwhile
        _give_name(temporary, folder)
        sync_folder(folder.parent)
        for killed in _set_aside(folder):
            shutil.rmtree(killed, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _give_name(temporary: Path, folder: Path) -> None:
    """Have a folder take the place of an earlier one, which is there until the other is.

    What was done is told by what lies where, for an interrupt may come after any step.
    """
    old = folder.with_name(f".{folder.name}.{os.getpid()}{_OLD}")
    try:
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)  # fails where something with a content has come in between
    finally:
        if not temporary.exists():
            shutil.rmtree(old, ignore_errors=True)
        elif old.exists():
            _put_back(old, folder)


def _put_back(old: Path, folder: Path) -> None:
    try:
        old.rename(folder)
    except OSError as error:
        raise ExportError(
            f"{folder} could not be replaced, and the earlier export lies in {old}: "
            f"{error.strerror}"
        ) from error


def _set_aside(folder: Path) -> list[Path]:
    """Return earlier exports of this name that one was about to replace when it was killed."""
    name = re.compile(rf"\.{re.escape(folder.name)}\.[0-9]+{re.escape(_OLD)}")
    there = folder.parent.iterdir()
    return [path for path in there if name.fullmatch(path.name) and _is_export(path)]


def _is_export(path: Path) -> bool:
    ours = {file_of(table) for table in TABLES}
    return not path.is_symlink() and path.is_dir() and {p.name for p in path.iterdir()} <= ours
