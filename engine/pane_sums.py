"""The kernels of the panes: ticks to the sums of a pane, panes to the features of the nodes.

They go over slots in loops without branches, which LLVM vectorizes, a span at a time, whose columns
stay in the first-level cache while the ticks, or the panes, pass by.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from marketcam.engine.jit import kernel
from marketcam.engine.rounding import bounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MATCHES",
    "Pane",
    "Span",
    "clear",
    "close_pane",
    "copy_span",
    "empty_panes",
    "merge_spans",
    "scratch",
    "sum_and_close",
    "sum_ticks",
    "write_nodes",
]

Pane: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.int32]]"
"""The sums and counts of some ticks: float64[5, capacity] and int32[4, capacity]."""

Span: TypeAlias = "tuple[int, int]"
"""The first of some slots, and the one behind the last."""

Ticks: TypeAlias = (
    "tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64], NDArray[np.float64]]"
)
"""Price, side and experience by tick and slot, and mid by tick, of a block."""

# Rows of a pane's float64 sums: mean and sum of squared deviations (M2) of the quoted prices, sum
# of the distances to the mid, first and last known experience.
_MEAN: Final = 0
_M2: Final = 1
_DISTANCE: Final = 2
_FIRST: Final = 3
_LAST: Final = 4
_SUMS: Final = 5
# Rows of a pane's int32 counts.
_BUYS: Final = 0
_SELLS: Final = 1
_DISTANCES: Final = 2
MATCHES: Final = 3
_COUNTS: Final = 4

_BUY: Final = 1
_SELL: Final = 2

_SPAN: Final = 256
"""Slots that are dealt with at once, so that their columns stay in the first-level cache."""


def empty_panes(many: int, capacity: int) -> Pane:
    """Return panes without ticks: float64[many, 5, capacity] and int32[many, 4, capacity]."""
    sums = np.zeros((many, _SUMS, capacity))
    sums[:, _FIRST:] = math.nan
    return sums, np.zeros((many, _COUNTS, capacity), dtype=np.int32)


def scratch() -> NDArray[np.float64]:
    """Return the scratch room that the kernels take."""
    return np.empty((3, _SPAN))


@kernel
def clear(sums: NDArray[np.float64], counts: NDArray[np.int32], begin: int, end: int) -> None:
    """Empty the slots of a span."""
    for row in range(_SUMS):
        sums[row, begin:end] = math.nan if row >= _FIRST else 0.0
    for row in range(_COUNTS):
        counts[row, begin:end] = 0


@kernel
def sum_ticks(
    block: Ticks,
    size: int,
    pane: Pane,
    span: Span,
    room: NDArray[np.float64],
) -> None:
    """Sum up the first `size` ticks of a block, for the slots of a span, in an empty pane.

    A pane's matches are counted elsewhere.
    """
    prices, sides, experiences, mids = block
    sums, counts = pane
    for begin in range(span[0], span[1], _SPAN):
        end = min(begin + _SPAN, span[1])
        origin = room[0, : end - begin]
        total = room[1, : end - begin]
        quotes = room[2, : end - begin]
        origin[:] = 0.0
        total[:] = 0.0
        quotes[:] = 0.0
        mean = sums[_MEAN, begin:end]
        for row in range(size):
            add_side(sides[row, begin:end], _BUY, counts[_BUYS, begin:end])
            add_side(sides[row, begin:end], _SELL, counts[_SELLS, begin:end])
            add_prices(prices[row, begin:end], origin, total, quotes)
            keep_first(sums[_FIRST, begin:end], experiences[row, begin:end])
            keep_last(sums[_LAST, begin:end], experiences[row, begin:end])
        average(origin, total, quotes, mean)
        for row in range(size):
            add_squares(prices[row, begin:end], mean, sums[_M2, begin:end])
            if mids[row] == mids[row] and mids[row] != 0.0:  # NaN: no mid
                add_distances(prices[row, begin:end], mids[row], sums[_DISTANCE, begin:end])
                add_quotes(sides[row, begin:end], counts[_DISTANCES, begin:end])


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
def merge(
    mine: Pane,
    other: Pane,
    span: Span,
    shares: NDArray[np.float64],
) -> None:
    """Merge the slots of a span of a pane with those of another, whose ticks come later.

    `shares` is scratch room for a span. Means and M2 are merged by the pairwise formula: Chan,
    Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
    1979. One loop a quantity: LLVM does not vectorize a loop over more arrays than it can tell
    apart cheaply.
    """
    sums, counts = mine
    more_sums, more_counts = other
    begin, end = span
    share = shares[: end - begin]
    mean = sums[_MEAN, begin:end]
    more_mean = more_sums[_MEAN, begin:end]
    buys = counts[_BUYS, begin:end]
    sells = counts[_SELLS, begin:end]
    share_of_quotes(
        buys, sells, more_counts[_BUYS, begin:end], more_counts[_SELLS, begin:end], share
    )
    merge_m2((buys, sells, mean, sums[_M2, begin:end]), more_mean, more_sums[_M2, begin:end], share)
    merge_means(mean, more_mean, share)
    add_floats(sums[_DISTANCE, begin:end], more_sums[_DISTANCE, begin:end])
    keep_first(sums[_FIRST, begin:end], more_sums[_FIRST, begin:end])
    keep_last(sums[_LAST, begin:end], more_sums[_LAST, begin:end])
    for row in range(_COUNTS):
        add_integers(counts[row, begin:end], more_counts[row, begin:end])


@kernel
def share_of_quotes(
    buys: NDArray[np.int32],
    sells: NDArray[np.int32],
    more_buys: NDArray[np.int32],
    more_sells: NDArray[np.int32],
    shares: NDArray[np.float64],
) -> None:
    """Write which share of all quotes the later ones are, 0 without any."""
    for k in range(shares.size):
        more = more_buys[k] + more_sells[k]
        total = buys[k] + sells[k] + more
        shares[k] = float(more) / float(total if total > 0 else 1)


@kernel
def merge_m2(
    mine: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]],
    more_mean: NDArray[np.float64],
    more_m2: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> None:
    """Merge the sums of squared deviations; `mine` is buys, sells, means and M2."""
    buys, sells, mean, m2 = mine
    for k in range(m2.size):
        n = buys[k] + sells[k]
        delta = more_mean[k] - mean[k]
        between = delta * delta * shares[k] * float(n)
        m2[k] += more_m2[k] + (between if n > 0 and shares[k] > 0.0 else 0.0)


@kernel
def merge_means(
    mean: NDArray[np.float64], more_mean: NDArray[np.float64], shares: NDArray[np.float64]
) -> None:
    """Merge the means."""
    for k in range(mean.size):
        step = (more_mean[k] - mean[k]) * shares[k]
        mean[k] += step if shares[k] > 0.0 else 0.0


@kernel
def keep_first(first: NDArray[np.float64], more: NDArray[np.float64]) -> None:
    """Keep the first value that is known."""
    for k in range(first.size):
        first[k] = more[k] if math.isnan(first[k]) else first[k]


@kernel
def keep_last(last: NDArray[np.float64], more: NDArray[np.float64]) -> None:
    """Keep the last value that is known."""
    for k in range(last.size):
        last[k] = last[k] if math.isnan(more[k]) else more[k]


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
def close_pane(
    panes: Pane,
    current: Pane,
    since: Pane,
    place: tuple[int, bool],
    span: Span,
    room: NDArray[np.float64],
) -> None:
    """Enter the current pane at its place in the round, and begin the next.

    `place` is its number in the round, and whether `since` is to begin with it. With the last pane
    of a round, all become the sums from them on to the round's end.
    """
    all_sums, all_counts = panes
    number, begins = place
    last = all_sums.shape[0] - 1
    for begin in range(span[0], span[1], _SPAN):
        part = begin, min(begin + _SPAN, span[1])
        copy_span(current, (all_sums[number], all_counts[number]), part)
        if begins:
            copy_span(current, since, part)
        else:
            merge(since, current, part, room[0])
        clear(current[0], current[1], part[0], part[1])
        if number == last:
            for row in range(last - 1, -1, -1):
                later = all_sums[row + 1], all_counts[row + 1]
                merge((all_sums[row], all_counts[row]), later, part, room[0])


@kernel
def merge_spans(
    mine: Pane,
    other: Pane,
    span: Span,
    room: NDArray[np.float64],
) -> None:
    """Merge a pane with one whose ticks come later, for the slots of a span of any size."""
    for begin in range(span[0], span[1], _SPAN):
        merge(mine, other, (begin, min(begin + _SPAN, span[1])), room[0])


@kernel
def sum_and_close(
    ticks: tuple[Ticks, int, int],
    panes: Pane,
    current: Pane,
    since: Pane,
    place: tuple[int, bool],
    span: Span,
    room: NDArray[np.float64],
) -> None:
    """Do what `sum_ticks` and then `close_pane` do, for a pane of just one block.

    `ticks` are the arrays of the block, how many there are, and the slots in use.
    """
    block, size, used = ticks
    sum_ticks(block, size, current, (span[0], min(span[1], used)), room)
    close_pane(panes, current, since, place, span, room)


@kernel
def copy_span(
    source: Pane,
    target: Pane,
    span: Span,
) -> None:
    """Copy the slots of a span from pane to pane."""
    begin, end = span
    for row in range(_SUMS):
        target[0][row, begin:end] = source[0][row, begin:end]
    for row in range(_COUNTS):
        target[1][row, begin:end] = source[1][row, begin:end]


@kernel
def write_nodes(
    window: tuple[Pane, Pane, Pane, bool],
    W: int,
    rows: NDArray[np.int32],
    span: Span,
    room: NDArray[np.float64],
    nodes: tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int8]],
) -> None:
    """Write the features of the nodes whose slots lie in a span, figures not rounded yet.

    `window` is the pane of the ticks up to the round's end, the pane of those since, a pane to
    merge them in, and whether there are ticks since only; `rows` int32[capacity] is the node of
    each slot, -1 for none; `nodes` are the features in the order of `Nodes`: int32[4, nodes],
    float64[7, nodes] and int8[nodes].
    """
    until, since, merged, alone = window
    for begin in range(span[0], span[1], _SPAN):
        part = begin, min(begin + _SPAN, span[1])
        copy_span(since if alone else until, merged, part)
        if not alone:
            merge(merged, since, part, room[0])
        for slot in range(part[0], part[1]):
            if rows[slot] >= 0:
                write_counts(merged[1], slot, W, rows[slot], (nodes[0], nodes[2]))
                write_figures(merged[0], merged[1], slot, W, rows[slot], nodes[1])


@kernel
def write_counts(
    counts: NDArray[np.int32],
    slot: int,
    W: int,
    row: int,
    nodes: tuple[NDArray[np.int32], NDArray[np.int8]],
) -> None:
    """Write the whole numbers of one node, and its dominant side."""
    integers, dominant = nodes
    buys = counts[_BUYS, slot]
    sells = counts[_SELLS, slot]
    none = W - buys - sells
    integers[0, row] = buys
    integers[1, row] = sells
    integers[2, row] = none
    integers[3, row] = counts[MATCHES, slot]
    if buys > 0 and buys >= sells and buys >= none:
        dominant[row] = _BUY
    elif sells > 0 and sells >= buys and sells >= none:
        dominant[row] = _SELL
    else:
        dominant[row] = 0


@kernel
def write_figures(
    sums: NDArray[np.float64],
    counts: NDArray[np.int32],
    slot: int,
    W: int,
    row: int,
    nodes: NDArray[np.float64],
) -> None:
    """Write the figures of one node, not rounded yet."""
    quotes = counts[_BUYS, slot] + counts[_SELLS, slot]
    distances = counts[_DISTANCES, slot]
    first = sums[_FIRST, slot]
    last = sums[_LAST, slot]
    nodes[0, row] = counts[MATCHES, slot] / W
    nodes[1, row] = bounded(sums[_MEAN, slot])
    nodes[2, row] = bounded(math.sqrt(sums[_M2, slot] / quotes)) if quotes else 0.0
    nodes[3, row] = bounded(sums[_DISTANCE, slot] / distances) if distances else 0.0
    nodes[4, row] = first
    nodes[5, row] = last
    nodes[6, row] = 0.0 if math.isnan(first) else bounded(last - first)
