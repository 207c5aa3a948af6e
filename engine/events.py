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
        if not burst_scores(self._matches, first, self._scores):
            return self._events(t0, self._scores[:0], self._matches)
        ordered = np.roll(self._matches, -first)
        return self._events(t0, self._scores >= self._burst_z, ordered)

    def shocks(self, t0: int) -> Events:
        """Return the ticks whose log return lies `shock_z` standard deviations off the mean."""
        first = t0 % self._matches.size
        if not shock_scores(self._mids, first, self._values, self._scores):
            return self._events(t0, self._scores[:0], self._values)
        return self._events(t0, np.abs(self._scores) >= self._shock_z, self._values)

    def _events(
        self, t0: int, outstanding: NDArray[np.bool_], values: NDArray[np.float64 | np.int64]
    ) -> Events:
        at = np.flatnonzero(outstanding)
        return Events(
            t=t0 + at,
            value=np.array([_rounded(v) for v in values[at].tolist()], dtype=values.dtype),
            score=np.array([_rounded(s) for s in self._scores[at].tolist()], dtype=np.float64),
        )


def _rounded(value: float) -> float:
    return round(value, 6) + 0


@kernel
def standardize(values, scores):  # type: ignore[no-untyped-def]
    """Write (value - mean) / population std of the values that are not NaN; False if std is 0."""
    n = 0
    total = 0.0
    for value in values:
        if not math.isnan(value):
            n += 1
            total += value
    if n == 0:
        return False
    mean = total / n
    squares = 0.0
    for value in values:
        if not math.isnan(value):
            squares += (value - mean) * (value - mean)
    std = math.sqrt(squares / n)
    if std == 0.0:
        return False
    for k in range(values.size):
        scores[k] = (values[k] - mean) / std
    return True


@kernel
def burst_scores(matches, first, scores):  # type: ignore[no-untyped-def]
    """Standardize a ring of match counts that begins at place `first`, in order of time."""
    W = matches.size
    values = np.empty(W)
    for k in range(W):
        values[k] = matches[(first + k) % W]
    return standardize(values, scores)


@kernel
def log_ratio(a, b):  # type: ignore[no-untyped-def]
    """Return ln(a / b) of positive numbers, also where the quotient leaves the doubles."""
    quotient = a / b
    if 0.0 < quotient < math.inf:
        return math.log(quotient)
    return math.log(a) - math.log(b)


@kernel
def shock_scores(mids, first, returns, scores):  # type: ignore[no-untyped-def]
    """Standardize the log returns within a ring of mids; NaN where there is none."""
    W = mids.size
    returns[0] = math.nan
    previous = mids[first]
    for k in range(1, W):
        mid = mids[(first + k) % W]
        returns[k] = log_ratio(mid, previous) if mid > 0.0 and previous > 0.0 else math.nan
        previous = mid
    return standardize(returns, scores)
