"""What a frame as columns is made of: the names, types and errors that both directions share.

The layout is described in docs/columns.md.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from marketcam.engine import EDGE_TYPES, MarketCameraError
from marketcam.engine.tick import SIDES

__all__ = [
    "ALIGNMENT",
    "COUNTS",
    "DTYPES",
    "EDGE_VALUES",
    "FIGURES",
    "MAGIC",
    "PREFIX_BYTES",
    "SIDE_VALUES",
    "UNITS",
    "VERSION",
    "WHOLE",
    "ColumnsError",
]

MAGIC: Final = b"MCC"
VERSION: Final = 1
PREFIX_BYTES: Final = 8
"""Magic, version, and the length of the header, uint32."""
ALIGNMENT: Final = 8

UNITS: Final = 1_000_000
"""Units to 1.0: figures are rounded to 6 decimals, so they are whole millionths."""

WHOLE: Final = ("uint8", "int8", "uint16", "int16", "uint32", "int32")
DTYPES: Final = {name: np.dtype(name).newbyteorder("<") for name in (*WHOLE, "float64")}
"""Types of a column by name, little-endian."""

COUNTS: Final = ("buy_count", "sell_count", "none_count", "match_count")
FIGURES: Final = (
    "match_rate",
    "quote_price_mean",
    "quote_price_std",
    "quote_dist_to_mid_mean",
    "experience_start",
    "experience_end",
    "experience_delta",
)
SIDE_VALUES: Final = list(SIDES)
EDGE_VALUES: Final = list(EDGE_TYPES)


class ColumnsError(MarketCameraError, ValueError):
    """A message is no frame as columns: cut short, of another form or version, or damaged."""
