from __future__ import annotations

import pytest

from marketcam.server.lanes import LaneLimits, Lanes
from marketcam.server.messages import Entry, Gap, Message

ROOMY = LaneLimits(lane_bytes=10_000, metrics=100, frames=4)


def metric(t: int, size: int = 10) -> Entry:
    return Entry(None, Message("metric", t, b"m" * size))


def frame(t: int, size: int = 10) -> Entry:
    return Entry(None, Message("frame", t, b"f" * size))


def order(lanes: Lanes) -> list[tuple[str, int]]:
    return [(message.kind, message.t) for _, message in lanes.drain()]


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
    [LaneLimits(lane_bytes=30, metrics=100, frames=4), LaneLimits(10_000, metrics=3, frames=4)],
    ids=["by bytes", "by number"],
)
def test_metrics_drop_their_oldest_and_declare_it_before_the_next(limits: LaneLimits) -> None:
    lanes = Lanes(limits, "slow")
    dropped = [lanes.push(metric(t)) for t in range(1, 6)]
    assert dropped == [0, 0, 0, 1, 1]
    assert [(gap, message.t) for gap, message in lanes.drain()] == [
        (Gap("metric", 1, 2, "slow"), 3),
        (None, 4),
        (None, 5),
    ]


def test_one_frame_too_many_leaves_the_latest() -> None:
    lanes = Lanes(ROOMY, "slow")
    dropped = [lanes.push(frame(t)) for t in range(10, 15)]
    assert dropped == [0, 0, 0, 0, 4]
    assert [(gap, message.t) for gap, message in lanes.drain()] == [
        (Gap("frame", 10, 13, "slow"), 14)
    ]


def test_dropped_metrics_leave_the_frames_alone() -> None:
    lanes = Lanes(LaneLimits(10_000, metrics=1, frames=4), "slow")
    for t in (1, 2, 3):
        lanes.push(metric(t))
        lanes.push(frame(t))
    assert order(lanes) == [("frame", 1), ("frame", 2), ("metric", 3), ("frame", 3)]


def test_a_message_larger_than_the_lane_still_waits_alone() -> None:
    lanes = Lanes(LaneLimits(lane_bytes=100, metrics=10, frames=4), "slow")
    assert lanes.push(frame(1, size=1000)) == 0
    assert lanes.push(frame(2, size=1000)) == 1
    assert lanes.push(metric(2, size=1000)) == 0
    assert lanes.push(metric(3, size=1000)) == 1
    assert lanes.bytes == 2000


def test_a_gap_is_declared_once() -> None:
    lanes = Lanes(LaneLimits(10_000, metrics=1, frames=4), "busy")
    lanes.push(metric(1))
    lanes.push(metric(2))
    assert lanes.pop().gap == Gap("metric", 1, 1, "busy")
    lanes.push(metric(3))
    assert lanes.pop().gap is None


def test_a_gap_that_came_with_a_message_is_kept_when_that_is_dropped() -> None:
    lanes = Lanes(LaneLimits(10_000, metrics=1, frames=4), "slow")
    lanes.push(Entry(Gap("metric", 1, 7, "busy"), metric(8).message))
    lanes.push(metric(9))
    gap, message = lanes.pop()
    assert (gap, message.t) == (Gap("metric", 1, 8, "slow"), 9)


def test_a_gap_that_came_with_a_message_goes_out_with_it() -> None:
    lanes = Lanes(LaneLimits(10_000, metrics=1, frames=4), "slow")
    lanes.push(metric(1))
    lanes.push(Entry(Gap("metric", 2, 7, "busy"), metric(8).message))
    assert lanes.pop().gap == Gap("metric", 1, 7, "slow")


def test_texts() -> None:
    gap = Gap("frame", 10, 20, "slow")
    assert gap.text == '{"type":"gap","kind":"frame","from_t":10,"to_t":20,"reason":"slow"}'
    message = Message("metric", 1, '{"µ":1}'.encode())
    assert message.text == '{"µ":1}'
    assert message.text is message.text
    assert message.size == 8
