"""Parquet and CSV files as batches of columns, in bounded memory.

Needs pyarrow, the extra `arrow`; who imports this has made sure of it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from marketcam.io.sources.endings import CSV_ENDINGS, PARQUET_ENDING
from marketcam.io.sources.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["TableFile"]

_BATCH_VALUES: Final = 2**16
"""Values of a column to a batch of Parquet, about; a row has as many as its longest list."""
_BLOCK_BYTES: Final = 2**20
"""Bytes of text to a batch of CSV, and of a file that are read ahead."""


class TableFile:
    """One table, to be read once.

    Attributes:
        name: what messages call it.
        types: the Arrow types of its columns, by name; CSV is all text, without spaces around it.
        rows: rows of the batches handed out so far.
        share: how much of it has been read, 0 to 1.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open it.

        Raises:
            SourceError: it does not exist, is no regular file, or is not of its format.
        """
        self.name = os.fspath(path)
        self.rows = 0
        self.share = 0.0
        self._path = Path(path)
        try:
            status = self._path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{self.name} must be a regular file: only JSON lines are piped")
            self._size = status.st_size
            schema = self._schema()
        except (OSError, pa.ArrowException) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise SourceError(f"ticks cannot be read from {self.name}: {reason}") from error
        text = None if self._is_parquet() else pa.string()
        names = [name.strip() for name in schema.names] if text else schema.names
        if repeated := {name for name in names if names.count(name) > 1}:
            raise SourceError(f"{self.name}: column {min(repeated)} stands twice")
        self._names = dict(zip(names, schema.names, strict=True))
        self.types: dict[str, Any] = {
            name: text or field.type for name, field in zip(names, schema, strict=True)
        }

    def batches(self, columns: list[str]) -> Generator[Any]:
        """Yield the rows in order, as record batches of these columns.

        Raises:
            SourceError: the file cannot be read on; names the last row.
        """
        batches = self._parquet(columns) if self._is_parquet() else self._csv(columns)
        try:
            for batch in batches:
                self.rows += batch.num_rows
                yield batch
        except (OSError, pa.ArrowException) as error:
            text = " ".join(str(error).split())
            raise SourceError(f"{self.name}: after row {self.rows}: {text}") from error

    def _is_parquet(self) -> bool:
        return self.name.lower().endswith(PARQUET_ENDING)

    def _schema(self) -> Any:
        if self._is_parquet():
            return pq.read_schema(self._path)
        with pa.OSFile(self.name) as file:
            return pa_csv.open_csv(self._decompressed(file), _read_options()).schema

    def _parquet(self, columns: list[str]) -> Iterator[Any]:
        # Unbuffered, a whole column of a row group would be read at once.
        with pq.ParquetFile(self._path, buffer_size=_BLOCK_BYTES, pre_buffer=False) as file:
            total = max(1, file.metadata.num_rows)
            rows = max(1, _BATCH_VALUES // _values_a_row(file.metadata))
            for batch in file.iter_batches(rows, columns=columns):
                self.share = min(1.0, (self.rows + batch.num_rows) / total)
                yield batch

    def _csv(self, columns: list[str]) -> Iterator[Any]:
        # All as text: what is not a number is then found cell by cell, and named.
        written = [self._names[name] for name in columns]
        options = pa_csv.ConvertOptions(
            include_columns=written,
            column_types=dict.fromkeys(written, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        )
        with pa.OSFile(self.name) as file:
            stream = self._decompressed(file)
            with pa_csv.open_csv(stream, _read_options(), convert_options=options) as reader:
                for batch in reader:
                    self.share = min(1.0, file.tell() / max(1, self._size))
                    trimmed = [_trimmed(column) for column in batch.columns]
                    yield pa.RecordBatch.from_arrays(trimmed, columns)

    def _decompressed(self, file: Any) -> Any:
        ending = max((e for e in CSV_ENDINGS if self.name.lower().endswith(e)), key=len)
        codec = CSV_ENDINGS[ending]
        return file if codec is None else pa.CompressedInputStream(file, codec)


def _read_options() -> Any:
    return pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)


def _trimmed(column: Any) -> Any:
    """Return texts without the spaces around them; what is nothing but spaces is null."""
    letters = np.frombuffer(column.buffers()[2] or b"", np.uint8)
    if not ((letters == ord(" ")) | (letters == ord("\t"))).any():
        return column  # to look for one takes a tenth of taking them away
    texts = pc.ascii_trim_whitespace(column)
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _values_a_row(metadata: Any) -> int:
    """Return how many values a row has on average in its longest column, at least 1."""
    totals: list[int] = [0] * metadata.num_columns
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            totals[column] += metadata.row_group(group).column(column).num_values
    rows: int = metadata.num_rows
    return max(1, max(totals, default=0) // max(1, rows))
