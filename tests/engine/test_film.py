"""`film`: what a notebook gets is what the camera gives, tick by tick."""

from __future__ import annotations

import itertools

import pytest

from marketcam.engine import Frame, LimitError, SlidingWindowCamera, Tick, TickError, film
from marketcam.engine.market import InfiniteGameMarket
from tests.raw_ticks import crowd, tick

W, STRIDE = 6, 2
RAWS = list(crowd(5, 24, agents=7, lifetime=9))


def expected(raws, **options) -> list[dict]:
    camera = SlidingWindowCamera(W=W, stride=STRIDE, **options)
    frames = []
    for raw in raws:
        camera.ingest(raw)
        frames.append(camera.maybe_build_frame(raw["t"]))
    return [frame for frame in frames if frame is not None]


def dicts(frames) -> list[dict]:
    return [frame.to_dict() for frame in frames]


@pytest.mark.kernel
def test_frames_are_those_of_the_camera_whatever_form_the_ticks_have():
    wanted = expected(RAWS)
    assert len(wanted) > 5
    frames = list(film(RAWS, W=W, stride=STRIDE))  # kept until the end: each has its own arrays
    assert all(isinstance(frame, Frame) for frame in frames)
    assert dicts(frames) == wanted
    assert dicts(film(map(Tick.from_dict, RAWS), W, STRIDE)) == wanted
    mixed = (raw if raw["t"] % 3 else Tick.from_dict(raw) for raw in RAWS)
    assert dicts(film(mixed, W, STRIDE)) == wanted


@pytest.mark.kernel
def test_the_camera_s_other_settings_are_taken_under_their_names():
    options = {"edge_cap": 3, "proximity": "neighbors", "match_share": 0.0, "eps_pct": 0.01}
    assert dicts(film(RAWS, W, STRIDE, **options)) == expected(RAWS, **options)


@pytest.mark.kernel
def test_ticks_without_end_are_filmed_as_they_come():
    frames = film(InfiniteGameMarket(agents=5), W=10, stride=5)
    assert [frame.t for frame in itertools.islice(frames, 3)] == [10, 15, 20]


def test_settings_are_refused_before_the_first_tick():
    with pytest.raises(LimitError, match="W must be"):
        film([], W=0)
    with pytest.raises(LimitError, match="bad_tick must be 'fail' or 'skip', got 'maybe'"):
        film([], bad_tick="maybe")
    with pytest.raises(LimitError, match="bad_tick must be 'skip'"):
        film([], on_bad=print)
    with pytest.raises(TypeError, match="no_such"):
        film([], no_such=1)


def test_a_bad_tick_ends_the_frames_with_its_error():
    raws = [*RAWS[:8], tick(8, buys={1: float("nan")})]
    frames = film(raws, W, STRIDE)
    assert [next(frames).t] == [6]
    with pytest.raises(TickError, match="tick 8, agent 1: price must be finite"):
        next(frames)


@pytest.mark.parametrize("bad", [{"t": 8, "mid": "x"}, {"t": 3}, "text", {"mid": 1.0}])
def test_a_skipped_tick_is_told_and_is_a_hole(bad):
    told: list[TickError] = []
    raws = [*RAWS[:8], bad, *RAWS[9:]]
    frames = list(film(raws, W, STRIDE, bad_tick="skip", on_bad=told.append))
    assert [frame.t for frame in frames] == [6, 14, 16, 18, 20, 22]
    assert len(told) == 1
    assert isinstance(told[0], TickError)
    assert dicts(film(raws, W, STRIDE, bad_tick="skip")) == dicts(frames)
