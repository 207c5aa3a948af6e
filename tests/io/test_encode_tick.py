"""Metrics and raw ticks to JSON text."""

from __future__ import annotations

import json

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import Metric, SlidingWindowCamera, Tick
from marketcam.io import encode_metric, encode_tick
from tests.comparing import film
from tests.raw_ticks import MAX_ID, STATE, crowd, tick
from tests.strategies import streams

COLUMNS = ("agent_id", "experience", "side", "price", "matches")


def assert_equal_ticks(ours, theirs):
    assert (ours.t, ours.mid, ours.state) == (theirs.t, theirs.mid, theirs.state)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


@given(st.data())
def test_a_tick_comes_back_from_its_line(data):
    state = data.draw(st.sampled_from([None, STATE]))
    for raw in data.draw(streams(2, 0.003)):
        read = Tick.from_dict(raw | {"s": state})
        line = encode_tick(read)
        assert b"\n" not in line
        again = Tick.from_dict(orjson.loads(line))
        assert_equal_ticks(again, read)
        assert encode_tick(again) == line


def test_filming_the_lines_gives_the_same_frames():
    raws = list(crowd(4, 40, agents=25, lifetime=10))
    lines = [encode_tick(Tick.from_dict(raw)) for raw in raws]
    arguments = {"W": 12, "stride": 5, "edge_cap": 80}
    expected = film(SlidingWindowCamera(**arguments), raws)
    assert len(expected) == 5
    assert film(SlidingWindowCamera(**arguments), map(json.loads, lines)) == expected


@pytest.mark.parametrize("price", [1e-300, 5e-324, 1.7e308, -0.0, 0.1 + 0.2, 1e22, 123456.789e3])
def test_prices_come_back_to_the_last_bit(price):
    read = Tick.from_dict(tick(1, price, buys={MAX_ID: price}, agents={MAX_ID: price}))
    assert_equal_ticks(Tick.from_dict(orjson.loads(encode_tick(read))), read)


def test_a_tick_line_written_out():
    raw = tick(3, None, buys={4: 1.5}, agents={4: None, 9: 0.25}, matches=[[4, -1]])
    assert json.loads(encode_tick(Tick.from_dict(raw | {"s": STATE}))) == {
        "t": 3,
        "mid": None,
        "s": STATE,
        "agents": {"4": None, "9": 0.25},
        "actions": {"4": {"side": "buy", "price": 1.5}},
        "matches": [[4, -1]],
    }


def test_a_metric_line_written_out():
    raw = tick(12345, agents={1: 0.8, 2: 0.9}, matches=[[1, 2], [1, -1], [2, -1]])
    state = {"price_norm": 0.49875, "volatility": 0.003, "liquidity": 1, "imbalance": -0.0}
    assert encode_metric(Metric.of(Tick.from_dict(raw | {"s": state}))) == (
        b'{"type":"metric","t":12345,"s":{"price_norm":0.49875,"volatility":0.003,'
        b'"liquidity":1.0,"imbalance":0.0},"N":2,"avg_exp":0.85,"matches_n":3}'
    )


def test_every_metric_is_the_text_of_its_dict():
    for raw in crowd(8, 30, agents=20, lifetime=9):
        metric = Metric.of(Tick.from_dict(raw))
        assert encode_metric(metric) == orjson.dumps(metric.to_dict())
