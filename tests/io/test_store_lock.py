from __future__ import annotations

import os
import subprocess
import sys

import orjson
import pytest

from marketcam.io.store import Recorder, RecorderOptions, Store, ZstdSegmentWriter, recover
from marketcam.io.store.errors import StoreBusyError, StoreError
from marketcam.io.store.lock import LOCK, StoreLock
from tests.store_helpers import Events, SetClock, die, lines, record, recorder_in

HOLDER = """
import sys
from marketcam.io.store import Recorder, RecorderOptions
from pathlib import Path

recorder = Recorder(RecorderOptions(Path(sys.argv[1]), flush_seconds=0.01))
recorder.start()
for t in range(20):
    recorder.write("metrics", b'{"t":%d}' % t, t)
recorder.flush()
print(recorder.run, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that records into `tmp_path`, and the run it records."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    run = process.stdout.readline().strip()
    yield process, run
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_with_the_pid_of_the_first(tmp_path, holder):
    process, run = holder
    said = orjson.loads((tmp_path / LOCK).read_bytes())
    assert (said["pid"], said["run"]) == (process.pid, run)
    message = rf"is being written by process {process.pid} \(since {said['since']}\)"
    before = (tmp_path / "runs.jsonl").read_bytes()
    with pytest.raises(StoreBusyError, match=message):
        Recorder(RecorderOptions(tmp_path)).start()
    with pytest.raises(StoreBusyError, match=message):
        ZstdSegmentWriter("ticks", tmp_path)
    with pytest.raises(StoreBusyError, match=message):
        recover(tmp_path)
    assert (tmp_path / "runs.jsonl").read_bytes() == before
    assert len(list(Store(tmp_path).lines("metrics"))) == 20, "reading needs no lock"


def test_the_lock_of_a_dead_process_is_taken_over_which_is_told(tmp_path, holder):
    process, run = holder
    process.kill()
    process.communicate()
    events = Events()
    with recorder_in(tmp_path, events=events) as recorder:
        record(recorder, 20, 30)
    (taken,) = events.named("lock_taken_over")
    assert (taken["pid"], taken["run"]) == (process.pid, run)
    assert [told.id for told in Store(tmp_path).runs()] == [run, recorder.run]
    assert len(list(Store(tmp_path).lines("metrics", run=run))) == 20
    assert list(Store(tmp_path).lines("metrics")) == lines(20, 30)


def test_a_lock_released_in_order_is_nobodys(tmp_path):
    for _ in range(2):
        events = Events()
        with StoreLock(tmp_path, run="one", on_event=events) as lock:
            lock.check()
            assert orjson.loads((tmp_path / LOCK).read_bytes())["pid"] == os.getpid()
        assert events.names == []
        assert (tmp_path / LOCK).read_bytes() == b""
        lock.release()


def test_within_a_process_there_is_one_writer_too(tmp_path):
    with recorder_in(tmp_path) as recorder:
        message = f"is being written by process {os.getpid()} "
        with pytest.raises(StoreBusyError, match=message):
            recorder_in(tmp_path).start()
        with pytest.raises(StoreBusyError, match=message):
            ZstdSegmentWriter("metrics", tmp_path)
        record(recorder, 0, 5)
    with recorder_in(tmp_path), pytest.raises(StoreBusyError, match=message):
        recover(tmp_path)


def test_a_lock_removed_while_it_is_held_is_no_lock(tmp_path):
    with StoreLock(tmp_path) as lock:
        (tmp_path / LOCK).unlink()
        with pytest.raises(FileNotFoundError, match="the store was removed"):
            lock.check()
        with StoreLock(tmp_path) as another:
            another.check()
            with pytest.raises(FileNotFoundError):
                lock.check()


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"pid":1', b"\xff\xfe", b"null"])
def test_what_stands_in_the_file_does_not_matter(tmp_path, text):
    (tmp_path / LOCK).write_bytes(text)
    with StoreLock(tmp_path), pytest.raises(StoreBusyError, match=f"process {os.getpid()} "):
        StoreLock(tmp_path)


def test_a_holder_that_did_not_say_who_it_is(tmp_path):
    with StoreLock(tmp_path):
        (tmp_path / LOCK).write_bytes(b"")
        with pytest.raises(StoreBusyError, match="is being written by another process"):
            StoreLock(tmp_path)
        (tmp_path / LOCK).write_bytes(b'{"pid":7,"host":"elsewhere","since":"then"}')
        with pytest.raises(StoreBusyError, match=r"by process 7 on elsewhere \(since then\)"):
            StoreLock(tmp_path)


def test_a_full_disk_does_not_keep_the_lock_from_being_held(tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    events = Events()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        lock = StoreLock(tmp_path, on_event=events)
    assert events.names == ["lock_not_signed"]
    with pytest.raises(StoreBusyError):
        StoreLock(tmp_path)
    lock.release()


def test_a_disk_without_locks_is_refused(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OSError, match="No locks available"):
        ZstdSegmentWriter("metrics", tmp_path)
    with pytest.raises(StoreError, match=r"cannot record in .*: .*No locks available"):
        Recorder(RecorderOptions(tmp_path)).start()


def test_writers_that_die_one_by_one_free_the_store_with_the_last(tmp_path):
    clock = SetClock().clock
    writers = [ZstdSegmentWriter(kind, tmp_path, clock=clock) for kind in ("frames", "metrics")]
    for writer in writers:
        with pytest.raises(StoreBusyError):
            recover(tmp_path)
        writer.write_line(b'{"t":0}', 0)
        die(writer)
    assert len(recover(tmp_path).recovered) == 2
