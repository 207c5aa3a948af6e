"""Folders of Parquet files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from marketcam.io.store.errors import StoreError
from marketcam.io.store.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

__all__ = [
    "ExportError",
    "ExportTargetError",
    "Exported",
    "ParquetFile",
    "ParquetFolder",
    "file_of",
]

_ZSTD_LEVEL: Final = 3
_OLD: Final = ".old"


class ExportError(StoreError):
    """A recording cannot be exported to where it was to go."""


class ExportTargetError(ExportError):
    """The folder to make is there, or cannot be."""


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


def file_of(table: str) -> str:
    """Return the name that a table's file has in an export."""
    return f"{table}.parquet"


class ParquetFile:
    """One table on its way to the disk, a row group a batch; zstd.

    Attributes:
        rows: how many were written.
        bytes: the size of the file, once it is closed.
    """

    def __init__(self, folder: Path, table: str, schema: pa.Schema) -> None:
        from pyarrow import parquet  # noqa: PLC0415 - of the extra `arrow`

        self.rows = 0
        self.bytes = 0
        self._file = (folder / file_of(table)).open("xb")
        self._writer: Any = parquet.ParquetWriter(
            self._file, schema, compression="zstd", compression_level=_ZSTD_LEVEL
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch."""
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
                self.bytes = self._file.tell()


@dataclass(frozen=True, slots=True)
class ParquetFolder:
    """A folder to make.

    Attributes:
        path: where.
        known: the tables that an earlier export of its kind may have; it is none with others.
        force: replace an earlier export.
    """

    path: Path
    known: tuple[str, ...]
    force: bool = False

    def check(self) -> None:
        """Look whether it may be made.

        Raises:
            ExportTargetError: it is there, and no export that `force` allows to replace, or its
                parent is not.
        """
        folder = self.path
        if not folder.parent.is_dir():
            raise ExportTargetError(
                f"{folder.parent} must be a folder that is there, for {folder.name}"
            )
        if not os.path.lexists(folder):
            killed = self._set_aside()
            if killed and not self.force:
                raise ExportTargetError(
                    f"{killed[0]} is an earlier export to {folder.name}, whose replacement was "
                    "killed; rename or remove it, or use `force`"
                )
            return
        if not self.force:
            raise ExportTargetError(
                f"{folder} is there already; only `force` replaces an earlier export"
            )
        if not self._is_export(folder):
            raise ExportTargetError(f"{folder} is no earlier export, and is not replaced")

    @contextmanager
    def files(self, schemas: Mapping[str, pa.Schema]) -> Iterator[dict[str, ParquetFile]]:
        """Yield a file for each table; the folder is there at the end of the block, or never.

        The files are written under another name beside it and are on the disk before they get
        theirs, all at once; whatever ends it before leaves nothing behind, and an earlier export as
        it was. Only a kill between two renames can leave that one as ``.NAME.PID.old``, which the
        next export tells of.

        Raises:
            ExportTargetError: as `check`; also at the end, where something has come meanwhile.
            ExportError: an earlier export could not be put back.
        """
        with self._made_whole() as temporary, ExitStack() as stack:
            yield {
                table: stack.enter_context(ParquetFile(temporary, table, schema))
                for table, schema in schemas.items()
            }

    def exported(self, files: Mapping[str, ParquetFile]) -> list[Exported]:
        """Return what has been made."""
        return [
            Exported(self.path / file_of(table), file.rows, file.bytes)
            for table, file in files.items()
        ]

    @contextmanager
    def _made_whole(self) -> Iterator[Path]:
        """Yield a folder that gets its name at the end of the block, or is removed at an error."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        temporary.mkdir()
        try:
            yield temporary
            sync_folder(temporary)
            self.check()  # once more: much may have come there meanwhile
            self._give_name(temporary)
            sync_folder(self.path.parent)
            for killed in self._set_aside():
                shutil.rmtree(killed, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _give_name(self, temporary: Path) -> None:
        """Have a folder take the place of an earlier one, which is there until the other is.

        What was done is told by what lies where, for an interrupt may come after any step.
        """
        folder = self.path
        old = folder.with_name(f".{folder.name}.{os.getpid()}{_OLD}")
        try:
            if folder.exists():
                folder.rename(old)
            temporary.rename(folder)  # fails where something with a content has come in between
        finally:
            if not temporary.exists():
                shutil.rmtree(old, ignore_errors=True)
            elif old.exists():
                self._put_back(old)

    def _put_back(self, old: Path) -> None:
        try:
            old.rename(self.path)
        except OSError as error:
            raise ExportError(
                f"{self.path} could not be replaced, and the earlier export lies in {old}: "
                f"{error.strerror}"
            ) from error

    def _set_aside(self) -> list[Path]:
        """Return earlier exports of this name that one was about to replace when it was killed."""
        name = re.compile(rf"\.{re.escape(self.path.name)}\.[0-9]+{re.escape(_OLD)}")
        there = self.path.parent.iterdir()
        return [path for path in there if name.fullmatch(path.name) and self._is_export(path)]

    def _is_export(self, path: Path) -> bool:
        ours = {file_of(table) for table in self.known}
        return not path.is_symlink() and path.is_dir() and {p.name for p in path.iterdir()} <= ours
