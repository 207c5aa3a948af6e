"""Bursts and shocks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import SlidingWindowCamera
from tests.comparing import film_with_twin
from tests.raw_ticks import tick

pytestmark = pytest.mark.kernel


def events_of(ticks, **arguments):
    """Film the ticks, the window being as long as they are, and return the events."""
    camera = SlidingWindowCamera(W=len(ticks), stride=1, **arguments)
    for raw in ticks:
        camera.ingest(raw)
    return camera.maybe_build_frame(ticks[-1]["t"])["events"]


def numbered(values, make):
    return [make(t, value) for t, value in enumerate(values, start=len(values))]


def with_matches(counts):
    return numbered(counts, lambda t, n: tick(t, matches=[[1, -1]] * n))


def with_mids(mids):
    return numbered(mids, tick)


@pytest.mark.parametrize("threshold", [1, 2, 4, 5, 10, 17])
def test_a_burst_exactly_at_the_threshold(threshold):
    """One match in z * z + 1 ticks stands out by exactly z standard deviations."""
    length = threshold * threshold + 1
    ticks = with_matches([0] * (length - 1) + [1])
    at = {"t": ticks[-1]["t"], "value": 1, "score": float(threshold)}
    assert events_of(ticks, burst_z=threshold)["bursts"] == [at]
    assert events_of(ticks, burst_z=math.nextafter(threshold, 99))["bursts"] == []


def test_bursts_are_listed_oldest_first_and_lulls_are_none():
    counts = [5] * 20 + [9] + [5] * 10 + [0] + [5] * 10 + [10]
    bursts = events_of(with_matches(counts), burst_z=2.0)["bursts"]
    assert [(burst["t"] - len(counts), burst["value"]) for burst in bursts] == [(20, 9), (42, 10)]
    assert [list(burst) for burst in bursts] == [["t", "value", "score"]] * 2


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_std_of_zero_makes_no_burst(count):
    assert events_of(with_matches([count] * 9), burst_z=0.001)["bursts"] == []


def test_a_shock_has_a_sign():
    mids = [100.0] * 20 + [90.0] + [90.0] * 20 + [99.0]
    shocks = events_of(with_mids(mids), shock_z=3.0)["shocks"]
    assert [(shock["t"] - len(mids), shock["value"]) for shock in shocks] == [
        (20, round(math.log(0.9), 6)),
        (41, round(math.log(1.1), 6)),
    ]
    assert shocks[0]["score"] < -3 < 3 < shocks[1]["score"]


@pytest.mark.parametrize("length", [2, 3, 10, 50, 99])
@pytest.mark.parametrize("factor", [1.0, 2.0, 0.5, 1024.0])
def test_returns_that_are_all_equal_make_no_shock(length, factor):
    """Their std is 0, whatever a sum of equal logarithms may come to."""
    mids = [factor ** (t - length // 2) for t in range(length)]
    assert events_of(with_mids(mids), shock_z=0.001)["shocks"] == []


@pytest.mark.parametrize("length", [1, 2])
def test_windows_too_short_for_an_event(length):
    mids = [100.0, 50.0][:length]
    events = events_of(with_mids(mids), shock_z=0.001, burst_z=0.001)
    assert events == {"bursts": [], "shocks": []}


@pytest.mark.parametrize("hole", [None, 0.0, -5.0])
def test_a_return_needs_both_mids(hole):
    """A missing mid is carried, so its return is 0; one that is not positive makes no return."""
    ticks = with_mids([100.0, 101.0, 99.0, 100.0, hole, 200.0, 201.0, 199.0])
    assert film_with_twin(ticks, W=8, stride=1, eps_pct=0.1, edge_cap=1, shock_z=0.3) == 1


def test_the_return_into_the_window_is_not_one_of_it():
    ticks = numbered([1.0, 500.0, 500.0, 500.0], tick)
    camera = SlidingWindowCamera(W=3, stride=1, shock_z=0.5)
    for raw in ticks:
        camera.ingest(raw)
    assert camera.maybe_build_frame(ticks[-1]["t"])["events"]["shocks"] == []


steps = st.one_of(st.none(), st.sampled_from([0.0, -1.0, 100.0, 101.0]), st.floats(50.0, 200.0))


@given(
    st.lists(st.tuples(steps, st.integers(0, 3)), min_size=2, max_size=40),
    st.sampled_from([0.5, 1.0, 2.0, 3.0]),
)
def test_events_equal_the_twins(ticks, threshold):
    raws = [tick(t, mid, matches=[[1, 2]] * n) for t, (mid, n) in enumerate(ticks)]
    for W in (2, 7, len(raws)):
        film_with_twin(
            raws, W=W, stride=1, eps_pct=0.1, edge_cap=1, burst_z=threshold, shock_z=threshold
        )
