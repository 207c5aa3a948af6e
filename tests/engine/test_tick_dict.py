"""`Tick`: the dict form read into columns, and written back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import MAX_ID, POOL, SIDES, MarketState, Tick, TickError
from tests.faults import FAULTS
from tests.oracle import read_tick
from tests.raw_ticks import STATE, arrays_of, quote, tick
from tests.strategies import streams

DTYPES = {
    "agent_id": np.int64,
    "experience": np.float64,
    "side": np.int8,
    "price": np.float64,
    "matches": np.int64,
}


def test_the_public_constants():
    assert MAX_ID == 2**53 - 1
    assert POOL == -1
    assert SIDES == ("none", "buy", "sell")


def test_a_tick_becomes_columns():
    raw = tick(7, 99.5, buys={3: 100}, sells={12: 101.5}, agents={3: 0.5, 8: None})
    raw["actions"]["40"] = quote("none", 5.0)
    read = Tick.from_dict(raw | {"s": STATE, "matches": [[3, 12], {"a": 8, "b": -1}]})
    assert (read.t, read.mid) == (7, 99.5)
    assert read.state == MarketState(0.5, 0.3, 0.5, 0.0)
    rows = {
        agent: (experience, side, price)
        for agent, experience, side, price in zip(
            read.agent_id.tolist(),
            read.experience.tolist(),
            read.side.tolist(),
            read.price.tolist(),
            strict=True,
        )
    }
    assert set(rows) == {3, 8, 12, 40}
    assert rows[3] == (0.5, 1, 100.0)
    assert np.isnan(rows[8][0])
    assert rows[8][1] == 0
    assert np.isnan(rows[12][0])
    assert rows[12][1:] == (2, 101.5)
    assert rows[40][1] == 0
    assert read.matches.tolist() == [[3, 12], [8, -1]]


def test_an_empty_tick():
    read = Tick.from_dict({"t": 0})
    assert (read.mid, read.state, read.agent_id.size) == (None, None, 0)
    assert read.matches.shape == (0, 2)
    assert {name: getattr(read, name).dtype for name in DTYPES} == DTYPES


@given(st.data())
def test_every_column_has_its_dtype_and_its_numbers(data):
    for raw in data.draw(streams(2, 0.003)):
        read, arrays = Tick.from_dict(raw), arrays_of(raw)
        assert {name: getattr(read, name).dtype for name in DTYPES} == DTYPES
        ours, theirs = np.argsort(read.agent_id), np.argsort(arrays["agent_id"])
        for name in ("agent_id", "experience", "side", "price"):
            np.testing.assert_array_equal(getattr(read, name)[ours], arrays[name][theirs])
        np.testing.assert_array_equal(read.matches, arrays["matches"])


@given(st.data())
def test_the_dict_form_comes_back(data):
    """What `to_dict` writes is well formed and says the same."""
    for raw in data.draw(streams(2, 0.003)):
        again = Tick.from_dict(raw).to_dict()
        assert read_tick(again).quotes == read_tick(raw).quotes
        assert read_tick(again).matches == read_tick(raw).matches
        assert read_tick(again).agents_seen() == read_tick(raw).agents_seen()
        known = {a: e for a, e in read_tick(raw).experience.items() if e is not None}
        assert {a: e for a, e in read_tick(again).experience.items() if e is not None} == known
        assert Tick.from_dict(again).to_dict() == again


def test_a_tick_is_frozen():
    read = Tick.from_dict({"t": 0})
    with pytest.raises(dataclasses.FrozenInstanceError):
        read.t = 1


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_faults(fault):
    with pytest.raises(TickError) as refused:
        Tick.from_dict(tick(4) | fault.patch)
    assert (refused.value.field, refused.value.agent) == (fault.field, fault.agent)


def test_a_long_value_is_cut_in_the_message_and_whole_in_the_error():
    with pytest.raises(TickError) as refused:
        Tick.from_dict({"t": 4, "matches": "x" * 10_000})
    assert len(str(refused.value)) < 300
    assert refused.value.value == "x" * 10_000
