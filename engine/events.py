"""Bursts of matches and shocks of the mid: the window's ticks that stand out from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine.frame import Events
from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EventWindow"]


_NO_TICKS = np.empty(0, dtype=np.int64)
_NO_SCORES = np.empty(0)
_NO_BURSTS = Events(_NO_TICKS, _NO_TICKS, _NO_SCORES)
_NO_SHOCKS = Events(_NO_TICKS, _NO_SCORES, _NO_SCORES)


class EventWindow:
    """Matches and mids of the last W ticks, one value a tick."""

    def __init__(self, W: int, burst_z: float, shock_z: float) -> None:
        self._burst_z = burst_z
        self._shock_z = shock_z
        self._matches = np.zeros(W, dtype=np.int64)
        self._mids = np.full(W, math.nan)
        self._scores = np.empty(W)
        self._values = np.empty(W)

    def add(self, t: int, matches_n: int, mid: float | None) -> None:
        """Take in tick `t`: its number of matches and its mid. Cost: O(1)."""
        place = t % self._matches.size
        self._matches[place] = matches_n
        self._mids[place] = math.nan if mid is None else mid

    def bursts(self, t0: int) -> Events:
        """Return the ticks whose matches lie `burst_z` standard deviations above the mean."""
        first = t0 % self._matches.size
        if burst_scores(self._matches, first, self._scores) < self._burst_z:
            return _NO_BURSTS
        outstanding = np.flatnonzero(self._scores >= self._burst_z)
        values = self._matches[(first + outstanding) % self._matches.size]
        return Events(t0 + outstanding, values, _rounded(self._scores[outstanding]))

    def shocks(self, t0: int) -> Events:
        """Return the ticks whose log return lies `shock_z` standard deviations off the mean."""
        first = t0 % self._mids.size
        if shock_scores(self._mids, first, self._values, self._scores) < self._shock_z:
            return _NO_SHOCKS
        outstanding = np.flatnonzero(np.abs(self._scores) >= self._shock_z)
        values = _rounded(self._values[outstanding])
        return Events(t0 + outstanding, values, _rounded(self._scores[outstanding]))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([round(value, 6) + 0.0 for value in values.tolist()], dtype=np.float64)


@kernel
def standardize(values: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """Write (value - mean) / population std of the values that are not NaN.

    Returns the greatest score in size, -1 where the std is 0: then there are no scores. Equal
    values have a std of 0 whatever rounding makes of their mean.
    """
    n = 0
    total = 0.0
    low = math.inf
    high = -math.inf
    for value in values:
        if not math.isnan(value):
            n += 1
            total += value
            low = min(low, value)
            high = max(high, value)
    if not low < high:
        return -1.0
    mean = total / n
    squares = 0.0
    for value in values:
        if not math.isnan(value):
            squares += (value - mean) * (value - mean)
    std = math.sqrt(squares / n)
    if std == 0.0:
        return -1.0
    for k in range(values.size):
        scores[k] = (values[k] - mean) / std
    return max((high - mean) / std, (mean - low) / std)


@kernel
def burst_scores(matches: NDArray[np.int64], first: int, scores: NDArray[np.float64]) -> float:
    """Standardize a ring of match counts that begins at place `first`, in order of time.

    Returns the greatest score, -1 where the std is 0. Value, mean and std are multiplied by W,
    and counted from the first value, which keeps them whole numbers up to the root: a score that is
    just at the threshold is found to be.
    """
    W = matches.size
    origin = matches[first]
    total = 0.0
    squares = 0.0
    for count in matches:
        total += count - origin
        squares += float(count - origin) * (count - origin)
    variance = W * squares - total * total
    if not variance > 0.0:
        return -1.0
    std = math.sqrt(variance)
    greatest = 0.0
    for k in range(W):
        scores[k] = (W * float(matches[(first + k) % W] - origin) - total) / std
        greatest = max(greatest, scores[k])
    return greatest


@kernel
def log_ratio(a: float, b: float) -> float:
    """Return ln(a / b) of positive numbers, also where the quotient leaves the doubles."""
    quotient = a / b
    if 0.0 < quotient < math.inf:
        return math.log(quotient)
    return math.log(a) - math.log(b)


@kernel
def shock_scores(
    mids: NDArray[np.float64], first: int, returns: NDArray[np.float64], scores: NDArray[np.float64]
) -> float:
    """Standardize the log returns within a ring of mids; NaN where there is none."""
    W = mids.size
    returns[0] = math.nan
    previous = mids[first]
    for k in range(1, W):
        mid = mids[(first + k) % W]
        returns[k] = log_ratio(mid, previous) if mid > 0.0 and previous > 0.0 else math.nan
        previous = mid
    return standardize(returns, scores)
