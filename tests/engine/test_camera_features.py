"""The features of a node, one rule at a time."""

from __future__ import annotations

import math
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import SlidingWindowCamera
from tests.raw_ticks import quote, tick
from tests.strategies import experiences

pytestmark = pytest.mark.kernel


def features_of(ticks, agent=1, **arguments):
    """Film ticks that fill one window and return an agent's features."""
    camera = SlidingWindowCamera(W=len(ticks), stride=1, **arguments)
    for raw in ticks:
        camera.ingest(raw)
    nodes = camera.maybe_build_frame(ticks[-1]["t"])["nodes"]
    return next(node["features"] for node in nodes if node["agent_id"] == agent)


def of_prices(prices, mid=100.0):
    return [tick(t, mid, buys={1: price}) for t, price in enumerate(prices, start=len(prices))]


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ("bbss", "buy"),  # buy goes before sell
        ("bb--", "buy"),  # and before none
        ("ss--", "sell"),
        ("bs--", "none"),
        ("bbs---", "none"),
        ("bbssss---", "sell"),
        ("----", "none"),
        ("b", "buy"),
        ("bss--", "sell"),
        ("bbss-----", "none"),
    ],
)
def test_dominant_side(sides, expected):
    content = {"b": {"buys": {1: 5.0}}, "s": {"sells": {1: 5.0}}, "-": {"agents": {1: None}}}
    ticks = [tick(t, **content[side]) for t, side in enumerate(sides, start=len(sides))]
    features = features_of(ticks)
    assert features["dominant_side"] == expected
    assert features["buy_count"] == sides.count("b")
    assert features["sell_count"] == sides.count("s")
    assert features["none_count"] == sides.count("-")


@pytest.mark.parametrize("how", ["agents", "none", "match", "other side of a match", "pool"])
def test_being_seen_once_makes_a_node(how):
    seen = {
        "agents": tick(2, agents={1: None}),
        "none": tick(2) | {"actions": {"1": quote("none")}},
        "match": tick(2, matches=[[1, 8]]),
        "other side of a match": tick(2, matches=[[8, 1]]),
        "pool": tick(2, matches=[[1, -1]]),
    }[how]
    features = features_of([seen, tick(3), tick(4)])
    assert features["none_count"] == 3
    assert features["dominant_side"] == "none"
    assert features["experience_start"] is None


def test_every_match_counts_those_with_the_pool_included():
    matches = [[1, -1], [2, 1], [1, 2], [1, -1], [2, -1], {"a": 1, "b": -1}]
    features = features_of([tick(3, matches=matches), tick(4, matches=[[3, 1]]), tick(5)])
    assert features["match_count"] == 6
    assert features["match_rate"] == 2.0


def test_distances_are_to_each_ticks_own_mid():
    ticks = [
        tick(4, None, buys={1: 1.0}),  # no mid known yet: does not count
        tick(5, 100.0, sells={1: 90.0}),  # 0.1
        tick(6, 0.0, buys={1: 50.0}),  # a mid of zero: does not count
        tick(7, -50.0, buys={1: 50.0}),  # 100 / 50
    ]
    assert features_of(ticks)["quote_dist_to_mid_mean"] == 1.05


@given(st.lists(experiences, min_size=1, max_size=6))
def test_experience_is_the_first_and_the_last_known(values):
    ticks = [tick(t, agents={1: value}) for t, value in enumerate(values, start=len(values))]
    features = features_of(ticks)
    known = [value for value in values if value is not None]
    start, end = (known[0], known[-1]) if known else (None, None)
    assert features["experience_start"] == (None if start is None else round(start, 6))
    assert features["experience_end"] == (None if end is None else round(end, 6))
    delta = 0.0 if start is None else round(float(end) - float(start), 6)
    assert features["experience_delta"] == delta
    assert "-0.0" not in {repr(value) for value in features.values()}


def _around_a_half(micros, digits, ulps):
    """A number near the middle between two sixth decimals, of any size."""
    number = (micros // 10**digits + 0.5) * 1e-6
    for _ in range(abs(ulps)):
        number = math.nextafter(number, math.copysign(math.inf, ulps))
    return number


halves = st.builds(
    _around_a_half, st.integers(-(2**54), 2**54), st.integers(0, 16), st.integers(-2, 2)
)

ties = st.integers(-(2**40), 2**40).map(lambda n: n / 128)
"""An odd number of 128ths lies exactly between two sixth decimals."""


@given(st.one_of(halves, ties, st.floats(allow_nan=False, allow_infinity=False)))
def test_rounding_is_pythons_for_any_number(number):
    """One known experience and one quote go through rounding as they are."""
    features = features_of([tick(1, buys={1: number}, agents={1: number})])
    expected = repr(round(number, 6) + 0.0)
    for name in ("experience_start", "experience_end", "quote_price_mean"):
        assert repr(features[name]) == expected
    assert repr(features["experience_delta"]) == "0.0"
    assert repr(features["quote_price_std"]) == "0.0"


@pytest.mark.parametrize("base", [0.0, 50_000.0, 1e9, -1e12])
def test_a_small_spread_around_a_large_price(base):
    """Running sums of squares would have lost it long ago."""
    prices = [base + step for step in (0.0, 1.0, 2.0, 1.0) * 25]
    features = features_of(of_prices(prices))
    assert features["quote_price_std"] == pytest.approx(
        math.sqrt(0.5), abs=1e-3 * (abs(base) > 1e9) + 1.01e-6
    )
    assert features["quote_price_mean"] == pytest.approx(
        base + 1.0, abs=1e-3 * (abs(base) > 1e9) + 1.01e-6
    )


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=30), st.floats(1e-3, 1e6))
def test_prices_of_any_size(prices, mid):
    features = features_of(of_prices(prices, mid))
    largest = max(map(abs, prices))
    tolerance = 1.01e-6 + 1e-13 * largest
    assert abs(features["quote_price_mean"] - fmean(prices)) <= tolerance
    assert abs(features["quote_price_std"] - pstdev(prices)) <= tolerance
    distance = fmean(abs(price - mid) / mid for price in prices)
    assert features["quote_dist_to_mid_mean"] == pytest.approx(distance, rel=1e-12, abs=1.01e-6)


@pytest.mark.parametrize("length", [1, 2, 3, 10, 49, 98])
@pytest.mark.parametrize("price", [0.1, 1 / 3, 49_999.95])
def test_equal_prices_have_no_spread_and_their_own_mean(length, price):
    features = features_of(of_prices([price] * length))
    assert features["quote_price_std"] == 0.0
    assert features["quote_price_mean"] == round(price, 6)
