"""The camera against the plain twin, on drawn streams and on whole crowds."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import SlidingWindowCamera
from marketcam.engine.lanes import SIDE
from marketcam.io import encode_frame
from tests.comparing import compare, film, film_with_twin
from tests.oracle import OracleCamera
from tests.raw_ticks import arrays_of, crowd
from tests.strategies import scenes

pytestmark = pytest.mark.kernel


@given(scenes(faults=True))
def test_every_frame_equals_the_twins(scene):
    arguments, raws = scene
    film_with_twin(raws, **arguments)


@given(scenes())
def test_dict_and_array_form_give_the_same_bytes(scene):
    arguments, raws = scene
    by_dict, by_arrays = SlidingWindowCamera(**arguments), SlidingWindowCamera(**arguments)
    for raw in raws:
        by_dict.ingest(raw)
        by_arrays.ingest_arrays(**arrays_of(raw))
        frame, twin = by_dict.maybe_frame(raw["t"]), by_arrays.maybe_frame(raw["t"])
        assert (frame is None) == (twin is None)
        if frame is not None:
            assert encode_frame(frame) == encode_frame(twin)


@given(scenes())
def test_asking_changes_nothing(scene):
    """Asked twice, not at all, or for other ticks: the frames that are asked for are the same."""
    arguments, raws = scene
    asked, rarely_asked = SlidingWindowCamera(**arguments), SlidingWindowCamera(**arguments)
    for count, raw in enumerate(raws):
        t = raw["t"]
        asked.ingest(raw)
        rarely_asked.ingest(raw)
        frame = asked.maybe_build_frame(t)
        assert asked.maybe_build_frame(t) == frame
        assert asked.maybe_build_frame(t - 1) is None
        assert asked.maybe_build_frame(t + 1) is None
        assert asked.maybe_build_frame(t) == frame
        if count % 3 == 2 or raw is raws[-1]:
            assert rarely_asked.maybe_build_frame(t) == frame


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
def test_frames_that_nobody_asked_for(proximity):
    """Whichever due frames are left out, the next one is right."""
    arguments = {"W": 20, "stride": 3, "edge_cap": 60, "eps_pct": 0.01, "proximity": proximity}
    raws = list(crowd(9, 110, agents=8, lifetime=15))
    expected = film(SlidingWindowCamera(**arguments), raws)
    for left_out in range(1, 10):
        camera = SlidingWindowCamera(**arguments)
        for raw in raws:
            camera.ingest(raw)
            if raw["t"] in expected and (raw["t"] // 3) % (left_out + 1) == 0:
                assert encode_frame(camera.maybe_frame(raw["t"])) == expected[raw["t"]]


@given(scenes(gaps=False))
def test_a_frame_stays_as_it_is_while_the_camera_goes_on(scene):
    arguments, raws = scene
    camera = SlidingWindowCamera(**arguments)
    taken = []
    for raw in raws:
        camera.ingest(raw)
        if (frame := camera.maybe_frame(raw["t"])) is not None:
            taken.append((frame, encode_frame(frame)))
    for frame, text in taken:
        assert encode_frame(frame) == text
        assert orjson.loads(text) == frame.to_dict()


@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_agents_and_matches_in_a_tick_means_nothing(scene, rng):
    arguments, raws = scene
    shuffled = [_shuffled(raw, rng) for raw in raws]
    straight, mixed = SlidingWindowCamera(**arguments), SlidingWindowCamera(**arguments)
    assert film(straight, raws) == film(mixed, shuffled)


def _shuffled(raw, rng):
    def mix(values):
        return rng.sample(list(values), len(values))

    parts = {name: dict(mix(raw[name].items())) for name in ("agents", "actions")}
    return raw | parts | {"matches": mix(raw["matches"])}


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
@pytest.mark.parametrize(
    ("W", "stride", "agents", "lifetime"),
    [
        (1, 1, 12, 3),
        (7, 3, 20, 5),
        (16, 4, 25, 1000),
        (24, 5, 25, 6),
        (5, 12, 20, 4),
        (20, 20, 15, 10),
    ],
)
def test_a_crowd_that_comes_and_goes(proximity, W, stride, agents, lifetime):
    arguments = {
        "W": W,
        "stride": stride,
        "eps_pct": 0.01,
        "edge_cap": 60,
        "proximity": proximity,
        "burst_z": 2.0,
        "shock_z": 1.5,
    }
    raws = crowd(W * 31 + stride, 4 * W + 40, agents=agents, lifetime=lifetime)
    assert film_with_twin(raws, **arguments) > 0


def test_slots_grow_past_doublings_and_shrink_to_nothing_that_shows():
    """From 3 agents to 150 and back, with everybody replaced within two windows."""
    arguments = {"W": 6, "stride": 5, "eps_pct": 0.002, "edge_cap": 500}
    camera, twin = SlidingWindowCamera(**arguments), OracleCamera(**arguments)
    frames = t = 0
    for agents in (3, 8, 17, 40, 90, 150, 20, 2):
        for raw in crowd(agents, 11, agents=agents, lifetime=12, start=t):
            camera.ingest(raw)
            twin.ingest(raw)
            t = raw["t"]
            frames += compare(camera, twin, t)
        t += 1
    assert frames == 16


def test_a_large_crowd():
    """More agents than fit into one tile of pairs."""
    arguments = {"W": 5, "stride": 3, "eps_pct": 0.01, "edge_cap": 4000}
    raws = list(crowd(6, 9, agents=SIDE + 50, lifetime=400))
    assert film_with_twin(raws, **arguments) == 1


@pytest.mark.parametrize("start", [-1, -3, -12, -25, -(10**9)])
def test_a_run_that_begins_before_zero(start):
    """Ticks may be numbered from below zero; frames come from t = W on."""
    arguments = {"W": 12, "stride": 3, "eps_pct": 0.004, "edge_cap": 40}
    length = 60 if start > -100 else 30
    frames = film_with_twin(crowd(3, length, agents=20, lifetime=15, start=start), **arguments)
    assert (frames > 0) == (start > -100)
