import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from marketcam.io.store import (
    DiskUse,
    Recorder,
    RecorderOptions,
    RetentionPolicy,
    Store,
)
from tests.store_helpers import (
    ROOMY,
    Events,
    SetClock,
    files,
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

        def refusing(path: Path, missing_ok: bool = False) -> None:
            raise PermissionError(1, "Operation not permitted", str(path))

        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", refusing)
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
    failures = [event for event in events.seen if event[1] == "recording_failed"]
    assert failures == [("error", "recording_failed", {"error": status.error, "trace": None})]
    left = sorted(path.name for path in segment_files(tmp_path) + segment_files(tmp_path, "frames"))
    assert left == ["segment_20260124_120000_0_pending.jsonl.zst"] * 2
    assert recorder.entries("metrics") == []

    with recorder_in(tmp_path) as another:
        record(another, 0, 1)
    assert list(Store(tmp_path).lines("metrics")) == [*lines(0, 10), *lines(0, 1)]
    assert list(Store(tmp_path).lines("frames")) == lines(0, 10)


def test_a_removed_folder_stops_recording_loudly(tmp_path):
    clock, events = SetClock(), Events()
    recorder = recorder_in(tmp_path, clock, events)
    recorder.start()
    record(recorder, 0, 10)
    recorder.flush()
    shutil.rmtree(tmp_path / "metrics")
    clock.advance(300)
    recorder.flush()
    record(recorder, 10, 20)
    status = recorder.status()
    assert status.error is not None
    assert "FileNotFoundError" in status.error
    assert "metrics" in status.error
    assert status.dropped_lines == 10
    assert "recording_failed" in events.names
    recorder.close()


def test_the_other_kinds_are_closed_when_one_fails(tmp_path):
    clock = SetClock()
    recorder = recorder_in(tmp_path, clock)
    recorder.start()
    record(recorder, 0, 10)
    record(recorder, 0, 10, "frames")
    recorder.flush()
    shutil.rmtree(tmp_path / "frames")
    clock.advance(300)
    recorder.flush()
    recorder.close()
    assert recorder.status().error is not None
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 10)
    assert files(tmp_path) == ["manifest.json", "segment_20260124_120000_0.jsonl.zst"]


def test_a_bug_stops_recording_and_says_where(tmp_path, monkeypatch):
    events = Events()
    recorder = recorder_in(tmp_path, events=events)
    recorder.start()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("not the disk's fault")

    monkeypatch.setattr(recorder._writers["metrics"], "take_line", broken)
    record(recorder, 0, 10)
    recorder.flush()
    assert recorder.status().error == "ZeroDivisionError: not the disk's fault"
    (failure,) = events.named("recording_failed")
    assert "in broken" in failure["trace"]
    recorder.close()


def test_a_slow_disk_slows_the_writer_and_loses_nothing(tmp_path, monkeypatch):
    clock, events = SetClock(), Events()
    recorder = recorder_in(tmp_path, clock, events, queue_bytes=1000)
    recorder.start()
    writer = recorder._writers["metrics"]
    take_line, may_go_on = writer.take_line, threading.Event()

    def slow(text: bytes, t: int) -> None:
        may_go_on.wait()
        take_line(text, t)

    monkeypatch.setattr(writer, "take_line", slow)
    producer = threading.Thread(target=record, args=(recorder, 0, 200))
    producer.start()
    while recorder.status().waits == 0:
        assert recorder.status().queued_bytes <= 1000
    assert producer.is_alive()
    may_go_on.set()
    producer.join()
    clock.advance(10)
    recorder.flush()
    assert recorder.status().dropped_lines == 0
    assert events.named("recording_slow")[0]["waits"] >= 1
    recorder.close()
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 200)


LIMITED = """
import random, resource, signal, sys
from pathlib import Path
from marketcam.io.store import Recorder, RecorderOptions

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
recorder = Recorder(RecorderOptions(Path(sys.argv[1]), flush_seconds=0.01))
recorder.start()
for t in range(30_000):
    recorder.write("metrics", b'{"t":%d,"x":%r}' % (t, random.random()), t)
recorder.flush()
status = recorder.status()
assert status.dropped_lines > 0
recorder.close()
print(status.error)
"""


def test_a_file_the_system_does_not_let_grow(tmp_path):
    """The nearest thing to a full disk that a test can have: a limit of the kernel's own."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "File too large" in done.stdout
    (pending,) = segment_files(tmp_path)
    assert pending.stat().st_size == 50_000
    with recorder_in(tmp_path):
        pass
    found = list(Store(tmp_path).lines("metrics"))
    assert found[0].startswith(b'{"t":0,')
    assert len(found) > 1000
    assert found == [text for text in found if text.endswith(b"}")]
