import os
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from marketcam.io.store import (
    DiskUse,
    Recorder,
    RecorderOptions,
    RetentionPolicy,
    Store,
)
from marketcam.io.store.line_queue import LineQueue
from marketcam.io.store.runs import Hole, read_runs
from marketcam.io.store.writer import SegmentWriter
from tests.store_helpers import (
    ROOMY,
    Events,
    SetClock,
    files,
    leave_pending,
    lines,
    record,
    recorder_in,
    segment_files,
)


def full_disk(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_failing_retention_is_loud_and_recording_goes_on(tmp_path):
    clock, events = SetClock(), Events()
    working = True

    def usage(_: Path) -> DiskUse:
        if not working:
            raise OSError(5, "Input/output error")
        return ROOMY

    recorder = Recorder(RecorderOptions(tmp_path), clock=clock.clock, usage=usage, on_event=events)
    recorder.start()
    working = False
    clock.advance(10)
    record(recorder, 0, 5)
    recorder.flush()
    assert events.named("retention_failed") == [{"error": "[Errno 5] Input/output error"}]
    assert recorder.status().recording
    recorder.close()
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 5)


def test_a_segment_that_cannot_be_deleted_is_said(tmp_path, monkeypatch):
    clock, events = SetClock(), Events()
    policy = RetentionPolicy(retain_seconds=1, keep_min=0)
    with recorder_in(tmp_path, clock, events, retention=policy, segment_bytes=1) as recorder:
        record(recorder, 0, 1)
        recorder.flush()
        clock.advance(10)

        def refusing(path: Path) -> None:
            raise PermissionError(1, "Operation not permitted", str(path))

        with monkeypatch.context() as patched:
            patched.setattr(os, "unlink", refusing)
            recorder.flush()
        assert "Operation not permitted" in events.named("retention_failed")[0]["error"]
        assert recorder.status().recording
        assert recorder.status().removed_segments == 0


def test_a_full_disk_stops_recording_and_nothing_else(tmp_path, monkeypatch):
    events = Events()
    recorder = recorder_in(tmp_path, events=events, queue_bytes=2000)
    recorder.start()
    record(recorder, 0, 10)
    record(recorder, 0, 10, "frames")
    recorder.flush()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full_disk)
        record(recorder, 10, 5000)  # many times the queue: it must not wait for the dead disk
        recorder.flush()
        record(recorder, 5000, 5010)
        status = recorder.status()
        assert not status.recording
        assert status.error == "OSError: [Errno 28] No space left on device"
        assert status.dropped_lines == 5000
        assert (status.queued_lines, status.queued_bytes) == (0, 0)
        recorder.close()
    error = "OSError: [Errno 28] No space left on device"
    assert events.named("recording_stopped") == [
        {"run": recorder.run, "error": error, "trace": None}
    ]
    undeclared = events.named("hole_undeclared")
    assert [(hole["kind"], hole["from_t"], hole["to_t"]) for hole in undeclared] == [
        ("metrics", 5000, 5009)  # of those before, the next start sees what the file holds
    ]
    assert "recording_resumed" not in events.names
    left = sorted(path.name for path in segment_files(tmp_path) + segment_files(tmp_path, "frames"))
    assert left == ["segment_20260124_120000_0_pending.jsonl.zst"] * 2
    assert recorder.entries("metrics") == []

    with recorder_in(tmp_path) as another:
        record(another, 0, 1)
    assert list(Store(tmp_path).lines("metrics", run="all")) == [*lines(0, 10), *lines(0, 1)]
    assert list(Store(tmp_path).lines("frames", run="all")) == lines(0, 10)


def test_recording_resumes_and_the_hole_is_declared(tmp_path, monkeypatch):
    clock, events = SetClock(), Events()
    with recorder_in(tmp_path, clock, events) as recorder:
        record(recorder, 0, 10)
        recorder.flush()
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full_disk)
            record(recorder, 10, 20)
            recorder.flush()
            clock.advance(5)
            record(recorder, 20, 30)
            recorder.flush()
        assert not recorder.status().recording
        clock.advance(5)
        recorder.flush()
        record(recorder, 30, 40)
        recorder.flush()
        status = recorder.status()
        assert (status.recording, status.error) == (True, None)
        assert status.dropped_lines == 20
        assert status.holes == 1
        assert status.last_hole is not None
        assert (status.last_hole.from_t, status.last_hole.to_t) == (10, 29)
    assert list(Store(tmp_path).lines("metrics")) == [*lines(0, 10), *lines(30, 40)]
    run = read_runs(tmp_path).runs[recorder.run]
    reason = "OSError: [Errno 28] No space left on device"
    assert run.holes == (Hole("metrics", 10, 29, 20, reason),)
    assert [name for name in events.names if name.startswith("recording_")] == [
        "recording_stopped",
        "recording_resumed",
    ]
    assert set(read_runs(tmp_path).segments.values()) == {recorder.run}
    assert run.ended_at is not None


def test_what_recovery_still_finds_is_no_hole(tmp_path, monkeypatch):
    """The sync fails, but what was written is in the file."""
    clock = SetClock()
    with recorder_in(tmp_path, clock) as recorder:
        record(recorder, 0, 10)
        recorder.flush()
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", full_disk)
            clock.advance(5)
            record(recorder, 10, 20)
            recorder.flush()
        assert not recorder.status().recording
        clock.advance(5)
        recorder.flush()
        recorder.flush()
        status = recorder.status()
        assert (status.recording, status.dropped_lines, status.holes) == (True, 0, 0)
        record(recorder, 20, 30)
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 30)
    assert read_runs(tmp_path).runs[recorder.run].holes == ()


def test_a_hole_at_the_end_is_declared_when_the_disk_is_back(tmp_path, monkeypatch):
    events = Events()
    recorder = recorder_in(tmp_path, events=events)
    recorder.start()
    record(recorder, 0, 10)
    recorder.flush()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full_disk)
        record(recorder, 10, 20)
        recorder.flush()
    recorder.close()
    (hole,) = read_runs(tmp_path).runs[recorder.run].holes
    assert (hole.kind, hole.from_t, hole.to_t, hole.lines) == ("metrics", 10, 19, 10)
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 10)
    assert recorder.status().error is None


def test_a_start_without_room_streams_and_records_later(tmp_path, monkeypatch):
    leave_pending(tmp_path)
    clock, events = SetClock(), Events()
    recorder = recorder_in(tmp_path, clock, events)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full_disk)
        recorder.start()
        record(recorder, 100, 110)
        recorder.flush()
        status = recorder.status()
        assert not status.recording
        assert status.error == "OSError: [Errno 28] No space left on device"
        assert status.dropped_lines == 10
        assert [name for name in files(tmp_path) if name.endswith(".new")] == []
    clock.advance(5)
    recorder.flush()
    record(recorder, 110, 120)
    recorder.close()
    found = list(Store(tmp_path).lines("metrics", run="all"))
    assert found == [*lines(0, 40), *lines(110, 120)]
    (hole,) = read_runs(tmp_path).runs[recorder.run].holes
    assert (hole.from_t, hole.to_t, hole.lines) == (100, 109, 10)


def test_a_removed_folder_is_noticed_and_made_anew(tmp_path):
    """What is written to an unlinked file succeeds."""
    clock, events = SetClock(), Events()
    store = tmp_path / "store"
    with recorder_in(store, clock, events) as recorder:
        record(recorder, 0, 10)
        recorder.flush()
        shutil.rmtree(store)
        clock.advance(1)
        record(recorder, 10, 20)
        recorder.flush()
        status = recorder.status()
        assert not status.recording
        assert "the store was removed" in str(status.error)
        assert "recording_stopped" in events.names
        clock.advance(5)
        recorder.flush()
        record(recorder, 20, 30)
        recorder.flush()
        assert recorder.status().recording
        assert recorder.status().dropped_lines == 20
    assert list(Store(store).lines("metrics")) == lines(20, 30)
    run = read_runs(store).runs[recorder.run]
    (hole,) = run.holes
    assert (hole.from_t, hole.to_t, hole.lines) == (0, 19, 20)
    assert run.about == {}


def test_a_hole_begins_with_the_run_where_its_closed_segments_were_removed_too(tmp_path):
    clock = SetClock()
    store = tmp_path / "store"
    with recorder_in(store, clock, segment_seconds=3) as recorder:
        record(recorder, 5, 10)
        recorder.flush()
        clock.advance(3)
        record(recorder, 10, 15)
        recorder.flush()
        assert len(files(store)) == 3, "one is closed, one is pending, and the manifest"
        shutil.rmtree(store)
        clock.advance(1)
        record(recorder, 15, 20)
        recorder.flush()
        clock.advance(5)
        recorder.flush()
        record(recorder, 20, 30)
    assert list(Store(store).lines("metrics")) == lines(20, 30)
    (hole,) = read_runs(store).runs[recorder.run].holes
    assert (hole.kind, hole.from_t, hole.to_t, hole.lines) == ("metrics", 5, 19, 15)


def test_a_removed_journal_is_written_anew(tmp_path):
    clock = SetClock()
    with recorder_in(tmp_path, clock, segment_seconds=3, about={"seed": 4}) as recorder:
        record(recorder, 0, 5)
        record(recorder, 0, 5, "frames")
        recorder.flush()
        (tmp_path / "runs.jsonl").unlink()
        recorder.add_about({"producer": "sim"})
        clock.advance(3)
        record(recorder, 5, 10)
        recorder.flush()
        assert "the journal was removed" in str(recorder.status().error)
        clock.advance(5)
        recorder.flush()
        record(recorder, 10, 15)
    journal = read_runs(tmp_path)
    (run,) = journal.runs.values()
    assert (run.id, run.about) == (recorder.run, {"seed": 4, "producer": "sim"})
    assert [(hole.from_t, hole.to_t, hole.lines) for hole in run.holes] == [(5, 9, 5)]
    assert len(journal.segments) == 3
    assert list(Store(tmp_path).lines("metrics")) == [*lines(0, 5), *lines(10, 15)]
    assert list(Store(tmp_path).lines("frames")) == lines(0, 5)


def test_a_start_without_the_room_for_a_folder_streams_too(tmp_path, monkeypatch):
    clock = SetClock()
    recorder = recorder_in(tmp_path / "store", clock)

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", refuse)
        recorder.start()
        record(recorder, 0, 10)
        recorder.flush()
        assert "No space left on device" in str(recorder.status().error)
    clock.advance(5)
    recorder.flush()
    record(recorder, 10, 20)
    recorder.close()
    assert list(Store(tmp_path / "store").lines("metrics")) == lines(10, 20)
    (hole,) = read_runs(tmp_path / "store").runs[recorder.run].holes
    assert (hole.from_t, hole.to_t, hole.lines) == (0, 9, 10)


def test_a_removed_kind_is_noticed_too(tmp_path):
    clock = SetClock()
    recorder = recorder_in(tmp_path, clock)
    recorder.start()
    record(recorder, 0, 10)
    record(recorder, 0, 10, "frames")
    recorder.flush()
    shutil.rmtree(tmp_path / "frames")
    clock.advance(1)
    record(recorder, 10, 20, "frames")
    recorder.flush()
    status = recorder.status()
    assert "FileNotFoundError" in str(status.error)
    assert "frames" in str(status.error)
    assert [entry["pending"] for entry in recorder.entries("metrics")] == [False], "closed"
    clock.advance(5)
    recorder.flush()
    record(recorder, 20, 30, "frames")
    record(recorder, 10, 30)
    recorder.close()
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 30)
    assert list(Store(tmp_path).lines("frames")) == lines(20, 30)
    (hole,) = read_runs(tmp_path).runs[recorder.run].holes
    assert (hole.kind, hole.from_t, hole.to_t, hole.lines) == ("frames", 0, 19, 20)


def test_a_bug_stops_recording_and_says_where(tmp_path, monkeypatch):
    clock, events = SetClock(), Events()
    recorder = recorder_in(tmp_path, clock, events)
    recorder.start()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("not the disk's fault")

    with monkeypatch.context() as patched:
        patched.setattr(SegmentWriter, "take_line", broken)
        record(recorder, 0, 10)
        recorder.flush()
        assert recorder.status().error == "ZeroDivisionError: not the disk's fault"
    (failure,) = events.named("recording_stopped")
    assert "in broken" in failure["trace"]
    recorder.close()
    (hole,) = read_runs(tmp_path).runs[recorder.run].holes
    assert (hole.from_t, hole.to_t, hole.lines) == (0, 9, 10)


class SlowDisk:
    """Has every line wait on its way into a segment until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go_on = threading.Event()
        take_line = SegmentWriter.take_line

        def slow(writer: SegmentWriter, text: bytes, t: int) -> None:
            self.may_go_on.wait()
            take_line(writer, text, t)

        monkeypatch.setattr(SegmentWriter, "take_line", slow)


def test_a_slow_disk_slows_an_unpaced_source_and_loses_nothing(tmp_path, monkeypatch):
    clock, events = SetClock(), Events()
    recorder = recorder_in(tmp_path, clock, events, queue_bytes=1000)
    recorder.start()
    disk = SlowDisk(monkeypatch)
    producer = threading.Thread(target=record, args=(recorder, 0, 200))
    producer.start()
    while recorder.status().waits == 0:
        assert recorder.status().queued_bytes <= 1000
    assert producer.is_alive()
    disk.may_go_on.set()
    producer.join()
    clock.advance(10)
    recorder.flush()
    assert recorder.status().dropped_lines == 0
    assert events.named("recording_slow")[0]["waits"] >= 1
    recorder.close()
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 200)


@pytest.mark.parametrize("how", ["skip", "stall"])
def test_a_slow_disk_never_slows_what_must_not_wait(tmp_path, monkeypatch, how):
    """A paced source skips at once; for another, a disk that takes nothing is a failed one."""
    events = Events()
    options = {"when_full": "skip"} if how == "skip" else {"stall_seconds": 0.01}
    recorder = recorder_in(tmp_path, events=events, queue_bytes=2000, **options)
    recorder.start()
    disk = SlowDisk(monkeypatch)
    record(recorder, 0, 100)  # in this thread: it would wait for ever
    status = recorder.status()
    assert not status.recording
    assert ("slower than the lines" if how == "skip" else "taken nothing") in str(status.error)
    assert len(events.named("recording_stopped")) == 1
    taken = status.queued_lines
    assert status.dropped_lines == 100 - taken
    disk.may_go_on.set()
    recorder.flush()
    record(recorder, 100, 105)
    recorder.flush()
    status = recorder.status()
    assert (status.recording, status.error, status.holes) == (True, None, 1)
    assert len(events.named("recording_resumed")) == 1
    recorder.close()
    assert list(Store(tmp_path).lines("metrics")) == [*lines(0, taken), *lines(100, 105)]
    (hole,) = read_runs(tmp_path).runs[recorder.run].holes
    assert (hole.from_t, hole.to_t, hole.lines) == (taken, 99, 100 - taken)
    assert "disk" in hole.reason


def test_a_slow_disk_that_has_caught_up_records_again_though_no_line_follows(tmp_path, monkeypatch):
    events = Events()
    recorder = recorder_in(tmp_path, events=events, queue_bytes=2000, when_full="skip")
    recorder.start()
    disk = SlowDisk(monkeypatch)
    record(recorder, 0, 100)
    taken = recorder.status().queued_lines
    disk.may_go_on.set()
    for _ in range(3):  # what was queued; what was lost behind it; nothing
        recorder.flush()
    status = recorder.status()
    assert (status.recording, status.error, status.holes) == (True, None, 1)
    told = [name for name in events.names if name in ("recording_stopped", "recording_resumed")]
    assert told == ["recording_stopped", "recording_resumed"]
    (hole,) = read_runs(tmp_path).runs[recorder.run].holes
    assert (hole.from_t, hole.to_t, hole.lines) == (taken, 99, 100 - taken)
    recorder.close()


def test_a_sink_that_raises_does_not_end_the_recorder(tmp_path, caplog):
    def sink(*_: object, **__: object) -> None:
        raise RuntimeError("nobody listens")

    with recorder_in(tmp_path, events=sink, segment_bytes=1) as recorder:
        record(recorder, 0, 10)
        recorder.flush()
        assert recorder.status().recording
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 10)
    assert "an event sink raised at segment_closed" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_recorder_that_has_died_does_not_say_that_it_records(tmp_path, monkeypatch):
    recorder = recorder_in(tmp_path)
    recorder.start()

    def die(*_: object) -> None:
        raise ZeroDivisionError("a bug of the recorder's own")

    monkeypatch.setattr(LineQueue, "recorded", die)
    record(recorder, 0, 1)
    recorder.flush()
    recorder.close()
    status = recorder.status()
    assert not status.recording
    assert status.error == "the recorder has died: ZeroDivisionError: a bug of the recorder's own"


LIMITED = """
import os, random, resource, signal, sys
from pathlib import Path
from marketcam.io.store import Recorder, RecorderOptions

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
recorder = Recorder(RecorderOptions(Path(sys.argv[1]), flush_seconds=0.01, retry_seconds=3600))
recorder.start()
noise, flushed = random.Random(5), 0
while recorder.status().recording:
    for t in range(flushed, flushed + 100):
        recorder.write("metrics", b'{"t":%d,"x":%r}' % (t, noise.random()), t)
    recorder.flush()
    flushed += 100 * recorder.status().recording
assert recorder.status().dropped_lines > 0
print(flushed, recorder.status().error, flush=True)
os._exit(1)  # before it can put right what it had to leave
"""


def test_a_file_the_system_does_not_let_grow(tmp_path):
    """The nearest thing to a full disk that a test can have: a limit of the kernel's own."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "File too large" in done.stdout, done.stderr
    flushed = int(done.stdout.split()[0])
    assert flushed >= 1000, "so many fit uncompressed"
    assert segment_files(tmp_path)[0].stat().st_size == 50_000
    with recorder_in(tmp_path):
        pass
    noise = random.Random(5)
    written = [b'{"t":%d,"x":%r}' % (t, noise.random()) for t in range(flushed + 100)]
    found = list(Store(tmp_path).lines("metrics", run="all"))
    assert flushed <= len(found) < len(written)
    assert found == written[: len(found)]
