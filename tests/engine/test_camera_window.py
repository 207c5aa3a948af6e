"""The ring: when frames are due, what holes do, and that the past leaves no trace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import SlidingWindowCamera
from tests.comparing import film, film_with_twin
from tests.raw_ticks import crowd, tick
from tests.strategies import scenes

pytestmark = pytest.mark.kernel

HERE = {"buys": {4: 99.0}, "sells": {9: 101.0}, "agents": {4: 0.25, 9: 0.5}, "matches": [[4, 9]]}


def due(camera, numbers, **content):
    """Take ticks of equal content and return the numbers at which there was a frame."""
    return list(film(camera, (tick(t, **content) for t in numbers)))


def test_a_new_camera_has_no_frame():
    camera = SlidingWindowCamera(W=1, stride=1)
    for t in (0, 1, -1, 300):
        assert camera.maybe_frame(t) is None
        assert camera.maybe_build_frame(t) is None


@pytest.mark.parametrize(
    ("W", "stride", "start", "end", "expected"),
    [
        (1, 1, 0, 4, [1, 2, 3, 4]),  # t = 0 is before W
        (3, 1, 0, 6, [3, 4, 5, 6]),  # the first frame is at W, not at W - 1
        (3, 1, 1, 5, [3, 4, 5]),
        (3, 1, 2, 6, [4, 5, 6]),
        (4, 3, 0, 13, [6, 9, 12]),  # stride does not divide W
        (4, 4, 0, 12, [4, 8, 12]),
        (4, 2, 5, 12, [8, 10, 12]),
        (2, 5, 0, 16, [5, 10, 15]),  # stride exceeds W
        (2, 5, 9, 16, [10, 15]),
        (300, 10, 0, 320, [300, 310, 320]),
        (5, 1, -7, 6, [5, 6]),  # before t = W no frame, however full the window
    ],
)
def test_frames_are_due(W, stride, start, end, expected):
    camera = SlidingWindowCamera(W=W, stride=stride)
    assert due(camera, range(start, end + 1), **HERE) == expected


@pytest.mark.parametrize("W", [1, 2, 5])
@pytest.mark.parametrize("stride", [1, 2, 3, 7])
@pytest.mark.parametrize("content", [{}, HERE, {"mid": None}], ids=["empty", "quotes", "no mid"])
def test_two_wraps_of_the_ring(W, stride, content):
    ticks = [tick(t, **content) for t in range(W + 2 * max(W, stride) + stride + 1)]
    assert film_with_twin(ticks, W=W, stride=stride, eps_pct=0.02, edge_cap=9) >= 2


@pytest.mark.parametrize("length", ["W-1", "W", "W+1", "2W", "2W+1"])
def test_an_agent_that_stays_away_and_comes_back(length):
    W = 6
    away = {"W-1": W - 1, "W": W, "W+1": W + 1, "2W": 2 * W, "2W+1": 2 * W + 1}[length]
    ticks = [tick(t, buys={5: 100.0}, agents={5: t * 0.01}) for t in range(W)]
    ticks += [tick(t, sells={7: 100.5}) for t in range(W, W + away)]
    ticks += [tick(t, sells={5: 100.0, 7: 100.0}) for t in range(W + away, 3 * W + away)]
    assert film_with_twin(ticks, W=W, stride=1, eps_pct=0.003, edge_cap=9) == len(ticks) - W


def test_a_hole_restarts_the_window():
    camera = SlidingWindowCamera(W=3, stride=1)
    assert due(camera, [1, 2, 3, 4, 6, 7], **HERE) == [3, 4]
    assert due(camera, [8, 9, 11, 12], **HERE) == [8, 9]
    assert due(camera, [13, 1000, 1001, 1002], **HERE) == [13, 1002]


def test_the_last_mid_is_carried_over_ticks_and_holes():
    camera = SlidingWindowCamera(W=1, stride=1)
    distances = []
    for t, mid in [(1, None), (2, 100.0), (3, None), (9, None), (10, 50.0), (99, None)]:
        camera.ingest(tick(t, mid, buys={1: 110.0}))
        node = camera.maybe_build_frame(t)["nodes"][0]
        distances.append(node["features"]["quote_dist_to_mid_mean"])
    assert distances == [0.0, 0.1, 0.1, 0.1, 1.2, 1.2]


@pytest.mark.parametrize("mid", [0.0, -0.0, -100.0])
def test_a_mid_that_is_not_positive_is_carried_like_any_other(mid):
    ticks = [tick(0, 100.0), tick(1, mid), tick(2, None), tick(3, None)]
    for raw in ticks:
        raw["actions"] = tick(0, buys={1: 50.0, 2: 50.0})["actions"]
    assert film_with_twin(ticks, W=2, stride=1, eps_pct=0.1, edge_cap=9) == 2


def test_a_window_without_anybody():
    camera = SlidingWindowCamera(W=2, stride=2)
    camera.ingest({"t": 1})
    camera.ingest({"t": 2, "mid": None, "agents": {}, "actions": {}, "matches": []})
    frame = camera.maybe_build_frame(2)
    assert frame["nodes"] == []
    assert frame["edges"] == []
    assert frame["events"] == {"bursts": [], "shocks": []}


# ---- a frame is a function of its W ticks and the carried mid ------------------------------------


def mid_before(raws):
    """The mid that holds after these ticks, or None."""
    mids = [raw["mid"] for raw in raws if raw["mid"] is not None]
    return mids[-1] if mids else None


def film_alone(arguments, window, carried):
    """The frame of a camera that was given these W ticks only, after a bringer of the mid."""
    camera = SlidingWindowCamera(**arguments)
    if carried is not None:
        camera.ingest({"t": window[0]["t"] - 2, "mid": carried})
    return film(camera, window)


def assert_no_trace_of_the_past(raws, arguments):
    W = arguments["W"]
    texts = film(SlidingWindowCamera(**arguments), raws)
    for t, text in texts.items():
        end = next(i for i, raw in enumerate(raws) if raw["t"] == t) + 1
        window, carried = raws[end - W : end], mid_before(raws[: end - W])
        assert film_alone(arguments, window, carried) == {t: text}
    return len(texts)


@given(scenes())
def test_the_past_leaves_no_trace(scene):
    arguments, raws = scene
    assert_no_trace_of_the_past(raws, arguments)


@given(st.integers(0, 2**32), st.integers(1, 24), st.integers(1, 26))
def test_the_past_of_a_crowd_leaves_no_trace(seed, W, stride):
    """Sums of many uneven floats, in slots that others had before."""
    raws = list(crowd(seed, 3 * max(W, stride) + 2, agents=7, lifetime=6))
    arguments = {"W": W, "stride": stride, "edge_cap": 20, "burst_z": 1.0, "shock_z": 1.0}
    assert assert_no_trace_of_the_past(raws, arguments) > 0


def test_a_long_run_does_not_drift():
    """Prices of very different sizes, some of which would swallow the others in a running sum."""
    raws = list(crowd(5, 1200, agents=6, lifetime=300))
    for raw in raws[:600]:
        for action in raw["actions"].values():
            action["price"] *= 1e12
    arguments = {"W": 50, "stride": 20, "edge_cap": 20}
    camera = SlidingWindowCamera(**arguments)
    film(camera, raws[:-200])
    late = film(camera, raws[-200:])
    assert len(late) == 10
    for t, text in late.items():
        window = raws[t - 49 : t + 1]
        assert film_alone(arguments, window, mid_before(raws[: t - 49])) == {t: text}
