"""The metric of a tick against the plain twin's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import Metric, SlidingWindowCamera, Tick
from tests import oracle
from tests.comparing import ROUNDING
from tests.raw_ticks import STATE, crowd, quote, tick
from tests.strategies import streams

states = st.fixed_dictionaries(
    dict.fromkeys(STATE, st.one_of(st.floats(-1.0, 1.0), st.integers(-1, 1)))
)


def metric_of(raw):
    metric = Metric.of(Tick.from_dict(raw))
    return None if metric is None else metric.to_dict()


def assert_same(ours, theirs):
    assert abs(ours["avg_exp"] - theirs["avg_exp"]) <= ROUNDING
    assert repr(ours | {"avg_exp": 0.0}) == repr(theirs | {"avg_exp": 0.0})
    assert type(ours["avg_exp"]) is float
    assert repr(ours["avg_exp"]) != "-0.0"


@given(st.data())
def test_every_metric_equals_the_twins(data):
    state = data.draw(states)
    for raw in data.draw(streams(1, 0.003)):
        assert_same(metric_of(raw | {"s": state}), oracle.metric(raw | {"s": state}))


def test_metrics_of_a_crowd():
    for raw in crowd(2, 20, agents=60, lifetime=10):
        assert_same(metric_of(raw), oracle.metric(raw))


@pytest.mark.parametrize("raw", [tick(1), tick(1) | {"s": None}])
def test_a_tick_without_state_makes_no_metric(raw):
    assert metric_of(raw) is None


def test_figures_about_nobody():
    metric = metric_of({"t": 9, "s": STATE})
    assert (metric["N"], metric["avg_exp"], metric["matches_n"]) == (0, 0.0, 0)


def test_n_counts_agents_and_actions_but_not_matches():
    raw = tick(1, buys={1: 5.0}, agents={1: 0.5, 2: None}, matches=[[7, 8], [1, -1]])
    raw["actions"]["4"] = quote("none")
    metric = metric_of(raw | {"s": STATE})
    assert (metric["N"], metric["avg_exp"], metric["matches_n"]) == (3, 0.5, 2)


def test_figures_are_rounded_and_never_minus_zero():
    state = STATE | {"imbalance": -4e-7, "volatility": 0.0000015, "price_norm": 1 / 3}
    metric = metric_of(tick(1, agents={1: -1e-9}) | {"s": state})
    assert repr(metric["s"]["imbalance"]) == "0.0"
    assert metric["s"]["volatility"] == round(0.0000015, 6)
    assert metric["s"]["price_norm"] == 0.333333
    assert repr(metric["avg_exp"]) == "0.0"


def test_a_faulty_state_refuses_the_tick():
    camera = SlidingWindowCamera(W=1, stride=1)
    with pytest.raises(ValueError, match=r"s\.liquidity"):
        camera.ingest(tick(1) | {"s": STATE | {"liquidity": math.nan}})
    assert camera.maybe_frame(1) is None
