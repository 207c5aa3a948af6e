"""Results as files: CSV, or Parquet by pyarrow."""

from __future__ import annotations

import csv
import os
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from marketcam.server.profiling.columns import COLUMNS, row_of
from marketcam.server.variables import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from marketcam.server.profiling.journal import Result

__all__ = ["check_output", "check_table", "needs", "replacing", "write_table"]

_FORMATS: Final = (".csv", ".parquet")


def needs(option: str, path: Path, module: str) -> None:
    """Stop the start where a library of the extra `profile` is missing.

    Raises:
        SettingsError: it is; says how to get it.
    """
    if find_spec(module) is None:
        raise SettingsError(
            [f"{option} {path} needs {module}, which is not here: pip install 'marketcam[profile]'"]
        )


def check_output(option: str, path: Path) -> None:
    """Stop the start where a file could not be written at the end.

    Raises:
        SettingsError: its folder is not there or may not be written, or it is itself a folder.
    """
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise SettingsError(
            [f"{option} must be a file in a folder that can be written, got {path}"]
        )


def check_table(option: str, path: Path) -> None:
    """Stop the start where `write_table` would fail.

    Raises:
        SettingsError: another format than CSV or Parquet, no pyarrow, or no place for the file.
    """
    if path.suffix not in _FORMATS:
        raise SettingsError([f"{option} must end in {' or '.join(_FORMATS)}, got {path}"])
    if path.suffix == ".parquet":
        needs(option, path, "pyarrow")
    check_output(option, path)


def write_table(path: Path, results: Sequence[Result], conditions: Mapping[str, str]) -> None:
    """Write a row for each result; the file at `path` is replaced whole, or stays as it was.

    Parquet carries units and meanings at its columns, and the conditions at the schema.
    """
    rows = [row_of(result) for result in results]
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            _write_csv(temporary, rows)
        else:
            _write_parquet(temporary, rows, conditions)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` that takes its place at the end, or is removed at an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [one.name for one in COLUMNS], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_parquet(
    path: Path, rows: Sequence[Mapping[str, object]], conditions: Mapping[str, str]
) -> None:
    import pyarrow as pa  # noqa: PLC0415 - of the extra `profile`
    from pyarrow import parquet  # noqa: PLC0415 - as above

    types = {
        "text": pa.string(),
        "whole": pa.int64(),
        "number": pa.float64(),
        "yes_no": pa.bool_(),
    }
    fields = [
        pa.field(c.name, types[c.kind], metadata={"unit": c.unit, "meaning": c.meaning})
        for c in COLUMNS
    ]
    schema = pa.schema(fields, metadata=dict(conditions))
    parquet.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")
