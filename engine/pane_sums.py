"""The kernels of the panes: ticks to the sums of a pane, panes to the features of the nodes.

Both go over slots, a span at a time, in loops without branches, which LLVM vectorizes; a span's
sums stay in the first-level cache while the ticks, or the panes, pass by.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.jit import kernel
from marketcam.engine.rounding import bounded, round6

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COUNTS", "FIRST", "MATCHES", "SUMS", "merge_panes", "scratch", "sum_ticks"]

# Rows of a pane's float64 sums: mean and sum of squared deviations (M2) of the quoted prices, sum
# of the distances to the mid, first and last known experience.
_MEAN: Final = 0
_M2: Final = 1
_DISTANCE: Final = 2
FIRST: Final = 3
_LAST: Final = 4
SUMS: Final = 5
# Rows of a pane's int32 counts.
_BUYS: Final = 0
_SELLS: Final = 1
_DISTANCES: Final = 2
MATCHES: Final = 3
COUNTS: Final = 4

# Further rows of the sums while a block's prices are averaged.
_ORIGIN: Final = 5
_TOTAL: Final = 6
_QUOTES: Final = 7

_BUY: Final = 1
_SELL: Final = 2

_SPAN: Final = 256  # slots whose sums are made at once: 20 KiB


def scratch() -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return room for the sums and counts of a span, as the kernels take it."""
    return np.empty((_QUOTES + 1, _SPAN)), np.empty((COUNTS, _SPAN), dtype=np.int32)


@kernel
def sum_ticks(
    block: tuple[NDArray[np.float64], ...],
    size: int,
    used: int,
    pane: tuple[NDArray[np.float64], NDArray[np.int32]],
    room: tuple[NDArray[np.float64], NDArray[np.int32]],
) -> None:
    """Add the first `size` ticks of a block to a pane.

    `block` is price, side and experience by tick and slot, and mid by tick; `pane` is
    float64[5, capacity] and int32[4, capacity]; `room` is `scratch()`. A pane's matches are counted
    elsewhere.
    """
    prices, sides, experiences, mids = block
    sums, counts = room
    for begin in range(0, used, _SPAN):
        end = min(begin + _SPAN, used)
        n = end - begin
        clear(sums, counts, n)
        for row in range(size):
            add_side(sides[row, begin:end], _BUY, counts[_BUYS, :n])
            add_side(sides[row, begin:end], _SELL, counts[_SELLS, :n])
            add_experience(experiences[row, begin:end], sums[FIRST, :n], sums[_LAST, :n])
            add_prices(
                prices[row, begin:end], sums[_ORIGIN, :n], sums[_TOTAL, :n], sums[_QUOTES, :n]
            )
        average(sums[_ORIGIN, :n], sums[_TOTAL, :n], sums[_QUOTES, :n], sums[_MEAN, :n])
        for row in range(size):
            add_squares(prices[row, begin:end], sums[_MEAN, :n], sums[_M2, :n])
            if mids[row] == mids[row] and mids[row] != 0.0:  # noqa: PLR0124 - NaN: no mid
                add_distances(prices[row, begin:end], mids[row], sums[_DISTANCE, :n])
                add_quotes(sides[row, begin:end], counts[_DISTANCES, :n])
        merge_span((pane[0], pane[1], begin), (sums, counts, 0), n)


@kernel
def clear(sums: NDArray[np.float64], counts: NDArray[np.int32], n: int) -> None:
    """Begin the sums and counts of `n` slots."""
    for row in range(sums.shape[0]):
        sums[row, :n] = math.nan if row in (FIRST, _LAST) else 0.0
    for row in range(counts.shape[0]):
        counts[row, :n] = 0


@kernel
def add_side(side: NDArray[np.int8], wanted: int, count: NDArray[np.int32]) -> None:
    """Count who quotes on the `wanted` side."""
    for k in range(side.size):
        count[k] += np.int32(side[k] == wanted)


@kernel
def add_quotes(side: NDArray[np.int8], count: NDArray[np.int32]) -> None:
    """Count who quotes."""
    for k in range(side.size):
        count[k] += np.int32(side[k] != 0)


@kernel
def add_experience(
    experience: NDArray[np.float64], first: NDArray[np.float64], last: NDArray[np.float64]
) -> None:
    """Keep the first and the last experience that is known, not NaN."""
    for k in range(experience.size):
        known = experience[k]
        first[k] = known if math.isnan(first[k]) else first[k]
        last[k] = last[k] if math.isnan(known) else known


@kernel
def add_prices(
    price: NDArray[np.float64],
    origin: NDArray[np.float64],
    total: NDArray[np.float64],
    quotes: NDArray[np.float64],
) -> None:
    """Sum up the distances of the prices to an agent's first one, which is the origin."""
    for k in range(price.size):
        quoted = not math.isnan(price[k])
        origin[k] = price[k] if quoted and quotes[k] == 0.0 else origin[k]
        total[k] += price[k] - origin[k] if quoted else 0.0
        quotes[k] += 1.0 if quoted else 0.0


@kernel
def average(
    origin: NDArray[np.float64],
    total: NDArray[np.float64],
    quotes: NDArray[np.float64],
    mean: NDArray[np.float64],
) -> None:
    """Write the mean prices, 0 without any; of equal prices it is just that price."""
    for k in range(mean.size):
        mean[k] = origin[k] + total[k] / (quotes[k] if quotes[k] > 0.0 else 1.0)


@kernel
def add_squares(
    price: NDArray[np.float64], mean: NDArray[np.float64], m2: NDArray[np.float64]
) -> None:
    """Add the squared deviations from the mean."""
    for k in range(price.size):
        deviation = price[k] - mean[k]
        m2[k] += 0.0 if math.isnan(price[k]) else deviation * deviation


@kernel
def add_distances(price: NDArray[np.float64], mid: float, distance: NDArray[np.float64]) -> None:
    """Add the distances to the mid, as shares of it."""
    size = abs(mid)
    for k in range(price.size):
        share = abs(price[k] - mid) / size
        distance[k] += 0.0 if math.isnan(price[k]) else share


@kernel
def merge_span(
    mine: tuple[NDArray[np.float64], NDArray[np.int32], int],
    other: tuple[NDArray[np.float64], NDArray[np.int32], int],
    n: int,
) -> None:
    """Merge `n` slots' sums and counts, of ticks that come later, into those before them.

    Each side is sums, counts, and the column at which its slots begin.
    """
    sums, counts, at = mine
    more_sums, more_counts, begin = other
    merge_moments(
        (counts[_BUYS, at : at + n], counts[_SELLS, at : at + n]),
        (sums[_MEAN, at : at + n], sums[_M2, at : at + n]),
        (more_counts[_BUYS, begin : begin + n], more_counts[_SELLS, begin : begin + n]),
        (more_sums[_MEAN, begin : begin + n], more_sums[_M2, begin : begin + n]),
    )
    add_floats(sums[_DISTANCE, at : at + n], more_sums[_DISTANCE, begin : begin + n])
    merge_experience(
        (sums[FIRST, at : at + n], sums[_LAST, at : at + n]),
        (more_sums[FIRST, begin : begin + n], more_sums[_LAST, begin : begin + n]),
    )
    for row in range(COUNTS):
        add_integers(counts[row, at : at + n], more_counts[row, begin : begin + n])


@kernel
def merge_moments(
    counts: tuple[NDArray[np.int32], NDArray[np.int32]],
    moments: tuple[NDArray[np.float64], NDArray[np.float64]],
    more_counts: tuple[NDArray[np.int32], NDArray[np.int32]],
    more_moments: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Merge means and M2 by the pairwise formula.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", 1979. Where one side is empty, the other's figures are not touched by rounding.
    """
    buys, sells = counts
    mean, m2 = moments
    more_buys, more_sells = more_counts
    more_mean, more_m2 = more_moments
    for k in range(mean.size):
        n = float(buys[k] + sells[k])
        more = float(more_buys[k] + more_sells[k])
        total = n + more
        share = more / (total if total > 0.0 else 1.0)
        delta = more_mean[k] - mean[k]
        both = n > 0.0 and more > 0.0
        m2[k] += more_m2[k] + (delta * delta * share * n if both else 0.0)
        mean[k] += delta * share if more > 0.0 else 0.0


@kernel
def merge_experience(
    mine: tuple[NDArray[np.float64], NDArray[np.float64]],
    more: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Merge the first and the last known experience."""
    first, last = mine
    more_first, more_last = more
    for k in range(first.size):
        first[k] = more_first[k] if math.isnan(first[k]) else first[k]
        last[k] = last[k] if math.isnan(more_last[k]) else more_last[k]


@kernel
def add_floats(sums: NDArray[np.float64], more: NDArray[np.float64]) -> None:
    """Add what stands in the same places."""
    for k in range(sums.size):
        sums[k] += more[k]


@kernel
def add_integers(counts: NDArray[np.int32], more: NDArray[np.int32]) -> None:
    """Add what stands in the same places."""
    for k in range(counts.size):
        counts[k] += more[k]


@kernel
def merge_panes(
    panes: tuple[NDArray[np.float64], NDArray[np.int32]],
    oldest: int,
    window: int,
    rows: NDArray[np.int32],
    span: tuple[int, int],
    room: tuple[NDArray[np.float64], NDArray[np.int32]],
    nodes: tuple[NDArray[np.int32], NDArray[np.float64]],
) -> None:
    """Merge a ring of panes, from the `oldest` on and but for the last, into the nodes' features.

    `panes` is float64[panes, 5, capacity] and int32[panes, 4, capacity]; `rows` int32[capacity]
    the node of each slot, -1 for none; `span` the slots to go over; `nodes` the features, int32
    [5, nodes] and float64[7, nodes], in the order of `Nodes`, the dominant side with the integers.
    """
    all_sums, all_counts = panes
    sums, counts = room
    ring = all_sums.shape[0]
    first, last = span
    for begin in range(first, last, _SPAN):
        n = min(begin + _SPAN, last) - begin
        clear(sums, counts, n)
        for step in range(ring - 1):
            row = oldest + step
            row -= ring if row >= ring else 0
            merge_span((sums, counts, 0), (all_sums[row], all_counts[row], begin), n)
        for k in range(n):
            if rows[begin + k] >= 0:
                write_counts(counts, k, window, rows[begin + k], nodes[0])
                write_figures(sums, counts, k, window, rows[begin + k], nodes[1])


@kernel
def write_counts(
    counts: NDArray[np.int32], k: int, W: int, row: int, nodes: NDArray[np.int32]
) -> None:
    """Write the whole numbers of one node."""
    buys = counts[_BUYS, k]
    sells = counts[_SELLS, k]
    none = W - buys - sells
    nodes[0, row] = buys
    nodes[1, row] = sells
    nodes[2, row] = none
    nodes[3, row] = counts[MATCHES, k]
    if buys > 0 and buys >= sells and buys >= none:
        nodes[4, row] = _BUY
    elif sells > 0 and sells >= buys and sells >= none:
        nodes[4, row] = _SELL
    else:
        nodes[4, row] = 0


@kernel
def write_figures(
    sums: NDArray[np.float64],
    counts: NDArray[np.int32],
    k: int,
    W: int,
    row: int,
    nodes: NDArray[np.float64],
) -> None:
    """Write the rounded figures of one node."""
    quotes = counts[_BUYS, k] + counts[_SELLS, k]
    distances = counts[_DISTANCES, k]
    first = sums[FIRST, k]
    last = sums[_LAST, k]
    nodes[0, row] = round6(counts[MATCHES, k] / W)
    nodes[1, row] = round6(bounded(sums[_MEAN, k]))
    nodes[2, row] = round6(bounded(math.sqrt(sums[_M2, k] / quotes))) if quotes else 0.0
    nodes[3, row] = round6(bounded(sums[_DISTANCE, k] / distances)) if distances else 0.0
    nodes[4, row] = round6(first)
    nodes[5, row] = round6(last)
    nodes[6, row] = 0.0 if math.isnan(first) else round6(bounded(last - first))
