"""Kernels of the columnar encoding: figures as whole millionths, ids as rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NO_ROW", "rows_of", "to_units"]

NO_ROW: Final = -1

_UNITS: Final = 1e6
_MOST_UNITS: Final = 4294967295.0  # of the largest whole type, uint32


@kernel
def to_units(values: NDArray[np.float64], units: NDArray[np.float64]) -> tuple[float, float, int]:
    """Write each figure as millionths; return the least, the greatest, and how many are NaN.

    A division of the units by 1e6 gives the figures exactly, to the sign of zero: dividing rounds
    correctly, and so did who rounded to 6 decimals. If a figure is none of at most 2**32 - 1 such
    units, (1.0, 0.0, 0) is returned, an empty range. NaN is written as 0.
    """
    least = greatest = 0.0
    nulls = 0
    for k in range(values.size):
        value = values[k]
        if math.isnan(value):
            nulls += 1
            units[k] = 0.0
            continue
        whole = np.rint(value * _UNITS)
        if (
            not abs(whole) <= _MOST_UNITS
            or whole / _UNITS != value
            or (value == 0.0 and math.copysign(1.0, value) < 0.0)
        ):
            return 1.0, 0.0, 0
        units[k] = whole
        least = min(least, whole)
        greatest = max(greatest, whole)
    return least, greatest, nulls


@kernel
def rows_of(agent_id: NDArray[np.int64], ids: NDArray[np.int64], rows: NDArray[np.int32]) -> int:
    """Write the row of each id among ascending distinct ids; return the first without one, or -1.

    Cost: O(1) an id where ids are nearly without holes, O(log n) where they are sparse.
    """
    for k in range(ids.size):
        row = row_of(agent_id, ids[k])
        if row == NO_ROW:
            return k
        rows[k] = row
    return -1


@kernel
def row_of(agent_id: NDArray[np.int64], wanted: int) -> int:
    """Return the row of an id, or -1."""
    high = agent_id.size - 1
    if high < 0 or wanted < agent_id[0] or wanted > agent_id[high]:
        return NO_ROW
    # Distinct whole numbers: row k holds agent_id[0] + k at least.
    furthest = wanted - agent_id[0]
    high = min(high, furthest)
    if agent_id[high] == wanted:
        return int(high)
    low = 0
    while low < high:
        middle = (low + high) // 2
        if agent_id[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return int(low) if agent_id[low] == wanted else NO_ROW
