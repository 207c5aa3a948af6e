"""Figures as they are published: rounded to 6 decimals, within the doubles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bounded", "round_all"]

_GREATEST: Final = 1.7976931348623157e308
_SPLIT: Final = 134217729.0  # 2**27 + 1
_EXACT_FROM: Final = 2.0**33
"""Doubles this large lie further apart than 1e-6: rounding to 6 decimals returns them as is."""


@kernel
def bounded(x: float) -> float:
    """Return the largest double in place of what has left the doubles: JSON has no infinity."""
    if math.isnan(x):
        return _GREATEST
    return min(max(x, -_GREATEST), _GREATEST)


@kernel
def round_all(values: NDArray[np.float64]) -> None:
    """Round to 6 decimals in place, as Python's ``round(x, 6)`` does, with -0.0 turned into 0.0.

    The product with 1e6 is taken without error, as a sum of two doubles (Dekker, "A
    floating-point technique for extending the available precision", 1971), so that ties and
    near-ties fall as they do in exact decimal arithmetic. NaN stays. There are no branches, so that
    LLVM vectorizes the loop: number by number, with branches, it took ten times as long.
    """
    for k in range(values.size):
        x = values[k]
        product = x * 1e6
        split = x * _SPLIT
        high = split - (split - x)
        error = (high * 1e6 - product) + (x - high) * 1e6
        nearest = np.rint(product)
        rest = product - nearest
        odd = np.rint(nearest * 0.5) != nearest * 0.5
        up = (rest == 0.5 and error > 0.0) or (rest == 0.0 and error == 0.5 and odd)
        down = (rest == -0.5 and error < 0.0) or (rest == 0.0 and error == -0.5 and odd)
        nearest += 1.0 if up else (-1.0 if down else 0.0)
        values[k] = nearest / 1e6 + 0.0 if abs(x) < _EXACT_FROM else x
