"""The arithmetic of the embedded market over preallocated arrays.

A tick is `quote`, an exponential over the whole `decay` array (numpy's is vectorized, the one
inside a kernel is five times slower), `settle`, `list_fills`, `pair`, `advance` and `median`.
n agents have quoted; the rows of all arrays are agents in the same order.

Only fills depend on exponentials and logarithms, and a fill is a yes or no: prices, experiences
and state come from +, -, *, / and square roots alone, so that a seed gives the same ticks on
every machine (short of a draw that falls on a probability to its last bit).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BUY",
    "CENTER",
    "COMPLEXITY",
    "DIFFERENCES",
    "HIGH",
    "LIQUIDITY",
    "LOW",
    "MAX_BUCKETS",
    "PRESSURE",
    "PRICE",
    "PRICE_NORM",
    "SELL",
    "VOLATILITY",
    "advance",
    "list_fills",
    "median",
    "pair",
    "quote",
    "recent_volatility",
    "settle",
]

LOW: Final = 40_000.0
HIGH: Final = 60_000.0
"""The range of prices."""

CENTER: Final = 0.5 * (LOW + HIGH)
"""Its middle, where prices begin."""

BUY: Final = 1
SELL: Final = 2
"""Sides; a sell is one more than a buy, which `quote`, `settle` and `list_fills` count on."""

PRICE_NORM: Final = 0
VOLATILITY: Final = 1
LIQUIDITY: Final = 2
PRESSURE: Final = 3
PRICE: Final = 4
"""Places in the `state` vector; `PRICE` is the absolute price behind `PRICE_NORM`."""

COMPLEXITY: Final = 0.5
MOST_CHAOS: Final = 1.5
FEE: Final = 0.0005
UNKNOWN_VOLATILITY: Final = 0.3

DIFFERENCES: Final = 19
"""Price changes that volatility looks at: those between the last 20 prices."""

MAX_BUCKETS: Final = 2048
"""`counts` for `median` needs `min(n, MAX_BUCKETS)` places; more would not stay in L1."""

_BLOCK: Final = 64
"""Prices that `median` looks at together."""


@kernel
def quote(
    draws: NDArray[np.float64],
    state: NDArray[np.float64],
    t: int,
    mean_experience: float,
    price: NDArray[np.float64],
    side: NDArray[np.int8],
    decay: NDArray[np.float64],
) -> tuple[int, float]:
    """Let every agent quote; return the number of buys and the market's chaos.

    `draws` float64[≥ 2n], uniform in 0..1: n prices, then n coins, below one half a buy. Written:
    `price` float64[n], `side` int8[n], and into `decay` float64[n] the exponents of the
    fill priority, `-4 |p - center| / center`. Cost: 0.4 ns an agent; summing up the prices in
    the same loop, which then was not vectorized, took 1.7 ns.
    """
    n = price.size
    coins = draws[n : 2 * n]
    center = LOW + (HIGH - LOW) * state[PRICE_NORM]
    buys = 0
    for i in range(n):
        p = LOW + (HIGH - LOW) * draws[i]
        price[i] = p
        decay[i] = -4.0 * abs(p - center) / center
        buy = 1 if coins[i] < 0.5 else 0
        buys += buy
        side[i] = SELL - buy
    return buys, _chaos(t, buys, price, mean_experience)


@kernel
def _chaos(t: int, buys: int, price: NDArray[np.float64], mean_experience: float) -> float:
    n = price.size
    overload = 0.6 * n / 8.0 + 0.4 * math.log(1.0 + n / 10.0)
    base = 0.25 * overload
    # From 69 agents on the crowd alone reaches the limit: the prices need not be summed up, which
    # costs more than quoting, since sums in order are not vectorized.
    if base < MOST_CHAOS:
        base += 0.4 * _dispersion(price) + 0.35 * _entropy(buys, n)
    crowd = 1.2 if n > 15 else 0.8 if n < 5 else 1.0
    novices = 0.7 if mean_experience < 0.3 else 1.0
    multiplier = min(1.5, 0.95 ** (t // 10_000) * crowd * novices)
    return min(base, MOST_CHAOS) * (0.08 / 0.15) * multiplier


@kernel
def _dispersion(price: NDArray[np.float64]) -> float:
    n = price.size
    if n < 2:
        return 1.0
    # One pass, about the middle of the range. Cancellation would show only for prices so alike
    # that the dispersion is clipped anyway.
    total = 0.0
    squares = 0.0
    for i in range(n):
        off = price[i] - CENTER
        total += off
        squares += off * off
    mean = total / n
    spread = math.sqrt(max(squares / n - mean * mean, 0.0)) / (CENTER + mean)
    return min(max(spread / 0.02, 0.2), 3.0)


@kernel
def _entropy(buys: int, n: int) -> float:
    entropy = 0.0
    for count in (buys, n - buys):
        if count:
            entropy -= count / n * math.log2(count / n)
    return entropy


@kernel
def settle(
    draws: NDArray[np.float64],
    decay: NDArray[np.float64],
    chaos: float,
    state: NDArray[np.float64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    fill: NDArray[np.int8],
) -> None:
    """Decide the fills and let the agents learn from them.

    `decay` float64[n] now holds the exponentials; `state` is the one the agents quoted in.
    Experience goes from `before` to `after`, float64[n]. Written to `fill` int8[n]: the
    side, or 0 for none. Cost: 0.4 ns an agent.
    """
    n = decay.size
    coins = draws[n : 2 * n]
    slope = 1.0 - 0.4 * chaos
    shift = 0.3 * state[LIQUIDITY] - 0.1 * (state[VOLATILITY] - 0.5) ** 2
    mood = 0.4 * COMPLEXITY + 0.2 * state[VOLATILITY] + 0.1 * state[LIQUIDITY]
    gain = 0.02 * (1.0 - 10.0 * FEE + mood)
    loss = 0.02 * (-0.3 + mood)
    for i in range(n):
        # A coin's first bit was the side; its other 52 are a uniform number of their own.
        sell = 0.0 if coins[i] < 0.5 else 1.0
        draw = 2.0 * coins[i] - sell
        priority = max(0.98 * decay[i], 0.01)
        chance = min(max(priority * slope + shift, 0.01), 0.99)
        filled = draw < chance
        after[i] = 0.98 * before[i] + (gain if filled else loss)
        fill[i] = (1 if filled else 0) * (BUY + int(sell))


@kernel
def list_fills(fill: NDArray[np.int8], rows: NDArray[np.int64]) -> tuple[int, int]:
    """List the rows of the filled buys in `rows[0]`, of the filled sells in `rows[1]`.

    `fill` int8[n] comes from `settle`, `rows` is int64[2, n]; returns the two counts.
    Cost: 0.8 ns an agent. In one loop with `settle`, which then was not vectorized, the two
    took 3.3 ns.
    """
    buyers, sellers = rows[0], rows[1]
    bought = 0
    sold = 0
    for i in range(fill.size):
        # Written always, counted only when true: a branch is mispredicted every other time.
        buyers[bought] = i
        sellers[sold] = i
        bought += int(fill[i]) & 1
        sold += int(fill[i]) >> 1
    return bought, sold


@kernel
def advance(
    state: NDArray[np.float64],
    differences: NDArray[np.float64],
    t: int,
    actions: int,
    pressure: float,
    fills: int,
) -> None:
    """Move the market's state, float64[5], on to the end of tick `t`.

    `differences` is a ring of the last `DIFFERENCES` changes of price_norm. Cost: 0.1 µs.
    """
    previous = state[PRICE_NORM]
    price = min(max(state[PRICE] * (1.0 + 0.0005 * pressure), LOW), HIGH)
    state[PRICE] = price
    state[PRICE_NORM] = (price - LOW) / (HIGH - LOW)
    state[LIQUIDITY] = fills / actions
    state[PRESSURE] = pressure
    state[VOLATILITY] = recent_volatility(differences, t, state[PRICE_NORM] - previous)


@kernel
def recent_volatility(differences: NDArray[np.float64], t: int, change: float) -> float:
    """Note the `change` of price_norm at tick `t`; return the volatility of the last 20 prices.

    `differences` float64[19] is a ring. Cost: 0.1 µs.
    """
    if t == 0:  # the price before the first tick is no observation
        return UNKNOWN_VOLATILITY
    differences[(t - 1) % DIFFERENCES] = change
    deviation = _deviation(differences[: min(t, DIFFERENCES)])
    return min(max(deviation * math.sqrt(20.0), 0.0), 1.0)


@kernel
def _deviation(values: NDArray[np.float64]) -> float:
    mean = 0.0
    for value in values:
        mean += value
    mean /= values.size
    squares = 0.0
    for value in values:
        squares += (value - mean) ** 2
    return math.sqrt(squares / values.size)


@kernel
def pair(
    draws: NDArray[np.float64],
    buyers: NDArray[np.int64],
    sellers: NDArray[np.int64],
    pairs: int,
    agent_id: NDArray[np.int64],
    matches: NDArray[np.int64],
) -> None:
    """Match `pairs` filled buys with as many filled sells at random, the rest with the pool.

    The first `pairs` places of the longer list (the buyers', if they are equally long) are
    drawn by a Fisher-Yates shuffle, one number of `draws` each; they meet the shorter list in
    its order. `buyers` and `sellers` are rows, and the longer list is reordered. Written:
    `matches` int64[len(buyers) + len(sellers) - pairs, 2]: the pairs as (buyer, seller), then
    what is left of the buyers and of the sellers as (agent, -1). Cost: 1.4 ns a fill.
    """
    longer = buyers if buyers.size >= sellers.size else sellers
    for k in range(pairs):
        other = k + int(draws[k] * (longer.size - k))
        longer[k], longer[other] = longer[other], longer[k]
    for k in range(pairs):
        matches[k, 0] = agent_id[buyers[k]]
        matches[k, 1] = agent_id[sellers[k]]
    row = pairs
    for rest in (buyers[pairs:], sellers[pairs:]):
        for k in range(rest.size):
            matches[row, 0] = agent_id[rest[k]]
            matches[row, 1] = -1
            row += 1


@kernel
def median(
    price: NDArray[np.float64], counts: NDArray[np.int64], near: NDArray[np.float64]
) -> float:
    """Return the exact median of n prices between `LOW` and `HIGH`.

    Prices are counted into buckets; only the one or two buckets around the middle are sorted.
    With prices spread over the range that is 10 times faster than a partition. `near`
    float64[n] and `counts` int64[min(n, MAX_BUCKETS)] are work space. Cost: 1 ns a price; 2.2 ns
    when the second pass looked at every price's bucket.
    """
    n = price.size
    scale = counts.size / (HIGH - LOW)
    last = counts.size - 1
    counts[:] = 0
    for i in range(n):
        counts[min(int((price[i] - LOW) * scale), last)] += 1
    lower, below = _bucket_of(counts, (n - 1) // 2)
    upper, _ = _bucket_of(counts, n // 2)
    most = math.inf if upper == last else upper + 1.0
    found = 0
    for begin in range(0, n, _BLOCK):
        block = price[begin : begin + _BLOCK]
        # Most blocks hold no price of the middle, and looking is vectorized where gathering is not.
        if _any_inside(block, scale, lower, most):
            for p in block:
                near[found] = p
                found += 1 if lower <= (p - LOW) * scale < most else 0
    _sort(near[:found])
    middle: float = 0.5 * (near[(n - 1) // 2 - below] + near[n // 2 - below])
    return middle


@kernel
def _any_inside(price: NDArray[np.float64], scale: float, least: float, most: float) -> bool:
    inside = 0
    for i in range(price.size):
        place = (price[i] - LOW) * scale
        inside += 1 if (place >= least) & (place < most) else 0
    return inside > 0


@kernel
def _bucket_of(counts: NDArray[np.int64], rank: int) -> tuple[int, int]:
    below = 0
    bucket = 0
    while below + counts[bucket] <= rank:
        below += counts[bucket]
        bucket += 1
    return bucket, below


@kernel
def _sort(values: NDArray[np.float64]) -> None:
    for i in range(1, values.size):
        value = values[i]
        place = i
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value
