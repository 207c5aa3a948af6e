from __future__ import annotations

import random
import signal
import threading
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.engine import LimitError, SlidingWindowCamera, Tick
from marketcam.io import encode_tick
from marketcam.io.sources import BadLine, MalformedLineError
from marketcam.server.operators.events import FoundEvents
from marketcam.server.running.pipeline import STAGES, Outputs, Pipeline, PipelineOptions
from tests.comparing import film
from tests.raw_ticks import crowd
from tests.server_helpers import PATIENCE, state_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from marketcam.server.stream.messages import Message

UNPACED = PipelineOptions(tick_rate=0)


class ListSource:
    """A source of given ticks; an exception among them is raised in its place."""

    name = "a list"
    place = "item 7"

    def __init__(self, items: Iterable[dict[str, Any] | Exception]) -> None:
        self._items = items
        self.closed = 0

    def __iter__(self) -> Iterator[Tick]:
        for item in self._items:
            if isinstance(item, Exception):
                raise item
            yield Tick.from_dict(item)

    def close(self) -> None:
        self.closed += 1


class SilentSource:
    """A source that gives one tick and then none, until it is closed."""

    name = "silence"
    place = ""

    def __init__(self) -> None:
        self.waits = threading.Event()
        self._end = threading.Event()

    def __iter__(self) -> Iterator[Tick]:
        yield Tick.from_dict(state_tick(0))
        self.waits.set()
        assert self._end.wait(PATIENCE)

    def close(self) -> None:
        self._end.set()


class Takings:
    """What a pipeline gave out, in order."""

    def __init__(self) -> None:
        self.order: list[tuple[str, int]] = []
        self.lines: dict[str, list[bytes]] = {
            "frames": [],
            "metrics": [],
            "ticks": [],
            "events": [],
        }
        self.published: list[Message] = []
        self.ended = threading.Event()

    def record(self, kind: str, line: bytes, t: int) -> None:
        self.lines[kind].append(line)
        self.order.append((kind, t))

    def publish(self, message: Message) -> None:
        self.published.append(message)
        self.order.append((message.kind, message.t))

    @property
    def outputs(self) -> Outputs:
        return Outputs(self.record, self.publish, lambda: ())


def run(
    source: Any,
    options: PipelineOptions = UNPACED,
    camera: Any = None,
    on_fatal: Callable[[], None] = lambda: None,
) -> tuple[Pipeline, Takings]:
    """Run a pipeline to the end of its source."""
    takings = Takings()
    pipeline = Pipeline(camera or SlidingWindowCamera(W=4, stride=2), takings.outputs, options)
    pipeline.start(source, on_fatal)
    assert pipeline._thread is not None
    pipeline._thread.join(PATIENCE)
    assert not pipeline.running
    return pipeline, takings


def ticks(first: int, last: int) -> list[dict[str, Any]]:
    return [state_tick(t) for t in range(first, last + 1)]


def test_gives_out_the_metric_before_the_frame_and_records_each_before_it_publishes_it() -> None:
    source = ListSource(ticks(0, 6))
    pipeline, takings = run(source)
    assert takings.order == [
        *[(kind, t) for t in range(4) for kind in ("metrics", "metric")],
        ("metrics", 4),
        ("metric", 4),
        ("frames", 4),
        ("frame", 4),
        ("metrics", 5),
        ("metric", 5),
        ("metrics", 6),
        ("metric", 6),
        ("frames", 6),
        ("frame", 6),
    ]
    recorded = takings.lines["metrics"] + takings.lines["frames"]
    published = sorted(takings.published, key=lambda message: message.kind, reverse=True)
    assert all(
        line is message.body().data for line, message in zip(recorded, published, strict=True)
    )
    assert (pipeline.ticks, pipeline.last_t, pipeline.error) == (7, 6, None)
    assert source.closed >= 1


def test_frames_are_those_of_the_camera() -> None:
    raws = list(crowd(5, 60, agents=12, lifetime=20))
    _, takings = run(ListSource(raws))
    alone = film(SlidingWindowCamera(W=4, stride=2), raws)
    assert takings.lines["frames"] == list(alone.values())
    assert [orjson.loads(line)["t"] for line in takings.lines["metrics"]] == list(range(60))


def test_metrics_are_made_every_so_many_ticks() -> None:
    _, takings = run(ListSource(ticks(1, 10)), PipelineOptions(tick_rate=0, metric_downsample=3))
    assert [orjson.loads(line)["t"] for line in takings.lines["metrics"]] == [3, 6, 9]
    assert len(takings.lines["frames"]) == 4


def test_ticks_are_recorded_when_asked_for() -> None:
    raws = ticks(0, 5)
    _, takings = run(ListSource(raws), PipelineOptions(tick_rate=0, record_ticks=True))
    assert takings.lines["ticks"] == [encode_tick(Tick.from_dict(raw)) for raw in raws]
    assert takings.order[:3] == [("ticks", 0), ("metrics", 0), ("metric", 0)]


def test_a_tick_without_state_makes_no_metric_which_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raws = ticks(0, 5)
    for raw in raws[1:4]:
        del raw["s"]
    _, takings = run(ListSource(raws))
    assert [orjson.loads(line)["t"] for line in takings.lines["metrics"]] == [0, 4, 5]
    assert len(takings.lines["frames"]) == 1
    assert caplog.text.count("tick_without_state") == 1


def test_a_refused_tick_is_skipped_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    raws = [*ticks(0, 3), state_tick(2), *ticks(4, 6)]
    pipeline, takings = run(ListSource(raws))
    assert (pipeline.ticks, pipeline.refused, pipeline.error) == (7, 1, None)
    assert [orjson.loads(line)["t"] for line in takings.lines["metrics"]] == list(range(7))
    assert "tick_skipped" in caplog.text
    assert "item 7: tick 2" in caplog.text


def test_a_refused_tick_ends_the_run_when_it_is_to() -> None:
    fatal = threading.Event()
    options = PipelineOptions(tick_rate=0, bad_tick="fail")
    source = ListSource([*ticks(0, 3), state_tick(2), *ticks(4, 6)])
    pipeline, takings = run(source, options, on_fatal=fatal.set)
    assert pipeline.fatal
    assert fatal.is_set()
    assert pipeline.error is not None
    assert "item 7: tick 2: t must increase from 3" in pipeline.error
    assert (pipeline.ticks, pipeline.last_t, pipeline.refused) == (4, 3, 1)
    assert len(takings.lines["metrics"]) == 4
    assert source.closed


def test_a_limit_of_the_camera_ends_the_run_even_where_bad_ticks_are_skipped() -> None:
    camera = SlidingWindowCamera(W=4, stride=2, pair_budget_bytes=1)
    crowded = state_tick(0, agents=dict.fromkeys(range(3000), 0.5))
    pipeline, _ = run(ListSource([crowded]), camera=camera)
    assert pipeline.fatal
    assert pipeline.error is not None
    assert "pair" in pipeline.error


def test_an_error_of_the_source_ends_the_run() -> None:
    pipeline, takings = run(ListSource([*ticks(0, 2), LimitError("no more")]))
    assert (pipeline.fatal, pipeline.error) == (True, "no more")
    assert len(takings.lines["metrics"]) == 3


def test_a_fault_of_the_camera_ends_the_run_but_is_not_fatal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fatal = threading.Event()
    source = ListSource([*ticks(0, 2), ZeroDivisionError("a fault")])
    pipeline, _ = run(source, on_fatal=fatal.set)
    assert (pipeline.fatal, pipeline.error) == (False, "ZeroDivisionError: a fault")
    assert not fatal.is_set()
    assert source.closed
    assert "engine_failed" in caplog.text
    assert any(record.exc_info for record in caplog.records)


def test_a_bad_line_is_counted_and_reported_by_its_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pipeline = Pipeline(SlidingWindowCamera(), Takings().outputs, UNPACED)
    pipeline.skip_line(BadLine("ticks.jsonl", 7, MalformedLineError("not JSON")))
    assert pipeline.refused == 1
    assert "line_skipped" in caplog.text
    assert "'line': 7" in caplog.text or "line=7" in caplog.text


def test_stopping_ends_a_source_that_waits() -> None:
    source = SilentSource()
    takings = Takings()
    pipeline = Pipeline(SlidingWindowCamera(), takings.outputs, UNPACED)
    pipeline.start(source, lambda: None)
    assert source.waits.wait(PATIENCE)
    assert pipeline.running
    pipeline.stop()
    assert not pipeline.running
    assert pipeline.ticks == 1
    assert len(takings.lines["metrics"]) == 1


@pytest.mark.parametrize("is_fed", [True, False])
def test_waiting_for_a_tick_is_work_unless_it_comes_from_elsewhere(is_fed: bool) -> None:
    source = SilentSource()
    options = PipelineOptions(tick_rate=0, is_fed=is_fed)
    pipeline = Pipeline(SlidingWindowCamera(), Takings().outputs, options)
    assert pipeline.pulse.seconds == 0
    pipeline.start(source, lambda: None)
    assert source.waits.wait(PATIENCE)
    assert (pipeline.pulse.seconds == 0) is is_fed
    pipeline.stop()
    assert pipeline.pulse.seconds == 0


def test_stopping_ends_the_pacing() -> None:
    first = threading.Event()
    takings = Takings()
    outputs = Outputs(takings.record, lambda _: first.set(), lambda: ())
    pipeline = Pipeline(SlidingWindowCamera(), outputs, PipelineOptions(tick_rate=1e-6))
    pipeline.start(ListSource(ticks(0, 5)), lambda: None)
    assert first.wait(PATIENCE)
    pipeline.stop()
    assert pipeline.ticks == 1


def test_a_tick_in_hand_is_finished_when_stopped() -> None:
    takings = Takings()
    recording, may_go_on = threading.Event(), threading.Event()

    def record_slowly(kind: str, line: bytes, t: int) -> None:
        recording.set()
        assert may_go_on.wait(PATIENCE)
        takings.record(kind, line, t)

    pipeline = Pipeline(
        SlidingWindowCamera(W=1, stride=1),
        Outputs(record_slowly, takings.publish, lambda: ()),
        UNPACED,
    )
    pipeline.start(ListSource(ticks(1, 100)), lambda: None)
    assert recording.wait(PATIENCE)
    stopping = threading.Thread(target=pipeline.stop)
    stopping.start()
    pipeline._pacer._stopped.wait(PATIENCE)
    may_go_on.set()
    stopping.join(PATIENCE)
    assert takings.order == [("metrics", 1), ("metric", 1), ("frames", 1), ("frame", 1)]


def test_an_interrupt_while_waiting_does_not_let_stop_return_before_the_end() -> None:
    takings = Takings()
    main = threading.main_thread().ident
    assert main is not None
    may_go_on = threading.Event()

    def record_slowly(kind: str, line: bytes, t: int) -> None:
        if not may_go_on.is_set():
            signal.pthread_kill(main, signal.SIGINT)
        assert may_go_on.wait(PATIENCE)
        takings.record(kind, line, t)

    pipeline = Pipeline(
        SlidingWindowCamera(W=1, stride=1),
        Outputs(record_slowly, takings.publish, lambda: ()),
        UNPACED,
    )

    def run() -> None:
        pipeline.start(ListSource(ticks(1, 1)), lambda: None)
        pipeline.wait(PATIENCE)

    with pytest.raises(KeyboardInterrupt):
        run()
    stopping = threading.Thread(target=pipeline.stop)
    stopping.start()
    assert not pipeline.wait(0)
    may_go_on.set()
    stopping.join(PATIENCE)
    assert not pipeline.running
    assert takings.order[-1] == ("frame", 1)


def test_stopping_before_starting_is_fine() -> None:
    pipeline = Pipeline(SlidingWindowCamera(), Takings().outputs, UNPACED)
    pipeline.stop()
    assert (pipeline.running, pipeline.ticks, pipeline.error) == (False, 0, None)


def test_stages_are_timed() -> None:
    pipeline, _ = run(ListSource(ticks(0, 6)))
    assert tuple(pipeline.stages) == STAGES
    counts = {stage: spent.count for stage, spent in pipeline.stages.items()}
    assert counts == {"source": 8, "ingest": 7, "frame": 7, "encode": 9, "record": 9}
    assert all(spent.seconds > 0 for spent in pipeline.stages.values())


def test_what_a_run_has_recorded_is_not_handed_out_again() -> None:
    whole = run(ListSource(ticks(0, 30)), PipelineOptions(tick_rate=0, record_ticks=True))[1]
    known = {"frames": 12, "metrics": 17, "ticks": 15}
    takings, filmed = Takings(), list[tuple[int, dict[str, int]]]()
    # At this pace, a tick that was waited for would take longer than the test's patience.
    options = PipelineOptions(tick_rate=0.001, record_ticks=True)
    pipeline = Pipeline(SlidingWindowCamera(W=4, stride=2), takings.outputs, options)

    def on_filmed(t: int) -> None:
        filmed.append((t, dict(pipeline.given)))
        if t == 17:
            caught_up.set()

    caught_up = threading.Event()
    source = ListSource(ticks(3, 30))
    pipeline.start(source, lambda: None, recorded=known, on_filmed=on_filmed)
    assert caught_up.wait(PATIENCE)
    pipeline.stop()
    assert takings.lines["metrics"] == []
    assert takings.lines["frames"] == whole.lines["frames"][5:7]  # of the ticks 14 and 16
    assert takings.lines["ticks"] == whole.lines["ticks"][16:18]
    assert [message.t for message in takings.published] == [14, 16]
    assert filmed[0] == (3, known)
    assert filmed[-1] == (17, {"frames": 16, "metrics": 17, "ticks": 17})


def eventful_ticks(last_t: int) -> list[dict[str, Any]]:
    """Return ticks of which every few have many matches, or another price."""
    chance = random.Random(3)
    raws = []
    for raw in ticks(0, last_t):
        price = 100.0 + 50 * chance.random() * (chance.random() < 0.05)
        count = 9 if chance.random() < 0.07 else chance.randint(0, 1)
        raws.append(raw | {"mid": price, "matches": [[1, 2]] * count})
    return raws


def events_camera() -> SlidingWindowCamera:
    return SlidingWindowCamera(W=20, stride=5, burst_z=2.5, shock_z=2.5)


def test_the_events_that_frames_are_first_to_show_are_recorded_once() -> None:
    _, takings = run(ListSource(eventful_ticks(300)), camera=events_camera())
    found = [FoundEvents.of_line(line) for line in takings.lines["events"]]
    told = [(event.t, event.type) for each in found for event in each.events]
    frames = [FoundEvents.of_frame_line(line) for line in takings.lines["frames"]]
    assert len(told) == len(set(told)) > 20
    assert set(told) == {(event.t, event.type) for each in frames for event in each.events}
    by_t = {frame.t: frame for frame in frames}
    assert all(set(each.events) <= set(by_t[each.t].events) for each in found)
    for each in found:  # behind the frame that shows them
        assert takings.order.index(("events", each.t)) > takings.order.index(("frames", each.t))


@pytest.mark.parametrize("frames_to", [100, 140])
@pytest.mark.parametrize("events_to", [60, 90, 99, 140])
def test_a_run_that_goes_on_records_the_events_that_it_had_lost_and_none_again(
    frames_to: int, events_to: int
) -> None:
    raws = eventful_ticks(300)
    _, whole = run(ListSource(raws), camera=events_camera())
    lines = whole.lines["events"]
    kept = [line for line in lines if FoundEvents.of_line(line).t <= events_to]
    again_from = 40  # a window before the first line that is missing
    known = [
        event
        for line in kept
        if (found := FoundEvents.of_line(line)).t >= again_from
        for event in found.events
    ]
    takings = Takings()
    pipeline = Pipeline(events_camera(), takings.outputs, UNPACED)
    pipeline.start(
        ListSource(raws[again_from:]),
        lambda: None,
        recorded={"frames": frames_to, "events": FoundEvents.of_line(kept[-1]).t},
        known_events=known,
    )
    pipeline.wait(PATIENCE)
    pipeline.stop()
    assert kept + takings.lines["events"] == lines
    recorded = [
        line for line in whole.lines["frames"] if FoundEvents.of_frame_line(line).t > frames_to
    ]
    assert takings.lines["frames"] == recorded
