"""The stage after the engine: order, overlap and faults."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.engine import Metric, SlidingWindowCamera, Tick
from marketcam.io import encode_frame, encode_frame_columns, encode_metric, encode_tick
from marketcam.server.running import encoding
from marketcam.server.running.encoding import EncodingStage, Outputs, Times
from marketcam.server.running.stages import StageTime
from marketcam.server.stream.selection import Form
from tests.server_helpers import PATIENCE, state_tick

if TYPE_CHECKING:
    from marketcam.engine import Frame
    from marketcam.server.stream.messages import Message

LARGE = 50


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "LARGE_ROWS", LARGE)


def tick_of(t: int, agents: int) -> Tick:
    return Tick.from_dict(state_tick(t, agents=dict.fromkeys(range(agents), 0.5)))


def frame_of(t: int, agents: int) -> Frame:
    camera = SlidingWindowCamera(W=1, stride=1)
    camera.ingest_tick(tick_of(t, agents))
    frame = camera.maybe_frame(t)
    assert frame is not None
    return frame


def metric_of(t: int) -> Metric:
    metric = Metric.of(tick_of(t, 3))
    assert metric is not None
    return metric


class Desk:
    """Takes what is handed out; it can be made to wait, and to fail."""

    def __init__(self, wanted: tuple[Any, ...] = ()) -> None:
        self.lines: list[tuple[str, int, bytes]] = []
        self.published: list[Message] = []
        self.threads: list[str] = []
        self.is_open = threading.Event()
        self.is_open.set()
        self.fails_at: int | None = None
        self.faults = threading.Event()
        outputs = Outputs(self.record, self.published.append, lambda: wanted)
        times = Times(StageTime(), StageTime())
        self.stage = EncodingStage(outputs, times, self.faults.set)

    def record(self, kind: str, line: bytes, t: int) -> None:
        assert self.is_open.wait(PATIENCE)
        if t == self.fails_at:
            raise ZeroDivisionError("a fault")
        self.lines.append((kind, t, line))
        self.threads.append(threading.current_thread().name)

    @property
    def order(self) -> list[tuple[str, int]]:
        return [(kind, t) for kind, t, _ in self.lines]


def test_small_things_are_done_at_once() -> None:
    desk = Desk()
    tick, frame = tick_of(1, 3), frame_of(1, 3)
    with desk.stage as stage:
        stage.take(tick)
        stage.take(metric_of(1))
        stage.take(frame)
        assert desk.lines == [
            ("ticks", 1, encode_tick(tick)),
            ("metrics", 1, encode_metric(metric_of(1))),
            ("frames", 1, encode_frame(frame)),
        ]
    assert set(desk.threads) == {threading.current_thread().name}
    assert [message.kind for message in desk.published] == ["metric", "frame"]


def test_large_frames_are_done_elsewhere_and_nothing_overtakes_them() -> None:
    desk = Desk()
    desk.is_open.clear()
    with desk.stage as stage:
        for t in (1, 2):
            stage.take(metric_of(t)) if t > 1 else None
            stage.take(frame_of(t, 2 * LARGE))
        stage.take(metric_of(3))
        stage.take(frame_of(3, 3))
        assert desk.lines == []
        desk.is_open.set()
    assert desk.order == [
        ("frames", 1),
        ("metrics", 2),
        ("frames", 2),
        ("metrics", 3),
        ("frames", 3),
    ]
    assert set(desk.threads) == {"encoding"}


def test_small_things_are_done_at_once_again_when_all_is_done() -> None:
    desk = Desk()
    with desk.stage as stage:
        stage.take(frame_of(1, 2 * LARGE))
        while not stage._queue.is_idle:
            pass
        stage.take(metric_of(2))
        assert desk.order == [("frames", 1), ("metrics", 2)]
    assert desk.threads == ["encoding", threading.current_thread().name]


JSON, COLUMNS = Form(), Form("columns")


def test_encodings_are_made_only_where_they_are_wanted() -> None:
    frame = frame_of(1, 3)
    for wanted in ((), (JSON,), (COLUMNS,), (JSON, COLUMNS)):
        desk = Desk(wanted)
        with desk.stage as stage:
            stage.take(frame)
        (message,) = desk.published
        assert desk.lines[0][2] is message.body().data
        made = message.body(COLUMNS).size is not None
        assert made == (COLUMNS in wanted)
        assert message.body(COLUMNS).data == encode_frame_columns(frame)


@pytest.mark.parametrize("wanted", [[Form(deflate=True)], [Form(edges=n) for n in range(16)]])
def test_what_is_wanted_in_many_forms_is_made_elsewhere(wanted: list[Form]) -> None:
    frame = frame_of(1, 6)
    desk = Desk(tuple(wanted))
    with desk.stage as stage:
        stage.take(frame)
    (message,) = desk.published
    assert desk.threads == ["encoding"]
    assert all(message.body(form).is_ready for form in wanted)


def test_a_fault_at_once_is_raised_at_once() -> None:
    desk = Desk()
    desk.fails_at = 1
    with pytest.raises(ZeroDivisionError), desk.stage as stage:
        stage.take(metric_of(1))
    assert not desk.faults.is_set()


def test_a_fault_elsewhere_is_told_at_once_and_raised_with_the_next_thing() -> None:
    desk = Desk()
    desk.fails_at = 1
    desk.stage.take(frame_of(1, 2 * LARGE))
    assert desk.faults.wait(PATIENCE)
    with pytest.raises(ZeroDivisionError):
        desk.stage.take(metric_of(2))
    with pytest.raises(ZeroDivisionError):
        desk.stage.__exit__(None, None, None)
    assert desk.lines == []


def test_a_fault_elsewhere_is_raised_on_leaving_when_nothing_more_comes() -> None:
    desk = Desk()
    desk.fails_at = 1
    with pytest.raises(ZeroDivisionError), desk.stage as stage:
        stage.take(frame_of(1, 2 * LARGE))


def test_a_fault_elsewhere_comes_before_what_followed_from_it() -> None:
    desk = Desk()
    desk.fails_at = 1
    desk.stage.take(frame_of(1, 2 * LARGE))
    with pytest.raises(ZeroDivisionError):
        desk.stage.__exit__(ValueError, ValueError("the source was closed meanwhile"), None)
