"""What an edge cap costs in substance: the edges a frame has kept beside all edges of its window.

The weights of all edges add up to something that is known without listing them: under `pairs`, to
the pairs of quotes within eps, summed over the ticks of the window; under `neighbors`, to the
neighbors within eps; for matches, to the trades between two agents, capped at W a pair. So the
share of the weight that was kept is exact for any number of agents.

How many edges there are, and what any other cap would keep, is read from a camera whose cap is
`Effort.all_edges`, or the point's own where that is larger. Where a window has more edges than
that, their number is at least what was listed, and the figures say so.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import chain
from math import floor
from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine import POOL, SlidingWindowCamera, TickError
from marketcam.server.profiling.film import MATCH, weights_of
from marketcam.server.profiling.ticks import open_supply

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from marketcam.engine import Frame, Tick
    from marketcam.server.profiling.points import Point

__all__ = ["CURVE_CAPS", "Whole", "close_neighbors", "close_pairs", "kept_weight", "wholes"]

CURVE_CAPS: Final = (
    *(1, 2, 3, 5, 7),
    *(digit * 10**power for power in range(8) for digit in (10, 15, 20, 30, 50, 70)),
)
"""Caps for which the kept weight is worked out beside the grid's."""

_BUY: Final = 1
_SELL: Final = 2


@dataclass(frozen=True, slots=True)
class Whole:
    """All edges of one window; weights are whole counts, `w` times W.

    Attributes:
        t: last tick of the window.
        edges: how many there are, or the listed ones where `cut`.
        cut: there are more edges than were listed.
        weight: sum of all weights, exact in either case.
        match_weight: sum of the weights of match edges, exact in either case.
        curve: what each of `CURVE_CAPS` would keep of `weight`; None for caps that reach beyond
            the listed edges.
    """

    t: int
    edges: int
    cut: bool
    weight: int
    match_weight: int
    curve: tuple[int | None, ...]


def wholes(point: Point, ts: Collection[int]) -> list[Whole]:
    """Film the ticks of a point once more and return all edges of the frames at the ticks `ts`.

    Raises:
        SourceError, LimitError: as `film`.
    """
    ceiling = max(point.effort.all_edges, point.edge_cap)  # never fewer than the frame has kept
    # All matches first: then the other edges that are listed are the best ones, whatever the cap.
    without_cap = replace(point, edge_cap=ceiling, match_share=1.0)
    camera, totals = SlidingWindowCamera(**without_cap.camera_arguments()), _Totals(point)
    wanted, found = set(ts), []
    with open_supply(point) as supply:
        for tick in chain.from_iterable(supply.blocks()):
            if not wanted:
                break
            try:
                camera.ingest_tick(tick)
            except TickError:
                continue  # refused in the timed run too, which has counted it
            totals.take(tick)
            if tick.t in wanted:
                wanted.remove(tick.t)
                frame = camera.maybe_frame(tick.t)
                assert frame is not None  # noqa: S101 - the timed run had a frame here
                found.append(_whole(frame, totals, point, ceiling))
    return found


def _whole(frame: Frame, totals: _Totals, point: Point, ceiling: int) -> Whole:
    weights = weights_of(frame.edges, point.W)
    is_match = frame.edges.kind == MATCH
    matches, others = weights[is_match], weights[~is_match]
    match_weight = totals.match_weight()
    weight = match_weight + totals.proximity_weight()
    cut = int(weights.sum()) < weight
    within = ceiling - matches.size if cut else CURVE_CAPS[-1]
    curve = tuple(
        kept_weight(matches, others, cap, point.match_share) if cap <= within else None
        for cap in CURVE_CAPS
    )
    return Whole(frame.t, len(frame.edges), cut, weight, match_weight, curve)


def kept_weight(
    matches: NDArray[np.int64], others: NDArray[np.int64], cap: int, match_share: float
) -> int:
    """Return the weight of the edges that a cap keeps; both lists descend.

    The rule is the contract's: a share of the cap is set aside for the best matches, the rest goes
    to the best of both types, and at equal weight a match goes first.
    """
    reserved = min(floor(cap * match_share + 1e-9), matches.size)
    left = min(cap, matches.size + others.size) - reserved
    rest = np.concatenate((matches[reserved:], others))
    best = np.argsort(-rest, kind="stable")[:left]  # which of equal weights does not matter here
    return int(matches[:reserved].sum() + rest[best].sum())


class _Totals:
    """What the weights of all edges of the window add up to."""

    def __init__(self, point: Point) -> None:
        self._W = point.W
        self._eps_pct = point.eps_pct
        self._close = close_pairs if point.proximity == "pairs" else close_neighbors
        self._counts: deque[int] = deque(maxlen=point.W)
        self._matches: deque[NDArray[np.int64]] = deque(maxlen=point.W)
        self._mid: float | None = None
        self._t: int | None = None

    def take(self, tick: Tick) -> None:
        """Take in a tick; one that skips numbers restarts the window."""
        if self._t is None or tick.t != self._t + 1:
            self._counts.clear()
            self._matches.clear()
        self._t = tick.t
        if tick.mid is not None:
            self._mid = tick.mid
        has_pairs = self._mid is not None and self._mid > 0
        self._counts.append(self._close(tick, self._eps_pct * self._mid) if has_pairs else 0)  # type: ignore[operator]
        self._matches.append(tick.matches[tick.matches[:, 1] != POOL])

    def proximity_weight(self) -> int:
        """Return the sum over the window's ticks; no pair can occur more than W times."""
        return sum(self._counts)

    def match_weight(self) -> int:
        """Return the sum over the window's pairs, each capped at W."""
        pairs = np.sort(np.concatenate(self._matches), axis=1)
        _, counts = np.unique(pairs, axis=0, return_counts=True)
        return int(np.minimum(counts, self._W).sum())


def close_pairs(tick: Tick, eps: float) -> int:
    """Return the number of pairs of quotes within `eps`, either side. Cost: O(N log N)."""
    price = np.sort(tick.price[tick.side != 0])
    if price.size == 0:
        return 0
    first = np.arange(price.size)
    last = np.searchsorted(price, price + eps, side="right") - 1
    # A sum is rounded, and the rule is about the difference: settle the prices at the border.
    for step in _settling(price, first, last, eps):
        last += step
    return int((last - first).sum())


def _settling(
    price: NDArray[np.float64], first: NDArray[np.int64], last: NDArray[np.int64], eps: float
) -> Iterator[NDArray[np.int64]]:
    """Yield the steps that move `last` to the last price within `eps` of the first."""
    while True:
        beyond = np.minimum(last + 1, price.size - 1)
        more = (last + 1 < price.size) & (price[beyond] - price[first] <= eps)
        less = price[last] - price[first] > eps
        if not (more.any() or less.any()):
            return
        yield more.astype(np.int64) - less


def close_neighbors(tick: Tick, eps: float) -> int:
    """Return how many quotes are within `eps` of the next on their side, by price."""
    found = 0
    for side in (_BUY, _SELL):
        price = np.sort(tick.price[tick.side == side])
        found += int((np.diff(price) <= eps).sum())
    return found
