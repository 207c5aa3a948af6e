from __future__ import annotations

import pytest

from marketcam.engine import SlidingWindowCamera
from marketcam.io import encode_frame, encode_frame_columns
from marketcam.server.stream.lanes import LaneLimits, Lanes
from marketcam.server.stream.messages import Entry, Gap, Message
from marketcam.server.stream.selection import Form
from tests.server_helpers import state_tick

ROOMY = LaneLimits(lane_bytes=10_000, messages=100, frame_seconds=2.0)


def metric(t: int, size: int = 10) -> Entry:
    return Entry(None, Message.of_text("metric", t, b"m" * size))


def frame(t: int, size: int = 10, at: float = 0.0) -> Entry:
    message = Message.of_text("frame", t, b"f" * size)
    message.at = at
    return Entry(None, message)


def order(lanes: Lanes) -> list[tuple[str, int]]:
    return [(message.kind, message.t) for _, message in lanes.drain(1000)]


def test_come_out_by_tick_the_metric_before_the_frame() -> None:
    lanes = Lanes(ROOMY, "slow")
    for entry in (frame(2), metric(1), metric(2), metric(3), frame(4), metric(4)):
        lanes.push(entry)
    assert order(lanes) == [
        ("metric", 1),
        ("metric", 2),
        ("frame", 2),
        ("metric", 3),
        ("metric", 4),
        ("frame", 4),
    ]
    assert not lanes


def test_popping_from_nothing_is_an_error() -> None:
    with pytest.raises(IndexError):
        Lanes(ROOMY, "slow").pop()


def test_count_their_bytes() -> None:
    lanes = Lanes(ROOMY, "slow")
    lanes.push(metric(1, size=30))
    lanes.push(frame(1, size=500))
    assert lanes.bytes == 530
    lanes.pop()
    assert lanes.bytes == 500


@pytest.mark.parametrize(
    "limits",
    [LaneLimits(lane_bytes=30, messages=100), LaneLimits(10_000, messages=3)],
    ids=["by bytes", "by number"],
)
def test_metrics_drop_their_oldest_and_declare_it_before_the_next(limits: LaneLimits) -> None:
    lanes = Lanes(limits, "slow")
    dropped = [lanes.push(metric(t)) for t in range(1, 6)]
    assert dropped == [0, 0, 0, 1, 1]
    assert [(gap, message.t) for gap, message in lanes.drain(1000)] == [
        (Gap("metric", 1, 2, "slow"), 3),
        (None, 4),
        (None, 5),
    ]


@pytest.mark.parametrize(
    "limits",
    [LaneLimits(lane_bytes=40, messages=100), LaneLimits(10_000, messages=4)],
    ids=["by bytes", "by number"],
)
def test_one_frame_too_many_leaves_the_latest(limits: LaneLimits) -> None:
    lanes = Lanes(limits, "slow")
    dropped = [lanes.push(frame(t)) for t in range(10, 15)]
    assert dropped == [0, 0, 0, 0, 4]
    assert [(gap, message.t) for gap, message in lanes.drain(1000)] == [
        (Gap("frame", 10, 13, "slow"), 14)
    ]


def test_a_frame_too_old_leaves_the_latest() -> None:
    lanes = Lanes(ROOMY, "slow")
    dropped = [lanes.push(frame(t, at=0.5 * t)) for t in range(6)]
    assert dropped == [0, 0, 0, 0, 0, 5]
    assert order(lanes) == [("frame", 5)]


def test_small_frames_of_one_moment_all_wait() -> None:
    lanes = Lanes(ROOMY, "slow")
    assert [lanes.push(frame(t)) for t in range(100)] == [0] * 100
    assert order(lanes) == [("frame", t) for t in range(100)]


def test_are_drained_in_parts() -> None:
    lanes = Lanes(ROOMY, "busy")
    for t in range(5):
        lanes.push(metric(t))
    assert [[message.t for _, message in lanes.drain(2)] for _ in range(4)] == [
        [0, 1],
        [2, 3],
        [4],
        [],
    ]


def test_dropped_metrics_leave_the_frames_alone() -> None:
    lanes = Lanes(LaneLimits(60, messages=10), "slow")
    for t in (1, 2, 3):
        lanes.push(metric(t, size=50))
        lanes.push(frame(t))
    assert order(lanes) == [("frame", 1), ("frame", 2), ("metric", 3), ("frame", 3)]


def test_a_message_larger_than_the_lane_still_waits_alone() -> None:
    lanes = Lanes(LaneLimits(lane_bytes=100, messages=10), "slow")
    assert lanes.push(frame(1, size=1000)) == 0
    assert lanes.push(frame(2, size=1000)) == 1
    assert lanes.push(metric(2, size=1000)) == 0
    assert lanes.push(metric(3, size=1000)) == 1
    assert lanes.bytes == 2000


def test_a_gap_is_declared_once() -> None:
    lanes = Lanes(LaneLimits(10_000, messages=1), "busy")
    lanes.push(metric(1))
    lanes.push(metric(2))
    assert lanes.pop().gap == Gap("metric", 1, 1, "busy")
    lanes.push(metric(3))
    assert lanes.pop().gap is None


def test_a_gap_that_came_with_a_message_is_kept_when_that_is_dropped() -> None:
    lanes = Lanes(LaneLimits(10_000, messages=1), "slow")
    lanes.push(Entry(Gap("metric", 1, 7, "busy"), metric(8).message))
    lanes.push(metric(9))
    gap, message = lanes.pop()
    assert (gap, message.t) == (Gap("metric", 1, 8, "slow"), 9)


def test_a_gap_that_came_with_a_message_goes_out_with_it() -> None:
    lanes = Lanes(LaneLimits(10_000, messages=1), "slow")
    lanes.push(metric(1))
    lanes.push(Entry(Gap("metric", 2, 7, "busy"), metric(8).message))
    assert lanes.pop().gap == Gap("metric", 1, 7, "slow")


def test_bytes_are_those_of_the_form_when_they_came() -> None:
    film = SlidingWindowCamera(W=1, stride=1)
    film.ingest(state_tick(1))
    frame = film.maybe_frame(1)
    assert frame is not None
    form = Form("columns")
    later, prepared = Message.of_frame(frame), Message.of_frame(frame)
    prepared.body(form).prepare()
    text, columns = len(encode_frame(frame)), len(encode_frame_columns(frame))
    lanes = Lanes(ROOMY, "slow", form)
    lanes.push(Entry(None, later))
    lanes.push(Entry(None, prepared))
    assert lanes.bytes == text + columns  # what is not made yet counts as its JSON text
    later.body(form).prepare()
    lanes.pop()
    assert lanes.bytes == columns
    lanes.pop()
    assert lanes.bytes == 0


def test_tell_what_waits_without_taking_it() -> None:
    lanes = Lanes(LaneLimits(10_000, messages=2), "busy")
    for t in range(4):
        lanes.push(metric(t, size=10 + t))
    lanes.push(frame(2, size=500))
    assert lanes.peek().t == 2
    assert lanes.next_size == 12
    entries = lanes.entries()
    assert [(gap, message.kind, message.t) for gap, message in entries] == [
        (Gap("metric", 0, 1, "busy"), "metric", 2),
        (None, "frame", 2),
        (None, "metric", 3),
    ]
    assert lanes.drain(1000) == entries
    assert lanes.entries() == []


def test_are_drained_up_to_so_many_bytes_one_message_at_least() -> None:
    lanes = Lanes(ROOMY, "busy")
    for t in range(4):
        lanes.push(metric(t, size=10))
    lanes.push(frame(4, size=500))
    assert [[message.t for _, message in lanes.drain(9, 25)] for _ in range(4)] == [
        [0, 1],
        [2, 3],
        [4],
        [],
    ]
