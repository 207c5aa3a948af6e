"""The arithmetic of the ecology, for every agent, over preallocated arrays.

A tick is `quote`, `gather` and a partition for the median, `trade_at_desks`, `cross`, the market
kernels' `list_fills` and `pair`, and `learn`. The rows of all arrays are agents in the same order.

Prices and experiences come from +, -, * and / alone, so that a seed gives the same ticks on every
machine. Chartism comes from an exponential, and is only compared with draws.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from marketcam.engine.ecology_rules import CHARTIST, FUNDAMENTALIST, MAKER
from marketcam.engine.jit import kernel
from marketcam.engine.market_kernels import BUY, SELL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BALANCE",
    "CHARTISTS",
    "CHARTIST_REACH",
    "FUNDAMENTALISTS",
    "FUNDAMENTALIST_REACH",
    "GAP",
    "MAKER_REACH",
    "NOISE_REACH",
    "NOISE_TRADERS",
    "PATIENCE",
    "PRICE",
    "TERMS",
    "TURN",
    "cross",
    "gather",
    "learn",
    "quote",
    "trade_at_desks",
]

PRICE: Final = 0
GAP: Final = 1
BALANCE: Final = 2
FUNDAMENTALISTS: Final = 3
CHARTISTS: Final = 4
NOISE_TRADERS: Final = 5
PATIENCE: Final = 6
MAKER_REACH: Final = 7
FUNDAMENTALIST_REACH: Final = 8
CHARTIST_REACH: Final = 9
NOISE_REACH: Final = 10
TURN: Final = 11
TERMS: Final = 12
"""Places in the `terms` vector, on which agents quote in a tick, and their number."""


@kernel
def quote(
    terms: NDArray[np.float64],
    group: NDArray[np.int8],
    trait: NDArray[np.float64],
    draws: NDArray[np.float64],
    side: NDArray[np.int8],
    price: NDArray[np.float64],
) -> None:
    """Let every agent quote, or not.

    `terms` float64[12]; `group` int8[n]; `trait` float64[n], as `traits_of` gives it; `draws`
    float64[≥ 2n], uniform in 0..1: n for whether and on which side, n for how far. Written: `side`
    int8[n], `price` float64[n], NaN where there is no quote. Cost: 5 ns an agent.
    """
    n = group.size
    center = terms[PRICE]
    for i in range(n):
        u = draws[i]
        w = draws[n + i]
        if group[i] == MAKER:
            chosen = BUY if trait[i] == terms[TURN] else SELL
            distance = terms[MAKER_REACH] * (0.25 + 1.5 * w)
            offset = -distance if chosen == BUY else distance
        elif group[i] == FUNDAMENTALIST:
            gap = terms[GAP] + trait[i]
            chosen = 0 if u >= terms[FUNDAMENTALISTS] else BUY if gap > 0.0 else SELL
            reach = terms[FUNDAMENTALIST_REACH]
            offset = min(max(terms[PATIENCE] * gap, -reach), reach)
        elif group[i] == CHARTIST:
            active = terms[CHARTISTS]
            buying = active * 0.5 * (1.0 + terms[BALANCE])
            chosen = 0 if u >= active else BUY if u < buying else SELL
            distance = terms[CHARTIST_REACH] * (0.2 + w) * (0.5 + trait[i])
            offset = distance if chosen == BUY else -distance
        else:
            active = terms[NOISE_TRADERS]
            chosen = 0 if u >= active else BUY if u < 0.5 * active else SELL
            off = 2.0 * w - 1.0
            # Squared: most guesses are close to the price, and a few are far from it.
            offset = terms[NOISE_REACH] * off * abs(off) * (0.5 + trait[i])
        side[i] = chosen
        price[i] = center * (1.0 + offset) if chosen else math.nan


@kernel
def gather(side: NDArray[np.int8], price: NDArray[np.float64], quoted: NDArray[np.float64]) -> int:
    """Copy the prices of all quotes into `quoted` float64[n]; return how many there are."""
    found = 0
    for i in range(side.size):
        quoted[found] = price[i]
        found += 1 if side[i] else 0
    return found


@kernel
def trade_at_desks(
    desk: NDArray[np.int64],
    side: NDArray[np.int8],
    price: NDArray[np.float64],
    mid: float,
    best: NDArray[np.int64],
    edge: NDArray[np.float64],
    pairs: NDArray[np.int64],
) -> int:
    """Let every maker trade with the client of its desk who offers most; return how many do.

    `desk` int64[n]: the row of an agent's maker, -1 without one, its own for a maker. A client
    trades who is on the other side and takes the maker's price or a better one for the maker; of
    equal ones the first. They trade at the maker's price. Written: `edge` float64[n], the share of
    the mid that a trade was better than the mid for who made it, 0 for those who made none;
    `pairs` int64[≥ n // 2 + 1, 2], rows of (buyer, seller); `best` int64[n], the row that an agent
    traded with, -1 for none. Cost: 3 ns an agent.
    """
    n = desk.size
    best[:] = -1
    edge[:] = 0.0
    for i in range(n):
        maker = desk[i]
        if maker < 0 or maker == i or side[i] + side[maker] != BUY + SELL or side[i] == 0:
            continue
        sign = 1.0 if side[i] == BUY else -1.0
        if sign * (price[i] - price[maker]) < 0.0:
            continue
        rival = best[maker]
        if rival < 0 or sign * (price[i] - price[rival]) > 0.0:
            best[maker] = i
    count = 0
    for maker in range(n):
        client = best[maker]
        if client < 0 or desk[maker] != maker:
            continue
        best[client] = maker
        gain = (price[maker] - mid) / mid if side[maker] == SELL else (mid - price[maker]) / mid
        edge[maker] = gain
        edge[client] = -gain
        pairs[count, 0] = maker if side[maker] == BUY else client
        pairs[count, 1] = client if side[maker] == BUY else maker
        count += 1
    return count


@kernel
def cross(
    side: NDArray[np.int8],
    price: NDArray[np.float64],
    mid: float,
    best: NDArray[np.int64],
    fill: NDArray[np.int8],
    filled: NDArray[np.int8],
) -> int:
    """Fill those who reach the mid and have not traded at a desk; return the number of buys.

    Written: `fill` int8[n], for `list_fills`: 0 none, else the side; `filled` int8[n], the same
    with the trades at desks. Cost: 1 ns an agent.
    """
    buys = 0
    for i in range(side.size):
        bid = side[i] == BUY
        ask = side[i] == SELL
        reaches = (bid and price[i] >= mid) or (ask and price[i] <= mid)
        fill[i] = side[i] if reaches and best[i] < 0 else 0
        filled[i] = side[i] if best[i] >= 0 else fill[i]
        buys += 1 if bid else 0
    return buys


@kernel
def learn(
    change: float,
    keep: float,
    before: NDArray[np.float64],
    edge: NDArray[np.float64],
    held: NDArray[np.int8],
    after: NDArray[np.float64],
) -> None:
    """Count what the mid's `change` and the edge of a trade earned the agents.

    `held` int8[n]: what they held, 1 long, 2 short, 0 nothing. Fitness goes from `before`, of
    which `keep` is kept, to `after`, float64[n]. Cost: 1 ns an agent.
    """
    for i in range(held.size):
        position = 1.0 if held[i] == BUY else -1.0 if held[i] == SELL else 0.0
        after[i] = keep * before[i] + position * change + edge[i]
