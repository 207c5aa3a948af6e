"""Hypothesis strategies: camera arguments and streams of raw ticks.

Streams are drawn to hit the rims: prices that are equal, exactly eps apart and one ulp further,
experiences halfway between two sixth decimals, agents that leave and return, mids that are
missing, zero or negative, holes in t and refused ticks, matches of agents that nobody listed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.faults import FAULTS
from tests.raw_ticks import MAX_ID, quote

if TYPE_CHECKING:
    from collections.abc import Callable

ids = st.one_of(st.sampled_from([0, 1, 2, 9, 10, 2**32, MAX_ID]), st.integers(0, MAX_ID))
eps_pcts = st.sampled_from([0.0, 2.0**-10, 0.003, 0.01, 0.25])
shares = st.one_of(st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.floats(0.0, 1.0))
edge_caps = st.sampled_from([0, 1, 2, 3, 5, 8, 100, 100_000])
thresholds = st.sampled_from([0.5, 1.0, 1.5, 2.0, 4.0])
mids = st.one_of(
    st.none(), st.sampled_from([0.0, -3.0, 100.0, 50_000.0, 51_200.0]), st.floats(0.5, 1e5)
)


@st.composite
def camera_arguments(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments that camera and twin share, with windows of 1 to 8 ticks."""
    W = draw(st.integers(1, 8))
    return {
        "W": W,
        "stride": draw(st.integers(1, W + 2)),
        "eps_pct": draw(eps_pcts),
        "edge_cap": draw(edge_caps),
        "proximity": draw(st.sampled_from(["pairs", "neighbors"])),
        "match_share": draw(shares),
        "burst_z": draw(thresholds),
        "shock_z": draw(thresholds),
    }


# ---- one tick ----------------------------------------------------------------------------------

_PRICES: tuple[Callable[[float, float], float], ...] = (
    lambda _, reach: 0.0 * reach,
    lambda _, reach: reach,  # with the 0.0 above: exactly eps apart, whatever eps * mid is
    lambda _, reach: math.nextafter(reach, math.inf),
    lambda _, reach: math.nextafter(reach, 0.0),
    lambda _, reach: -reach,
    lambda _, reach: 2 * reach,
    lambda mid, _: mid,
    lambda mid, reach: mid + reach,
    lambda mid, reach: math.nextafter(mid + reach, math.inf),
    lambda mid, reach: math.nextafter(mid + reach, -math.inf),
    lambda mid, reach: mid - reach,
    lambda mid, reach: mid + 2 * reach,
)
"""Prices by mid and by eps * mid, so that pairs of them lie on either side of the reach."""

prices = st.one_of(
    st.sampled_from(_PRICES), st.floats(-1e5, 1e5).map(lambda price: lambda *_: price)
)


def _halfway(units: int) -> float:
    return (units + 0.5) * 1e-6


experiences = st.one_of(
    st.none(),
    st.integers(-1, 1),
    st.floats(-2.0, 2.0),
    st.builds(
        lambda units, towards: math.nextafter(_halfway(units), towards),
        st.integers(-2_000_000, 2_000_000),
        st.sampled_from([-math.inf, 0.0, math.inf]),
    ),
    st.integers(-2_000_000, 2_000_000).map(_halfway),
    st.integers(-300, 300).map(lambda n: n / 128),  # the odd ones are exact ties
)

_PRESENCES = ("listed", "none", "buy", "sell", "buy", "sell", "buy, not listed", "none, not listed")


@st.composite
def _ticks(
    draw: st.DrawFn,
    t: int,
    cast: list[int],
    reach_of: Callable[[float], float],
    mid_now: float | None,
) -> dict[str, Any]:
    """One well-formed tick. `mid_now` is the mid that holds where the tick brings none."""
    mid = draw(mids)
    holding = mid_now if mid is None else mid
    centre = holding if holding and holding > 0 else 100.0
    raw: dict[str, Any] = {"t": t, "mid": mid, "agents": {}, "actions": {}}
    as_key = draw(st.sampled_from([str, int]))
    for agent in cast:
        presence = draw(st.sampled_from(_PRESENCES))
        if "not listed" not in presence:
            raw["agents"][as_key(agent)] = draw(experiences)
        side = presence.split(",")[0]
        if side != "listed":
            price = draw(prices)(centre, reach_of(centre)) if side != "none" else math.nan
            raw["actions"][as_key(agent)] = quote(side, price)
    return raw


@st.composite
def _matches(draw: st.DrawFn, population: list[int]) -> list[Any]:
    """Matches within the population, some of agents that this tick does not list, some often."""
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(population), st.sampled_from([-1, *population])), max_size=4
        )
    )
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    pairs *= draw(st.sampled_from([1, 1, 1, 3, 9]))
    if draw(st.booleans()):
        return [{"a": a, "b": b} for a, b in pairs]
    return [list(pair) for pair in pairs]


# ---- streams -----------------------------------------------------------------------------------


@st.composite
def streams(
    draw: st.DrawFn, W: int, eps_pct: float, *, gaps: bool = True, faults: bool = False
) -> list[Any]:
    """Raw ticks for about three windows, t ascending, with up to two gaps and two faults."""
    population = draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    length = draw(st.integers(1, 3 * W + 4))
    places = st.lists(st.integers(0, length), max_size=2)
    leaps = draw(places) if gaps else []
    spoiled = draw(places) if faults else []
    t = draw(st.sampled_from([0, 0, 1, W, 1_000_000_007, -1, -W, -(10**9)]))
    cast, mid, raws = population, None, []
    for index in range(length):
        if draw(st.integers(0, 3)) == 0:
            cast = [agent for agent in population if draw(st.booleans())]
        raw = draw(_ticks(t, cast, lambda mid: eps_pct * mid, mid))
        raw["matches"] = draw(_matches(population))
        if index in spoiled:
            raws.append(raw | draw(st.sampled_from(FAULTS)).patch)
            if draw(st.booleans()):
                raws.append(raw | {"t": t - 1})  # no later than the tick before
        if index not in spoiled or draw(st.booleans()):  # a refused tick may come again, mended
            raws.append(raw)
            mid = raw["mid"] if raw["mid"] is not None else mid
        t += draw(st.integers(2, W + 2)) if index in leaps else 1
    return raws


@st.composite
def scenes(
    draw: st.DrawFn, *, gaps: bool = True, faults: bool = False
) -> tuple[dict[str, Any], list[Any]]:
    """Camera arguments and a stream for them."""
    arguments = draw(camera_arguments())
    return arguments, draw(streams(arguments["W"], arguments["eps_pct"], gaps=gaps, faults=faults))
