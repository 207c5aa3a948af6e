"""Windowed sums that neither drift nor remember: panes, merged in order at each frame.

Adding what enters a window and subtracting what leaves it drifts, and what has drifted depends
on history. Instead, ticks are summed in *panes*, stretches of time that begin and end where
frames' windows begin and end, so that every window is a whole number of panes. With
``r = W % stride``, a stride is cut into a pane of ``stride - r`` ticks and one of ``r`` ticks
(*paired windows*: Krishnamurthy, Wu and Franklin, "On-the-fly sharing for streamed
aggregation", SIGMOD 2006). A frame merges the panes of its window from the oldest to the newest;
nothing is ever subtracted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.frame import Nodes
from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine.quotes import Quotes

__all__ = ["PaneClock", "Panes"]

# Columns of a pane's float64 sums: mean and sum of squared deviations (M2) of the quoted
# prices, sum of the distances to the mid, first and last known experience.
_MEAN: Final = 0
_M2: Final = 1
_DISTANCE: Final = 2
_FIRST: Final = 3
_LAST: Final = 4
# Columns of a pane's int32 counts.
_BUYS: Final = 0
_SELLS: Final = 1
_DISTANCES: Final = 2
_MATCHES: Final = 3

_BUY: Final = 1
_GREATEST: Final = 1.7976931348623157e308
_EXACT_FROM: Final = 2.0**33
"""Doubles this large lie further apart than 1e-6: rounding to 6 decimals returns them as is."""


class PaneClock:
    """Which pane a tick falls into, and how many panes make a window."""

    def __init__(self, W: int, stride: int) -> None:
        self._stride = stride
        self._tail = W % stride
        strides = W // stride
        self.per_window = 2 * strides + 1 if self._tail else strides

    def pane(self, t: int) -> int:
        """Return the number of the pane of tick `t`; consecutive panes differ by one."""
        period, position = divmod(t - 1, self._stride)
        if not self._tail:
            return period
        return 2 * period + (position >= self._stride - self._tail)


class Panes:
    """Per-agent sums and counts of the last panes, one row a slot.

    Memory: 56 bytes a slot and pane, ``W / stride`` panes, twice that where stride does not
    divide W.
    """

    def __init__(self, W: int, stride: int) -> None:
        self._W = W
        self._clock = PaneClock(W, stride)
        self._pane: int | None = None
        self._row = 0
        self._allocate(0)

    def clear(self) -> None:
        """Forget the current pane; the others are overwritten before a frame reads them."""
        self._pane = None

    def make_room(self, capacity: int) -> None:
        """Make room for `capacity` slots."""
        sums, counts = self._sums, self._counts
        old = sums.shape[1]
        if capacity > old:
            self._allocate(capacity)
            self._sums[:, :old] = sums
            self._counts[:, :old] = counts

    def add(
        self,
        t: int,
        quotes: Quotes,
        experience: NDArray[np.float64],
        pairs: NDArray[np.int32],
    ) -> None:
        """Add tick `t`: quotes and experiences of length N, matches as int32[M, 2] slots.

        Cost: O(N + M).
        """
        pane = self._clock.pane(t)
        if pane != self._pane:
            self._open(pane)
        sums, counts = self._sums[self._row], self._counts[self._row]
        mid = math.nan if not quotes.mid else quotes.mid
        add_tick(
            quotes.slots, experience, quotes.side, quotes.price, mid, pairs, (sums, counts)
        )  # fmt: skip

    def nodes(self, slots: NDArray[np.int64], agent_id: NDArray[np.int64]) -> Nodes:
        """Merge the window's panes into the nodes of the agents that hold `slots`.

        Cost: O(panes x n).
        """
        n = slots.size
        integers = np.empty((5, n), dtype=np.int32)
        floats = np.empty((7, n))
        oldest = (self._row + 1) % self._clock.per_window
        merge_panes(slots, self._W, oldest, self._sums, self._counts, integers, floats)
        features: list[NDArray[Any]] = [*integers[:4], *floats, integers[4].astype(np.int8)]
        return Nodes(agent_id, *features)

    def _open(self, pane: int) -> None:
        self._pane = pane
        self._row = pane % self._clock.per_window
        self._sums[self._row, :, :_FIRST] = 0.0
        self._sums[self._row, :, _FIRST:] = math.nan
        self._counts[self._row] = 0

    def _allocate(self, capacity: int) -> None:
        panes = self._clock.per_window
        self._sums = np.zeros((panes, capacity, 5))
        self._sums[:, :, _FIRST:] = math.nan
        self._counts = np.zeros((panes, capacity, 4), dtype=np.int32)


@kernel
def add_tick(
    slots: NDArray[np.int32],
    experience: NDArray[np.float64],
    side: NDArray[np.int8],
    price: NDArray[np.float64],
    mid: float,
    pairs: NDArray[np.int32],
    pane: tuple[NDArray[np.float64], NDArray[np.int32]],
) -> None:
    """Add one tick to a pane; `mid` is NaN where distances do not count.

    A match counts for both agents, a fill by the pool (-1) for one.
    """
    sums, counts = pane
    for k in range(pairs.shape[0]):
        counts[pairs[k, 0], _MATCHES] += 1
        if pairs[k, 1] >= 0:
            counts[pairs[k, 1], _MATCHES] += 1
    for k in range(slots.size):
        mine = sums[slots[k]]
        known = experience[k]
        if not math.isnan(known):
            if math.isnan(mine[_FIRST]):
                mine[_FIRST] = known
            mine[_LAST] = known
        if side[k] == 0:
            continue
        count = counts[slots[k]]
        count[_BUYS if side[k] == _BUY else _SELLS] += 1
        # Welford's update, exact for equal prices.
        delta = price[k] - mine[_MEAN]
        mine[_MEAN] += delta / (count[_BUYS] + count[_SELLS])
        mine[_M2] += delta * (price[k] - mine[_MEAN])
        if not math.isnan(mid):
            mine[_DISTANCE] += abs(price[k] - mid) / abs(mid)
            count[_DISTANCES] += 1


@kernel
def round6(x: float) -> float:
    """Round to 6 decimals as Python's ``round(x, 6)`` does, with -0.0 turned into 0.0.

    The product with 1e6 is taken without error, as a sum of two doubles (Dekker, "A
    floating-point technique for extending the available precision", 1971), so that ties and
    near-ties fall as they do in exact decimal arithmetic.
    """
    if not abs(x) < _EXACT_FROM:
        return x
    product = x * 1e6
    split = x * 134217729.0
    high = split - (split - x)
    error = (high * 1e6 - product) + (x - high) * 1e6
    nearest = np.rint(product)
    rest = product - nearest
    odd = nearest % 2.0 != 0.0
    if (rest == 0.5 and error > 0.0) or (rest == 0.0 and error == 0.5 and odd):
        nearest += 1.0
    elif (rest == -0.5 and error < 0.0) or (rest == 0.0 and error == -0.5 and odd):
        nearest -= 1.0
    return float(nearest / 1e6 + 0.0)


@kernel
def bounded(x: float) -> float:
    """Return the largest double in place of what has left the doubles: JSON has no infinity."""
    if math.isnan(x):
        return _GREATEST
    return min(max(x, -_GREATEST), _GREATEST)


@kernel
def merge_panes(
    slots: NDArray[np.int64],
    W: int,
    oldest: int,
    sums: NDArray[np.float64],
    counts: NDArray[np.int32],
    integers: NDArray[np.int32],
    floats: NDArray[np.float64],
) -> None:
    """Fill the node columns, merging means and M2 by the pairwise formula.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", 1979.
    """
    panes = sums.shape[0]
    for k in range(slots.size):
        slot = slots[k]
        buys = sells = matches = distances = 0
        mean = m2 = distance = 0.0
        first = last = math.nan
        for step in range(panes):
            row = oldest + step
            row -= panes if row >= panes else 0
            count = counts[row, slot]
            matches += count[_MATCHES]
            pane = sums[row, slot]
            if not math.isnan(pane[_LAST]):
                if math.isnan(first):
                    first = pane[_FIRST]
                last = pane[_LAST]
            n_pane = count[_BUYS] + count[_SELLS]
            if n_pane == 0:
                continue
            n_before = buys + sells
            if n_before == 0:
                mean = pane[_MEAN]
                m2 = pane[_M2]
            else:
                delta = pane[_MEAN] - mean
                share = n_pane / (n_before + n_pane)
                mean += delta * share
                m2 += pane[_M2] + delta * delta * share * n_before
            distance += pane[_DISTANCE]
            distances += count[_DISTANCES]
            buys += count[_BUYS]
            sells += count[_SELLS]
        quotes = buys + sells
        integers[0, k] = buys
        integers[1, k] = sells
        integers[2, k] = W - quotes
        integers[3, k] = matches
        floats[0, k] = round6(matches / W)
        floats[1, k] = round6(bounded(mean))
        floats[2, k] = round6(bounded(math.sqrt(m2 / quotes))) if quotes else 0.0
        floats[3, k] = round6(bounded(distance / distances)) if distances else 0.0
        floats[4, k] = round6(first)
        floats[5, k] = round6(last)
        floats[6, k] = 0.0 if math.isnan(first) else round6(bounded(last - first))
        none = W - quotes
        if buys > 0 and buys >= sells and buys >= none:
            integers[4, k] = 1
        elif sells > 0 and sells >= buys and sells >= none:
            integers[4, k] = 2
        else:
            integers[4, k] = 0
