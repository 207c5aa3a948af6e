import os
import shutil
import signal
import subprocess
import sys

import pytest

from marketcam.io.store import Store, ZstdSegmentWriter, recover
from tests.store_helpers import (
    DEAD_WRITER_LINES,
    SetClock,
    files,
    leave_pending,
    line,
    lines,
    recovered_lines,
    runs_to_its_end,
    segment_files,
    streamed,
)

pytestmark = pytest.mark.usefixtures("quick_disk")

CLOSED = "segment_20260124_120000_0.jsonl.zst"
PENDING = "segment_20260124_120000_0_pending.jsonl.zst"


def test_cut_at_every_byte(tmp_path):
    """No whole line that was in the file is lost, none is doubled, whatever the cut."""
    original = leave_pending(tmp_path / "original")
    data = original.read_bytes()
    expected = lines(0, DEAD_WRITER_LINES)
    counts = []
    for cut in range(len(data) + 1):
        store = tmp_path / f"cut{cut}"
        (store / "metrics").mkdir(parents=True)
        (store / "metrics" / PENDING).write_bytes(data[:cut])
        readable = streamed(store / "metrics" / PENDING).count(b"\n") if cut >= 14 else 0
        for attempt in range(2):
            report = recover(store)
            assert bool(report.recovered) == (attempt == 0 and readable > 0), cut
            assert bool(report.discarded) == (attempt == 0 and readable == 0), cut
            assert report.set_aside == []
        if readable:
            found = recovered_lines(store)
            assert found == expected[:readable]
        else:
            assert files(store) == []
        counts.append(readable)
        shutil.rmtree(store)
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, *range(5, DEAD_WRITER_LINES + 1, 5)}


def test_cut_at_every_byte_after_its_end_was_written(tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path / "closed", clock=SetClock().clock) as writer:
        for t in range(10):
            writer.write_line(line(t), t)
    data = segment_files(tmp_path / "closed")[0].read_bytes()
    for cut in range(len(data) - 12, len(data) + 1):
        store = tmp_path / f"cut{cut}"
        (store / "metrics").mkdir(parents=True)
        (store / "metrics" / PENDING).write_bytes(data[:cut])
        recover(store)
        found = recovered_lines(store)
        assert found == [line(t) for t in range(len(found))]
        assert len(found) in {1, 10}


def test_zeros_behind_sound_blocks_are_a_cut(tmp_path):
    """What a power cut makes of the end of a file on several file systems."""
    pending = leave_pending(tmp_path)
    pending.write_bytes(pending.read_bytes() + bytes(10_000))
    report = recover(tmp_path)
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)
    assert (len(report.recovered), report.set_aside) == (1, [])


def test_a_recovery_cut_off_at_any_step_is_finished_by_the_next(tmp_path):
    steps = 0
    is_whole = False
    while not is_whole:
        steps += 1
        store = tmp_path / str(steps)
        leave_pending(store)
        with ZstdSegmentWriter("metrics", store, clock=SetClock().clock) as writer:
            writer.write_line(line(100), 100)
        (store / "metrics" / "manifest.json").unlink()
        is_whole = runs_to_its_end(lambda: recover(store), steps)  # noqa: B023 - called here
        recover(store)
        assert recovered_lines(store) == [*lines(0, DEAD_WRITER_LINES), line(100)], steps
        assert files(store)[1:] == [CLOSED, "segment_20260124_120000_100.jsonl.zst"]
    assert steps > 20, "a recovery takes at least ten changes"


def test_a_closing_cut_off_at_any_step_is_finished_by_the_next_start(tmp_path):
    steps = 0
    is_whole = False
    while not is_whole:
        steps += 1
        store = tmp_path / str(steps)
        writer = ZstdSegmentWriter("metrics", store, clock=SetClock().clock)
        for t in range(5):
            writer.write_line(line(t), t)
        writer.flush()
        is_whole = runs_to_its_end(writer.close, steps)
        recover(store)
        assert recovered_lines(store) == [line(t) for t in range(5)], steps
        assert files(store) == ["manifest.json", CLOSED]
    assert steps > 14, "a closing takes at least seven changes"


KILLED = """
import sys
from pathlib import Path
from marketcam.io.store import Recorder, RecorderOptions

recorder = Recorder(RecorderOptions(Path(sys.argv[1]), flush_seconds=3600))
recorder.start()
for t in range(20_000):
    recorder.write("metrics", b'{"type":"metric","t":%d}' % t, t)
    if t % 100 == 0:
        recorder.write("frames", b'{"type":"frame","t":%d}' % t, t)
    if t == 9_999:
        recorder.flush()
        print("flushed", flush=True)
recorder.write("metrics", b"{}", 20_000)
sys.stdin.read()
"""


def test_a_recorder_killed_by_the_system(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"flushed\n"
        process.send_signal(signal.SIGKILL)
    report = recover(tmp_path)
    assert len(report.recovered) == 2
    found = recovered_lines(tmp_path)
    assert len(found) >= 10_000
    assert found[:20_000] == [b'{"type":"metric","t":%d}' % t for t in range(len(found))][:20_000]
    frames = list(Store(tmp_path).lines("frames"))
    assert frames == [b'{"type":"frame","t":%d}' % (100 * n) for n in range(len(frames))]
    assert len(frames) >= 100


def test_the_disk_refuses(tmp_path, monkeypatch):
    pending = leave_pending(tmp_path)
    data = pending.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            recover(tmp_path)
    assert pending.read_bytes() == data
    recover(tmp_path)
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)
