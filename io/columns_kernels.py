"""Kernels of the columnar encoding: figures as whole millionths, and the range of whole numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["extent", "to_units"]

_UNITS: Final = 1e6
_MOST_FIGURE: Final = 4294.967295  # in units the largest uint32


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
        if abs(value) > _MOST_FIGURE:
            return 1.0, 0.0, 0
        whole = np.rint(value * _UNITS)
        negative_zero = value == 0.0 and math.copysign(1.0, value) < 0.0
        if whole / _UNITS != value or negative_zero:
            return 1.0, 0.0, 0
        units[k] = whole
        least = min(least, whole)
        greatest = max(greatest, whole)
    return least, greatest, nulls


@kernel
def extent(values: NDArray[Any]) -> tuple[int, int]:
    """Return the least and the greatest of whole numbers, 0 and 0 if there are none."""
    if values.size == 0:
        return 0, 0
    least = greatest = int(values[0])
    for k in range(values.size):
        value = int(values[k])
        least = min(least, value)
        greatest = max(greatest, value)
    return least, greatest
