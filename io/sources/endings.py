"""How the names of tables end."""

from __future__ import annotations

from typing import Final

__all__ = ["CSV_ENDINGS", "PARQUET_ENDING", "TABLE_ENDINGS"]

PARQUET_ENDING: Final = ".parquet"
CSV_ENDINGS: Final = {".csv": None, ".csv.gz": "gzip", ".csv.zst": "zstd"}
"""Names of CSV files, and how they are compressed."""
TABLE_ENDINGS: Final = (PARQUET_ENDING, *CSV_ENDINGS)
