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
    """Matches and log returns of the last W ticks, one value a tick.

    Attributes:
        matches: int64[W], by ``t % W``.
        returns: float64[W], likewise; NaN for a tick without a mid above 0, or after one.
    """

    def __init__(self, W: int, burst_z: float, shock_z: float) -> None:
        self._burst_z = burst_z
        self._shock_z = shock_z
        self.matches = np.zeros(W, dtype=np.int64)
        self.returns = np.full(W, math.nan)
        self._scores = np.empty(W)

    def outstanding(self, t0: int) -> tuple[Events, Events]:
        """Return the bursts and the shocks of the window that begins at `t0`.

        Bursts are ticks whose matches lie `burst_z` standard deviations above the mean, shocks
        those whose log return lies `shock_z` off it. Cost: O(W).
        """
        first = t0 % self.matches.size
        burst, shock = greatest_scores(self.matches, self.returns, first)
        bursts = self._bursts(t0) if burst >= self._burst_z else _NO_BURSTS
        shocks = self._shocks(t0) if shock >= self._shock_z else _NO_SHOCKS
        return bursts, shocks

    def _bursts(self, t0: int) -> Events:
        W = self.matches.size
        burst_scores(self.matches, t0 % W, self._scores)
        ticks = np.flatnonzero(self._scores >= self._burst_z)
        values = self.matches[(t0 + ticks) % W]
        return Events(t0 + ticks, values, _rounded(self._scores[ticks]))

    def _shocks(self, t0: int) -> Events:
        W = self.returns.size
        shock_scores(self.returns, t0 % W, self._scores)
        ticks = np.flatnonzero(np.abs(self._scores) >= self._shock_z)
        values = self.returns[(t0 + ticks) % W]
        return Events(t0 + ticks, _rounded(values), _rounded(self._scores[ticks]))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([round(value, 6) + 0.0 for value in values.tolist()], dtype=np.float64)


@kernel
def greatest_scores(
    matches: NDArray[np.int64], returns: NDArray[np.float64], first: int
) -> tuple[float, float]:
    """Return the greatest score of the matches, and the greatest of the returns in size.

    Both are rings that begin at place `first`; -1 where the standard deviation is 0.
    """
    burst = shock = -1.0
    total, std = burst_moments(matches, first)
    if std > 0.0:
        most = matches[first]
        for k in range(matches.size):
            most = matches[k] if matches[k] > most else most
        burst = burst_score(most, matches, first, total, std)
    mean, std, low, high = shock_moments(returns, first)
    if std > 0.0:
        shock = max((high - mean) / std, (mean - low) / std)
    return burst, shock


@kernel
def burst_moments(matches: NDArray[np.int64], first: int) -> tuple[float, float]:
    """Return W times the mean and the population std of a ring of match counts.

    Counted from the first value, both are whole numbers up to the root: a score that is just at
    the threshold is found to be.
    """
    origin = matches[first]
    total = np.int64(0)
    squares = 0.0
    for k in range(matches.size):
        total += matches[k] - origin
        squares += float(matches[k] - origin) * float(matches[k] - origin)
    variance = matches.size * squares - float(total) * float(total)
    return float(total), math.sqrt(variance) if variance > 0.0 else 0.0


@kernel
def burst_score(
    count: int, matches: NDArray[np.int64], first: int, total: float, std: float
) -> float:
    """Return the score of a match count, from `burst_moments`."""
    return (matches.size * float(count - matches[first]) - total) / std


@kernel
def burst_scores(matches: NDArray[np.int64], first: int, scores: NDArray[np.float64]) -> None:
    """Write the scores of a ring of match counts, in order of time; their std is not 0."""
    total, std = burst_moments(matches, first)
    for k in range(matches.size):
        scores[k] = burst_score(matches[(first + k) % matches.size], matches, first, total, std)


@kernel
def log_ratio(a: float, b: float) -> float:
    """Return ln(a / b) of positive numbers, also where the quotient leaves the doubles."""
    quotient = a / b
    if 0.0 < quotient < math.inf:
        return math.log(quotient)
    return math.log(a) - math.log(b)


@kernel
def shock_moments(returns: NDArray[np.float64], first: int) -> tuple[float, float, float, float]:
    """Return mean, population std, least and greatest of the log returns within a window.

    `returns` is a ring that begins at place `first`. That tick's own return does not count: the
    tick before it is not in the window. Of equal returns the std is 0, whatever rounding makes of
    their mean.
    """
    n = 0
    total = 0.0
    low = math.inf
    high = -math.inf
    W = returns.size
    for k in range(1, W):
        at = first + k - W if first + k >= W else first + k
        value = returns[at]
        if not math.isnan(value):
            n += 1
            total += value
            low = value if value < low else low
            high = value if value > high else high
    if not low < high:
        return 0.0, 0.0, low, high
    mean = total / n
    squares = 0.0
    for k in range(1, W):
        at = first + k - W if first + k >= W else first + k
        value = returns[at]
        if not math.isnan(value):
            squares += (value - mean) * (value - mean)
    return mean, math.sqrt(squares / n), low, high


@kernel
def shock_scores(returns: NDArray[np.float64], first: int, scores: NDArray[np.float64]) -> None:
    """Write the scores of the log returns, in order of time, NaN where there is none."""
    mean, std, _, _ = shock_moments(returns, first)
    scores[0] = math.nan
    for k in range(1, returns.size):
        scores[k] = (returns[(first + k) % returns.size] - mean) / std
