from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import orjson
import pytest

from marketcam.engine import LimitError
from marketcam.io.store import (
    Clock,
    Recorder,
    RecorderOptions,
    RetentionPolicy,
    Store,
    StoreError,
    UnknownSegmentError,
    WriterTotals,
    ZstdSegmentWriter,
)
from marketcam.io.store.errors import NewerFormatError, UnknownRunError
from marketcam.io.store.manifest import Manifest
from tests.store_helpers import (
    NOON,
    ROOMY,
    Events,
    SetClock,
    files,
    leave_pending,
    line,
    lines,
    manifest,
    one_call,
    record,
    recorder_in,
    segment_files,
    streamed,
)

if TYPE_CHECKING:
    from marketcam.io.store.line_queue import Batch


def test_from_the_first_line_to_closed_segments(tmp_path):
    events = Events()
    recorder = recorder_in(tmp_path, events=events)
    report = recorder.start()
    assert report.recovered == []
    record(recorder, 0, 100)
    record(recorder, 0, 10, "frames")
    recorder.close()
    recorder.close()
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 100)
    assert list(Store(tmp_path).lines("frames")) == lines(0, 10)
    assert one_call(segment_files(tmp_path, "frames")[0]) == lines(0, 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "frames",
        "metrics",
        "runs.jsonl",
        "writer.lock",
    ]
    status = recorder.status()
    assert (status.recording, status.error, status.dropped_lines) == (False, None, 0)
    assert (status.queued_lines, status.queued_bytes) == (0, 0)
    assert status.kinds["frames"] == WriterTotals(
        lines=10,
        json_bytes=sum(len(text) + 1 for text in lines(0, 10)),
        file_bytes=segment_files(tmp_path, "frames")[0].stat().st_size,
        segments=1,
    )
    entry = manifest(tmp_path)[0]
    told = {name: entry[name] for name in ("path", "start_t", "end_t", "lines", "bytes")}
    assert told in events.named("segment_closed")


def test_what_can_be_fetched_while_recording(tmp_path):
    clock = SetClock()
    with recorder_in(tmp_path, clock, segment_seconds=30) as recorder:
        assert recorder.status().recording
        assert recorder.entries("metrics") == []
        assert recorder.current("metrics") is None
        record(recorder, 0, 50)
        recorder.flush()
        current = recorder.current("metrics")
        assert current is not None
        assert (current["lines"], current["end_t"], current["pending"]) == (50, 49, True)
        assert recorder.entries("metrics") == [current]
        assert recorder.entries("frames") == recorder.entries("ticks") == []
        pending = Store(tmp_path).file("metrics", current["path"].removeprefix("metrics/"))
        assert streamed(pending).splitlines() == lines(0, 50)
        clock.advance(30)
        recorder.flush()
        assert recorder.current("metrics") is None, "it rolled without a line"
        assert recorder.entries("metrics") == manifest(tmp_path)
        record(recorder, 50, 60)
        recorder.flush()
        assert [entry["pending"] for entry in recorder.entries("metrics")] == [False, True]
        for kind in ("nonsense", ""):
            with pytest.raises(UnknownSegmentError, match="kind must be one of"):
                recorder.entries(kind)
            with pytest.raises(UnknownSegmentError, match="kind must be one of"):
                recorder.current(kind)
    assert recorder.entries("metrics") == manifest(tmp_path)
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 60)


def test_the_first_line_of_a_segment_is_visible_without_a_wait(tmp_path):
    """With rounds an hour apart, only being woken can show it before the test times out."""
    recorder = recorder_in(tmp_path, flush_seconds=3600)
    recorder.start()
    recorder.write("metrics", line(0), 0)
    while (entry := recorder.current("metrics")) is None:
        pass
    assert (entry["start_t"], entry["lines"]) == (0, 1)
    recorder.close()


@pytest.mark.parametrize("seed", range(5))
def test_no_line_waits_longer_than_flush_seconds(tmp_path, monkeypatch, seed):
    """However often the recorder is woken between two flushes; `take` is played on a set clock."""
    clock, chance = SetClock(0.0), random.Random(seed)
    recorder = recorder_in(tmp_path, clock, flush_seconds=1.0, segment_seconds=10.0)
    take = recorder._queue.take
    written: list[float] = []
    waits: list[float] = []

    def played(most_bytes: int, timeout: float) -> Batch:
        entries = recorder.entries("metrics")
        readable = sum(entry["lines"] for entry in entries)
        waits.extend(clock.now - at for at in written[len(waits) : readable])
        if len(written) > 400:
            recorder._queue.close()
        # Lines come in the meantime; often a full queue cuts it short, as late as can be.
        meantime = timeout * chance.choice([0.2, 0.9, 0.999, 1.0, 1.0])
        start = clock.now
        for part in sorted(chance.choices([0.0, 0.001, 0.5, 1.0], k=chance.randrange(4))):
            clock.now = start + part * meantime
            recorder.write("metrics", line(len(written)), len(written))
            written.append(clock.now)
        clock.now = start + meantime
        return take(most_bytes, 0.0)

    monkeypatch.setattr(recorder._queue, "take", played)
    recorder.start()
    recorder._thread.join()
    assert recorder.status().error is None
    assert len(waits) > 390
    assert 0.9 < max(waits) <= 1.0 + 0.001, "and a flush is not made for every line"


def test_it_rolls_by_age_and_by_size(tmp_path):
    clock = SetClock()
    size = len(line(10)) + 1
    with recorder_in(tmp_path, clock, segment_seconds=30, segment_bytes=4 * size) as recorder:
        for t in range(10, 20):
            recorder.write("metrics", line(t), t)
        recorder.flush()
        clock.advance(30)
        recorder.write("metrics", line(20), 20)
        recorder.flush()
        assert recorder.status().kinds["metrics"].segments == 3
    assert [entry["lines"] for entry in manifest(tmp_path)] == [4, 4, 2, 1]


def test_a_new_run_goes_on_behind_the_old_ones(tmp_path):
    for start in (0, 0, 100):
        with recorder_in(tmp_path) as recorder:
            record(recorder, start, start + 20)
    assert files(tmp_path) == [
        "manifest.json",
        "segment_20260124_120000_0.jsonl.zst",
        "segment_20260124_120000_100.jsonl.zst",
        "segment_20260124_120001_0.jsonl.zst",
    ]
    assert list(Store(tmp_path).lines("metrics", run="all")) == [
        *lines(0, 20),
        *lines(0, 20),
        *lines(100, 120),
    ]


def test_it_recovers_before_it_writes(tmp_path):
    leave_pending(tmp_path)
    events = Events()
    recorder = recorder_in(tmp_path, events=events)
    report = recorder.start()
    record(recorder, 0, 5)
    recorder.close()
    assert [entry.lines for entry in report.recovered] == [40]
    assert events.names[:2] == ["lock_taken_over", "segment_recovered"]
    assert list(Store(tmp_path).lines("metrics", run="all")) == [*lines(0, 40), *lines(0, 5)]


def test_a_torn_manifest_does_not_stop_the_start(tmp_path):
    with recorder_in(tmp_path) as recorder:
        record(recorder, 0, 5)
    (tmp_path / "metrics" / "manifest.json").write_bytes(b"[{]")
    events = Events()
    recorder = recorder_in(tmp_path, events=events)
    report = recorder.start()
    assert report.set_aside == ["metrics/manifest.corrupt-1.json"]
    assert [entry.lines for entry in report.entered] == [5]
    assert "manifest_set_aside" in events.names
    record(recorder, 5, 6)
    recorder.close()
    assert list(Store(tmp_path).lines("metrics", run="all")) == lines(0, 6)


def test_retention_runs_after_a_roll_and_every_ten_seconds(tmp_path):
    clock, events = SetClock(), Events()
    policy = RetentionPolicy(retain_seconds=5, keep_min=1)
    (tmp_path / "ticks").mkdir()
    with recorder_in(tmp_path, clock, events, segment_bytes=1, retention=policy) as recorder:
        record(recorder, 0, 4)
        recorder.flush()
        assert [entry["start_t"] for entry in recorder.entries("metrics")] == [0, 1, 2, 3]
        clock.advance(6)
        recorder.flush()
        assert len(recorder.entries("metrics")) == 4, "not due yet"
        record(recorder, 4, 5)
        recorder.flush()
        assert [entry["start_t"] for entry in recorder.entries("metrics")] == [4]
        status = recorder.status()
        assert status.removed_segments == 4
        assert status.retention is not None
        assert status.removed_bytes == status.retention.removed_bytes > 0
        record(recorder, 5, 6)
        recorder.flush()
        clock.advance(10)
        recorder.flush()
        assert [entry["start_t"] for entry in recorder.entries("metrics")] == [5]
    assert [fields["reason"] for fields in events.named("segment_removed")] == ["age"] * 5
    assert list(Store(tmp_path).lines("metrics")) == lines(5, 6)


def test_the_segment_being_written_is_never_removed(tmp_path):
    clock = SetClock()
    policy = RetentionPolicy(retain_bytes=1, retain_seconds=1, keep_min=0)
    with recorder_in(tmp_path, clock, retention=policy) as recorder:
        record(recorder, 0, 10)
        recorder.flush()
        clock.advance(100)
        recorder.flush()
        assert recorder.current("metrics") is not None
        assert streamed(segment_files(tmp_path)[0]).splitlines() == lines(0, 10)


def test_a_segment_is_listed_once_while_it_is_closed(tmp_path, monkeypatch):
    """Between the entry in the manifest and the writer's letting go, it is both."""
    listed: list[list[bool]] = []
    append = Manifest.append

    def append_and_list(manifest: Manifest, entries: object) -> None:
        listed.append([entry["pending"] for entry in recorder.entries("metrics")])
        append(manifest, entries)  # type: ignore[arg-type]
        listed.append([entry["pending"] for entry in recorder.entries("metrics")])

    monkeypatch.setattr(Manifest, "append", append_and_list)
    recorder = recorder_in(tmp_path)
    recorder.start()
    record(recorder, 0, 3)
    recorder.close()
    assert listed == [[True], [False]]


def test_many_threads_and_many_kinds(tmp_path):
    kinds = ("frames", "metrics", "ticks")
    with recorder_in(tmp_path, kinds=kinds, segment_bytes=50_000) as recorder:
        threads = [
            threading.Thread(target=record, args=(recorder, 0, 5000, kind)) for kind in kinds
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for kind in kinds:
        assert list(Store(tmp_path).lines(kind)) == lines(0, 5000)
        assert len(manifest(tmp_path, kind)) > 3


def test_misuse_is_refused_at_once(tmp_path):
    recorder = recorder_in(tmp_path)
    assert not recorder.status().recording
    with pytest.raises(StoreError, match="must be started before"):
        recorder.write("metrics", b"{}", 1)
    recorder.flush()
    recorder.start()
    with pytest.raises(StoreError, match="started only once"):
        recorder.start()
    with pytest.raises(UnknownSegmentError, match="one of frames, metrics, got 'ticks'"):
        recorder.write("ticks", b"{}", 1)
    with pytest.raises(LimitError, match="must not hold a line end"):
        recorder.write("metrics", b"{}\n", 1)
    with pytest.raises(LimitError, match="must be an integer"):
        recorder.write("metrics", b"{}", 1.0)  # type: ignore[arg-type]
    assert recorder.status().recording
    recorder.close()
    recorder.write("metrics", b"{}", 1)
    assert recorder.status().dropped_lines == 1
    with pytest.raises(StoreError, match="started only once"):
        recorder.start()
    never = recorder_in(tmp_path)
    never.close()
    with pytest.raises(StoreError, match="started only once"):
        never.start()


@pytest.mark.parametrize(
    ("option", "value", "error", "message"),
    [
        ("kinds", ("frames", "films"), UnknownSegmentError, "got 'films'"),
        ("queue_bytes", 0, LimitError, "queue_bytes must be at least 1, got 0"),
        ("segment_seconds", -1, LimitError, "segment_seconds must be above 0"),
        ("level", 30, LimitError, "zstd level must be 1-22, got 30"),
    ],
)
def test_a_bad_option_is_refused(tmp_path, option, value, error, message):
    with pytest.raises(error, match=message):
        RecorderOptions(tmp_path, **{option: value})


def test_a_store_that_cannot_be_made_is_refused_at_the_start(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    recorder = recorder_in(tmp_path / "file" / "store")
    with pytest.raises(StoreError, match=r"cannot record in .*store: .*Not a directory"):
        recorder.start()
    recorder.close()


def test_dates_are_those_of_the_clock(tmp_path):
    clock = SetClock(NOON + 86_400)
    with recorder_in(tmp_path, clock) as recorder:
        record(recorder, 0, 1)
    assert manifest(tmp_path)[0]["created_at"] == "2026-01-25T12:00:00Z"


def test_a_clock_that_is_set_back_changes_neither_names_nor_ages(tmp_path):
    """Names are taken once only; what is due goes by the steady clock."""
    wall, steady = SetClock(), SetClock()
    clock = Clock(wall.clock.wall, steady.clock.steady)
    options = RecorderOptions(tmp_path, segment_seconds=30)
    with Recorder(options, clock=clock, usage=lambda _: ROOMY) as recorder:
        for start in (0, 10, 20, 30):
            record(recorder, 0 if start == 30 else start, start + 10)
            recorder.flush()
            entry = recorder.current("metrics")
            assert entry is not None
            assert entry["lines"] == (40 if start == 30 else 10)
            steady.advance(29.9)
            recorder.flush()
            assert recorder.current("metrics") is not None
            steady.advance(0.1)
            wall.advance(-3600 if start == 0 else 0 if start == 10 else 3600)
            recorder.flush()
            assert recorder.current("metrics") is None
    assert len({entry["path"] for entry in manifest(tmp_path)}) == 4
    assert list(Store(tmp_path).lines("metrics")) == [*lines(0, 30), *lines(0, 40)]
    with ZstdSegmentWriter("metrics", tmp_path, clock=SetClock(NOON - 7200).clock) as writer:
        writer.write_line(line(0), 0)
    assert len({entry["path"] for entry in manifest(tmp_path)}) == 5


def test_segments_shorter_than_the_time_between_flushes_roll_as_they_are_told(tmp_path):
    clock = SetClock(0.0)
    recorder = recorder_in(tmp_path, clock, flush_seconds=1.0, segment_seconds=0.1)
    recorder.start()
    record(recorder, 0, 1)
    recorder.flush()
    recording = recorder._recording
    assert recording is not None
    assert recorder._seconds_to_wait() == pytest.approx(0.1)
    clock.advance(0.1)
    recorder.flush()
    assert recorder.current("metrics") is None
    assert recorder._seconds_to_wait() == 1.0
    recorder.close()


def test_what_survives_a_power_loss_is_told(tmp_path):
    clock = SetClock()
    with recorder_in(tmp_path, clock, sync_seconds=5) as recorder:
        assert recorder.status().synced == {"frames": None, "metrics": None}
        record(recorder, 0, 10)
        recorder.flush()
        assert recorder.status().synced["metrics"] is None
        clock.advance(5)
        recorder.flush()
        assert recorder.status().synced["metrics"] == 9
        record(recorder, 10, 20)
    assert recorder.status().synced == {"frames": None, "metrics": 19}


def test_a_run_is_named_and_gone_on_with(tmp_path):
    about = {"tick_rate": 100, "seed": 7}
    with recorder_in(tmp_path, run="one", about=about) as recorder:
        assert recorder.run == recorder.status().run == "one"
        record(recorder, 0, 10)
    with pytest.raises(StoreError, match="the run 'one' was recorded before"):
        recorder_in(tmp_path, run="one").start()
    with pytest.raises(UnknownRunError, match="there is no run 'two' to go on with"):
        recorder_in(tmp_path, run="two", continues=True).start()
    with recorder_in(tmp_path, run="one", continues=True) as recorder:
        record(recorder, 10, 20)
    (run,) = Store(tmp_path).runs()
    assert (run.id, run.about, len(run.continued_at)) == ("one", about, 1)
    assert run.ended_at is not None
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 20)


def test_more_is_said_of_a_run_once_it_is_known(tmp_path):
    recorder = recorder_in(tmp_path, about={"seed": 7})
    recorder.add_about({"tick_rate": 100})
    with recorder:
        recorder.add_about({"producer": "sim"})
        record(recorder, 0, 10)
    (run,) = Store(tmp_path).runs()
    assert run.about == {"seed": 7, "tick_rate": 100, "producer": "sim"}
    records = [orjson.loads(text) for text in (tmp_path / "runs.jsonl").read_bytes().splitlines()]
    assert [said["record"] for said in records] == ["start", "about", "segment", "end"]
    assert records[1]["about"] == {"producer": "sim"}


@pytest.mark.parametrize("file_name", ["runs.jsonl", "metrics/manifest.json"])
def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path, file_name):
    with recorder_in(tmp_path) as recorder:
        record(recorder, 0, 10)
    path = tmp_path / file_name
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2'))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(NewerFormatError, match="format must be at most 1, got 2"):
        recorder_in(tmp_path).start()
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
