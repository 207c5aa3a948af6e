"""The offline recorder: its files are a function of its lines, and of nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marketcam.engine import LimitError
from marketcam.io.store import (
    Store,
    StoreBusyError,
    StoreError,
    UnknownSegmentError,
    ZstdSegmentWriter,
)
from marketcam.io.store.journal import OpenRun
from marketcam.io.store.offline import LAST_MOMENT, OfflineRecorder, OfflineRun
from marketcam.io.store.writer import SegmentRules, SegmentWriter

START = 946_684_800.0  # 2000-01-01T00:00:00Z
RUN = OfflineRun("film", START, 10.0, {"W": 3})
KINDS = ("frames", "metrics")


def line_of(kind: str, t: int, size: int = 10) -> bytes:
    return b'{"type":"%s","t":%d,"x":"%s"}' % (
        kind.encode(),
        t,
        os.urandom(1).hex().encode() * size,
    )


LINES = [
    (kind, line_of(kind, t, 4000 if kind == "frames" else 10), t)
    for t in range(500)
    for kind in KINDS
    if kind == "metrics" or t % 5 == 0
]


def record(
    store: Path, lines=LINES, run: OfflineRun = RUN, rules: SegmentRules | None = None
) -> OfflineRecorder:
    recorder = OfflineRecorder(store, KINDS, rules or SegmentRules(seconds=20), run)
    for kind, line, t in lines:
        recorder.write(kind, line, t)
    recorder.close()
    return recorder


def contents(store: Path) -> dict[str, tuple[bytes, int | None]]:
    """Return all files, and when the segments are from."""
    files = (path for path in sorted(store.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(store)): (
            path.read_bytes(),
            int(path.stat().st_mtime) if path.suffix == ".zst" else None,
        )
        for path in files
    }


def test_the_same_lines_make_the_same_files(tmp_path):
    recorder = record(tmp_path / "a")
    record(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert recorder.json_bytes == sum(len(line) + 1 for _, line, _ in LINES)
    totals = recorder.totals()
    assert totals["metrics"].lines == 500
    assert totals["frames"].lines == 100
    assert sum(total.json_bytes for total in totals.values()) == recorder.json_bytes


def test_the_clock_is_that_of_the_ticks(tmp_path):
    record(tmp_path)
    store = Store(tmp_path)
    for kind in KINDS:
        assert list(store.lines(kind)) == [line for k, line, _ in LINES if k == kind]
    entries = store.segments("metrics")
    # 20 seconds at 10 ticks a second, each closed by the first line after them.
    assert [(entry.start_t, entry.end_t) for entry in entries] == [(0, 199), (200, 399), (400, 499)]
    stamps = ["20000101_000000_0", "20000101_000020_200", "20000101_000040_400"]
    assert [entry.path for entry in entries] == [
        f"metrics/segment_{stamp}.jsonl.zst" for stamp in stamps
    ]
    assert [entry.created_at[-9:-1] for entry in entries] == ["00:00:20", "00:00:40", "00:00:49"]
    run = store.run()
    assert (run.id, run.started_at, run.ended_at) == (
        "film",
        "2000-01-01T00:00:00Z",
        "2000-01-01T00:00:49Z",
    )
    assert run.about == {"W": 3}


def test_the_first_tick_is_at_the_start_whatever_its_number(tmp_path):
    recorder = OfflineRecorder(tmp_path, KINDS, SegmentRules(), RUN)
    recorder.first_t = 1000
    recorder.write("metrics", line_of("metrics", 1020), 1020)
    recorder.close()
    [entry] = Store(tmp_path).segments("metrics")
    assert entry.path == "metrics/segment_20000101_000002_1020.jsonl.zst"


def test_segments_roll_by_size_as_live(tmp_path):
    record(tmp_path, rules=SegmentRules(seconds=10**6, bytes=100_000))
    sizes = [entry.lines for entry in Store(tmp_path).segments("frames")]
    assert sum(sizes) == 100
    assert len(sizes) > 3


def test_a_run_is_recorded_once_and_others_stay_as_they_are(tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path) as live:
        live.write_jsonline({"t": 1}, 1)
    live_files = contents(tmp_path)
    record(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(StoreError, match="has the run film already, which began at the same"):
        record(tmp_path)
    assert contents(tmp_path) == before
    record(tmp_path, run=OfflineRun("again", START, 10.0, {}))
    assert [run.id for run in Store(tmp_path).runs()][1:] == ["film", "again"]
    assert list(Store(tmp_path).lines("metrics", run="again")) == [
        line for kind, line, _ in LINES if kind == "metrics"
    ]
    segments = {name: file for name, file in live_files.items() if name.endswith(".zst")}
    assert segments.items() <= contents(tmp_path).items()


def test_a_store_that_is_written_to_is_refused(tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path), pytest.raises(StoreBusyError):
        record(tmp_path)
    record(tmp_path)


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot record in"):
        record(tmp_path / "file")


def test_what_cannot_be_recorded_is_refused(tmp_path):
    with pytest.raises(UnknownSegmentError):
        OfflineRecorder(tmp_path, ("films",), SegmentRules(), RUN)
    with pytest.raises(LimitError, match="tick_rate must be above 0, got 0"):
        OfflineRun("a", START, 0, {})
    with pytest.raises(LimitError, match="start must lie in the years 1970 to 9999"):
        OfflineRun("a", LAST_MOMENT + 1, 1, {})
    recorder = OfflineRecorder(tmp_path, KINDS, SegmentRules(), RUN)
    with pytest.raises(LimitError, match=f"tick {2**53 - 1} must come before the year 9999"):
        recorder.write("metrics", b"{}", 2**53 - 1)
    with pytest.raises(LimitError, match="must not be empty"):
        recorder.write("metrics", b"", 1)
    recorder.close()
    recorder.close()
    with pytest.raises(StoreError, match="the recorder is closed"):
        recorder.write("metrics", b"{}", 1)


def test_a_disk_that_refuses_ends_the_film_and_lets_nobody_wait(tmp_path, monkeypatch):
    from marketcam.io.store import zstd_file  # noqa: PLC0415 - what is broken here alone

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zstd_file, "write_all", full)
    recorder = OfflineRecorder(tmp_path, KINDS, SegmentRules(), RUN)
    line = line_of("frames", 0, 100_000)

    def write_much() -> None:
        for t in range(1000):
            recorder.write("frames", line, t)

    with pytest.raises(StoreError, match=r"cannot record in .*No space left on device"):
        write_much()
    with pytest.raises(StoreError, match="No space left"):
        recorder.close()
    with ZstdSegmentWriter("metrics", tmp_path):
        pass  # the lock is free


def test_a_run_that_was_not_finished_is_recorded_anew_when_that_is_asked_for(tmp_path, monkeypatch):
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with ZstdSegmentWriter("metrics", tmp_path) as live:
        live.write_jsonline({"t": 1}, 1)
    live_files = {name: of for name, of in contents(tmp_path).items() if name.endswith(".zst")}
    descriptors = list(Path("/proc/self/fd").iterdir())
    recorder = OfflineRecorder(tmp_path, KINDS, SegmentRules(seconds=20), RUN)
    for kind, line, t in LINES[:300]:  # rolls once
        recorder.write(kind, line, t)
    with monkeypatch.context() as patched:
        patched.setattr(OpenRun, "end", refuse)
        with pytest.raises(StoreError, match="No space left"):
            recorder.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == len(descriptors)
    assert Store(tmp_path).run("film").ended_at is None
    with pytest.raises(StoreError, match="has a part of the run film"):
        record(tmp_path)
    again = OfflineRecorder(tmp_path, KINDS, SegmentRules(seconds=20), RUN, again=True)
    for kind, line, t in LINES:
        again.write(kind, line, t)
    again.close()
    store = Store(tmp_path)
    for kind in KINDS:
        expected = [line for k, line, _ in LINES if k == kind]
        assert list(store.lines(kind, run="film")) == expected
    assert store.run("film").ended_at is not None
    assert live_files.items() <= contents(tmp_path).items()
    with pytest.raises(StoreError, match="already"):
        OfflineRecorder(tmp_path, KINDS, SegmentRules(), RUN, again=True)


def test_a_recorder_that_failed_lets_go_of_its_files(tmp_path, monkeypatch):
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    descriptors = list(Path("/proc/self/fd").iterdir())
    recorder = OfflineRecorder(tmp_path, KINDS, SegmentRules(), RUN)
    for kind, line, t in LINES[:50]:
        recorder.write(kind, line, t)
    with monkeypatch.context() as patched:
        patched.setattr(SegmentWriter, "close", refuse)
        with pytest.raises(StoreError, match="No space left"):
            recorder.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == len(descriptors)
    assert len(list(tmp_path.rglob("*_pending.jsonl.zst"))) == 2
    again = OfflineRecorder(tmp_path, KINDS, SegmentRules(), RUN, again=True)
    again.write("metrics", LINES[1][1], 0)
    again.close()
    assert list(tmp_path.rglob("*_pending.jsonl.zst")) == []
    assert len(list(Store(tmp_path).lines("metrics"))) == 1
