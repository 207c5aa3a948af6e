"""Ticks that are refused: by what error, and that nothing of them stays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import MarketCameraError, SlidingWindowCamera, TickError
from tests.comparing import film, refusal_of
from tests.faults import FAULTS
from tests.raw_ticks import MAX_ID, arrays_of, crowd, quote, tick

pytestmark = pytest.mark.kernel

GOOD = [
    tick(t, buys={5: 100.0, 7: 100.2}, sells={9: 99.0}, agents={5: 0.5}, matches=[[5, 9]])
    for t in range(7)
]


def camera_at(t):
    """A camera whose last tick is `t`; its window of 3 is full from 2 on."""
    camera = SlidingWindowCamera(W=3, stride=1)
    film(camera, GOOD[: t + 1])
    return camera


def same(ours, theirs):
    """Equal, or both NaN, or a key and the number it stands for."""
    return ours == theirs or str(ours) == str(theirs)


# ---- dict form -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_refused_by_name(fault):
    error = refusal_of(camera_at(3), GOOD[4] | fault.patch)
    assert error.field == fault.field
    assert error.agent == fault.agent
    assert same(error.value, fault.value) or error.field.startswith("matches[")
    assert error.t == (None if fault.field == "t" else 4)
    assert fault.field in str(error)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_refused_tick_leaves_nothing(fault):
    """Mended and sent again it is taken as if nothing had been; left out, it is a hole."""
    spoiled = GOOD[4] | fault.patch
    camera = camera_at(3)
    before = camera.maybe_build_frame(3)
    refusal_of(camera, spoiled)
    assert camera.maybe_build_frame(3) == before
    assert camera.maybe_build_frame(4) is None
    assert film(camera, GOOD[4:]) == film(camera_at(3), GOOD[4:])
    camera = camera_at(3)
    refusal_of(camera, spoiled)
    assert film(camera, GOOD[5:]) == film(camera_at(3), GOOD[5:]) == {}


@pytest.mark.parametrize("raw", [None, [], "tick", 7, b"{}"])
def test_a_tick_that_is_no_object(raw):
    assert refusal_of(camera_at(3), raw).value == raw


@pytest.mark.parametrize("t", [3, 2, 0, -1])
@pytest.mark.parametrize("form", ["dict", "arrays"])
def test_a_tick_number_must_increase(t, form):
    camera = camera_at(3)
    before = camera.maybe_build_frame(3)
    late = GOOD[4] | {"t": t}
    with pytest.raises(TickError) as refused:
        camera.ingest(late) if form == "dict" else camera.ingest_arrays(**arrays_of(late))
    assert (refused.value.t, refused.value.field, refused.value.value) == (t, "t", t)
    assert camera.maybe_build_frame(3) == before
    assert film(camera, GOOD[4:]) == film(camera_at(3), GOOD[4:])


def test_the_error_is_one_of_the_family():
    error = refusal_of(camera_at(3), GOOD[4] | {"actions": {"12": quote("buy", math.inf)}})
    assert isinstance(error, MarketCameraError)
    assert isinstance(error, ValueError)
    assert all(part in str(error) for part in ("tick 4", "agent 12", "price", "inf"))


def test_the_mid_of_a_refused_tick_is_not_carried():
    camera = SlidingWindowCamera(W=1, stride=1)
    camera.ingest(tick(1, 100.0))
    refusal_of(camera, tick(2, 50.0, matches=[[1, 1]]))
    camera.ingest(tick(3, None, buys={1: 110.0}))
    node = camera.maybe_build_frame(3)["nodes"][0]
    assert node["features"]["quote_dist_to_mid_mean"] == 0.1


def test_newcomers_of_a_refused_tick_are_forgotten():
    """Whatever a fault is found in, the agents read before it must not stay."""
    camera = SlidingWindowCamera(W=2, stride=1)
    camera.ingest(tick(1, buys={1: 100.0}))
    for count in range(40):
        crowded = tick(2, agents=dict.fromkeys(range(100 * count, 100 * count + 90), 0.5))
        refusal_of(camera, crowded | {"matches": [[4, 4]]})
    camera.ingest(tick(2, buys={1: 100.0}))
    assert [node["agent_id"] for node in camera.maybe_build_frame(2)["nodes"]] == [1]


# ---- what is ignored -----------------------------------------------------------------------------


def test_missing_sections_are_empty():
    bare, full = SlidingWindowCamera(W=1, stride=1), SlidingWindowCamera(W=1, stride=1)
    empty = {"agents": {}, "actions": {}, "matches": []}
    assert film(bare, [{"t": 1, "mid": 2.0}]) == film(full, [{"t": 1, "mid": 2.0} | empty])


@pytest.mark.parametrize("extra", [{"note": [1]}, {"type": "tick"}, {"s": None}, {7: math.nan}])
def test_unknown_keys_are_ignored(extra):
    assert film(camera_at(3), [GOOD[4] | extra]) == film(camera_at(3), GOOD[4:5])


@pytest.mark.parametrize("ignored", [None, math.nan, "much", [], -1, True])
def test_sizes_and_the_price_of_a_none_are_ignored(ignored):
    plain = GOOD[4] | {"actions": {"5": quote("buy", 1.0), "6": {"side": "none"}}}
    actions = {
        "5": {"side": "buy", "price": 1.0, "size": ignored, "note": ignored},
        "6": {"side": "none", "price": ignored, "size": ignored},
    }
    assert film(camera_at(3), [GOOD[4] | {"actions": actions}]) == film(camera_at(3), [plain])


@pytest.mark.parametrize("largest", [MAX_ID, str(MAX_ID)])
def test_the_largest_id(largest):
    raw = tick(1, matches=[[MAX_ID, 0]]) | {
        "agents": {largest: 1},
        "actions": {largest: quote("sell", 3)},
    }
    camera = SlidingWindowCamera(W=1, stride=1)
    camera.ingest(raw)
    frame = camera.maybe_build_frame(1)
    assert [node["node_id"] for node in frame["nodes"]] == [
        "agent:0@t:1-1",
        f"agent:{MAX_ID}@t:1-1",
    ]
    assert repr(frame["nodes"][1]["features"]["experience_end"]) == "1.0"
    assert frame["edges"][0]["src"] == "agent:0@t:1-1"


def test_the_largest_tick_number():
    raws = [tick(t, matches=[[0, 1]]) for t in range(MAX_ID - 2, MAX_ID + 1)]
    assert list(film(SlidingWindowCamera(W=2, stride=1), raws)) == [MAX_ID - 1, MAX_ID]


# ---- array form ----------------------------------------------------------------------------------


def columns(**changed):
    """The array form of a tick of three agents, some columns replaced."""
    return {
        "t": 4,
        "mid": 100.0,
        "agent_id": np.array([5, 9, 7], dtype=np.int64),
        "experience": np.array([0.5, np.nan, 0.25]),
        "side": np.array([1, 0, 2], dtype=np.int8),
        "price": np.array([100.0, np.nan, 101.0]),
        "matches": np.array([[5, 7], [9, -1]], dtype=np.int64),
    } | changed


ARRAY_FAULTS = [
    ({"t": True}, "t", None),
    ({"t": 4.0}, "t", None),
    ({"t": None}, "t", None),
    ({"t": 2**53}, "t", None),
    ({"mid": math.nan}, "mid", None),
    ({"mid": -math.inf}, "mid", None),
    ({"mid": "100"}, "mid", None),
    ({"mid": True}, "mid", None),
    # ids
    ({"agent_id": np.array([5, 9, 5])}, "agent_id", 5),
    ({"agent_id": np.array([5, 5, 5])}, "agent_id", 5),
    ({"agent_id": np.array([9, 5, 5])}, "agent_id", 5),
    ({"agent_id": np.array([5, -1, 7])}, "agent_id", -1),
    ({"agent_id": np.array([5, 2**53, 7])}, "agent_id", 2**53),
    ({"agent_id": np.array([5, 2**64 - 1, 7], dtype=np.uint64)}, "agent_id", None),
    ({"agent_id": np.array([5.0, 9.0, 7.0])}, "agent_id", None),
    ({"agent_id": np.array([True, False, True])}, "agent_id", None),
    ({"agent_id": np.array(["5", "9", "7"])}, "agent_id", None),
    ({"agent_id": np.array([5, 9, None])}, "agent_id", None),
    ({"agent_id": np.array([[5, 9, 7]])}, "agent_id", None),
    ({"agent_id": np.int64(5)}, "agent_id", None),
    # experiences
    ({"experience": np.array([0.5, np.inf, 0.5])}, "experience", 9),
    ({"experience": np.array([0.5, 0.5, -np.inf])}, "experience", 7),
    ({"experience": np.array([0.5, 0.5])}, "experience", None),
    ({"experience": np.array([0.5] * 4)}, "experience", None),
    ({"experience": np.array([[0.5], [0.5], [0.5]])}, "experience", None),
    ({"experience": np.array(["a", "b", "c"])}, "experience", None),
    ({"experience": np.array([True, False, True])}, "experience", None),
    ({"experience": np.array([1j, 2j, 3j])}, "experience", None),
    # sides
    ({"side": np.array([1, 0, 3], dtype=np.int8)}, "side", 7),
    ({"side": np.array([-1, 0, 2], dtype=np.int8)}, "side", 5),
    ({"side": np.array([1, 0, 258])}, "side", None),  # 2 when cut to eight bits
    ({"side": np.array([1.0, 0.0, 2.0])}, "side", None),
    ({"side": np.array([True, False, True])}, "side", None),
    ({"side": np.array(["buy", "none", "sell"])}, "side", None),
    ({"side": np.array([1, 0], dtype=np.int8)}, "side", None),
    # prices
    ({"price": np.array([np.nan, 1.0, 1.0])}, "price", 5),
    ({"price": np.array([1.0, 1.0, np.inf])}, "price", 7),
    ({"price": np.array([1.0])}, "price", None),
    ({"price": np.array(["1", "2", "3"])}, "price", None),
    # matches
    ({"matches": np.array([[5, 7], [7, 7]])}, "matches[1]", 7),
    ({"matches": np.array([[5, 7], [-1, 7]])}, "matches[1]", None),
    ({"matches": np.array([[5, -2], [5, 7]])}, "matches[0]", None),
    ({"matches": np.array([[-1, -1]])}, "matches[0]", None),
    ({"matches": np.array([[5, 2**53]])}, "matches[0]", None),
    ({"matches": np.array([[2**53, 5]])}, "matches[0]", None),
    ({"matches": np.array([[5.0, 7.0]])}, "matches", None),
    ({"matches": np.array([[True, False]])}, "matches", None),
    ({"matches": np.array([5, 7])}, "matches", None),
    ({"matches": np.array([[5, 7, 9]])}, "matches", None),
    ({"matches": np.array([[[5, 7]]])}, "matches", None),
]


@pytest.mark.parametrize(("changed", "field", "agent"), ARRAY_FAULTS, ids=str)
def test_faults_of_the_array_form(changed, field, agent):
    camera = camera_at(3)
    before = camera.maybe_build_frame(3)
    with pytest.raises(TickError) as refused:
        camera.ingest_arrays(**columns(**changed))
    error = refused.value
    assert error.field == field
    assert field in str(error)
    assert agent is None or error.agent == agent
    assert error.t == (None if field == "t" else 4)
    assert camera.maybe_build_frame(3) == before
    assert film(camera, GOOD[4:]) == film(camera_at(3), GOOD[4:])


def test_ids_that_repeat_in_any_place_are_found():
    """Also after ticks of the same ids, of ascending ids and of other ids."""
    camera = SlidingWindowCamera(W=1, stride=1)
    unsorted = np.array([9, 5, 7, 3], dtype=np.int64)
    nothing = {"experience": np.zeros(4), "side": np.zeros(4, np.int8), "price": np.zeros(4)}
    empty = np.empty((0, 2), dtype=np.int64)
    t = 0
    for i, k in ((i, k) for i in range(4) for k in range(4) if i != k):
        repeated = unsorted.copy()
        repeated[i] = repeated[k]
        for ids in (unsorted, np.sort(unsorted), repeated):
            t += 1
            if ids is repeated:
                with pytest.raises(TickError, match="agent_id"):
                    camera.ingest_arrays(t, 1.0, ids, **nothing, matches=empty)
            else:
                camera.ingest_arrays(t, 1.0, ids, **nothing, matches=empty)


@pytest.mark.parametrize("ignored", [np.nan, np.inf, -np.inf, 7.0])
def test_the_price_of_a_none_is_ignored_in_arrays(ignored):
    texts = []
    for price in (np.nan, ignored):
        camera = SlidingWindowCamera(W=1, stride=1)
        camera.ingest_arrays(**columns(price=np.array([100.0, price, 101.0])))
        texts.append(camera.maybe_build_frame(4))
    assert texts[0] == texts[1]


def test_the_caller_may_use_its_arrays_again():
    """What was handed in is neither changed nor looked at later."""
    raws = list(crowd(1, 30, agents=9, lifetime=10))
    careful, hasty = SlidingWindowCamera(W=8, stride=3), SlidingWindowCamera(W=8, stride=3)
    expected = film(careful, raws)
    assert expected
    for raw in raws:
        given_arrays = arrays_of(raw)
        hasty.ingest_arrays(**given_arrays)
        for name, untouched in arrays_of(raw).items():
            if isinstance(untouched, np.ndarray):
                np.testing.assert_array_equal(given_arrays[name], untouched)
                given_arrays[name].fill(1)
        frame = hasty.maybe_build_frame(raw["t"])
        assert (raw["t"] in expected) == (frame is not None)
    assert film(careful, []) == {}
    assert frame is None or frame == careful.maybe_build_frame(raw["t"])


@given(st.data())
def test_arrays_with_strides_and_other_widths_give_the_same_frame(data):
    """Views, reversed views and narrower dtypes hold the same numbers."""
    raw = next(crowd(data.draw(st.integers(0, 999)), 1, agents=6, lifetime=9, start=5))
    plain, odd = SlidingWindowCamera(W=1, stride=1), SlidingWindowCamera(W=1, stride=1)
    arrays = arrays_of(raw)
    plain.ingest_arrays(**arrays)
    for name in ("agent_id", "experience", "side", "price", "matches"):
        spread = np.zeros((arrays[name].shape[0] * 2, *arrays[name].shape[1:]), arrays[name].dtype)
        spread[::2] = arrays[name]
        arrays[name] = data.draw(st.sampled_from([arrays[name], spread[::2]]))
    arrays["side"] = arrays["side"].astype(
        data.draw(st.sampled_from([np.int8, np.int64, np.uint8]))
    )
    odd.ingest_arrays(**arrays)
    assert plain.maybe_build_frame(5) == odd.maybe_build_frame(5)
