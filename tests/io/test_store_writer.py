import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from marketcam.io.store import Store, StoreError
from marketcam.io.store import ZstdSegmentWriter as Writer
from marketcam.io.store.errors import StoreBusyError
from marketcam.io.store.runs import read_runs
from tests.store_helpers import (
    NOON,
    SetClock,
    files,
    line,
    lines,
    manifest,
    one_call,
    segment_files,
    streamed,
)


def write(writer: Writer, start: int, stop: int) -> None:
    for number, text in enumerate(lines(start, stop), start):
        writer.write_line(text, number)


def test_a_segment_from_its_first_line_to_the_manifest(tmp_path):
    clock = SetClock()
    writer = Writer(kind="metrics", store_dir=tmp_path, segment_seconds=300, level=3)
    writer.close()
    assert files(tmp_path) == [], "no lines, no segment"

    writer = Writer("metrics", tmp_path, clock=clock.clock)
    write(writer, 1000, 1010)
    assert files(tmp_path) == ["segment_20260124_120000_1000_pending.jsonl.zst"]
    clock.advance(299)
    write(writer, 1010, 1020)
    writer.close()
    assert files(tmp_path) == ["manifest.json", "segment_20260124_120000_1000.jsonl.zst"]
    closed = tmp_path / "metrics" / "segment_20260124_120000_1000.jsonl.zst"
    assert one_call(closed) == lines(1000, 1020)
    assert manifest(tmp_path) == [
        {
            "path": "metrics/segment_20260124_120000_1000.jsonl.zst",
            "start_t": 1000,
            "end_t": 1019,
            "lines": 20,
            "bytes": closed.stat().st_size,
            "created_at": "2026-01-24T12:04:59Z",
            "pending": False,
            "run": writer.run,
            "format": 1,
        }
    ]
    assert closed.stat().st_mtime == NOON + 299, "the manifest can be made anew from the files"
    assert list(manifest(tmp_path)[0]) == [
        "path",
        "start_t",
        "end_t",
        "lines",
        "bytes",
        "created_at",
        "pending",
        "run",
        "format",
    ]


def test_the_library_example_of_the_contract(tmp_path):
    clock = SetClock()
    recorder = Writer(
        kind="frames", store_dir=str(tmp_path), segment_seconds=300, level=3, clock=clock.clock
    )
    recorder.write_jsonline({"type": "frame", "t": 7}, 7)
    recorder.write_jsonline(b'{"type":"frame","t":8}', 8)
    assert recorder.roll_if_needed(8) is False
    clock.advance(300)
    assert recorder.roll_if_needed(9) is True
    assert recorder.roll_if_needed(9) is False
    recorder.close()
    (closed,) = segment_files(tmp_path, "frames")
    assert one_call(closed) == [b'{"type":"frame","t":7}', b'{"type":"frame","t":8}']


def test_it_rolls_by_age(tmp_path):
    clock = SetClock()
    writer = Writer("metrics", tmp_path, segment_seconds=30, clock=clock.clock)
    for t in range(100):
        writer.write_line(line(t), t)
        clock.advance(1)
    writer.close()
    spans = [(entry["start_t"], entry["end_t"]) for entry in manifest(tmp_path)]
    assert spans == [(0, 29), (30, 59), (60, 89), (90, 99)]


def test_it_rolls_by_size_after_the_line_that_reaches_it(tmp_path):
    size = len(line(10)) + 1
    writer = Writer("metrics", tmp_path, segment_bytes=3 * size, clock=SetClock().clock)
    for t in range(10, 17):
        writer.write_line(line(t), t)
    assert [entry["lines"] for entry in manifest(tmp_path)] == [3, 3]
    writer.close()
    assert [entry["lines"] for entry in manifest(tmp_path)] == [3, 3, 1]


def test_a_smaller_tick_number_begins_a_segment(tmp_path):
    writer = Writer("metrics", tmp_path, clock=SetClock().clock)
    for t in (5, 6, 6, 0, 1, -4):
        writer.write_line(line(t), t)
    writer.close()
    spans = [(entry["start_t"], entry["end_t"]) for entry in manifest(tmp_path)]
    assert spans == [(5, 6), (0, 1), (-4, -4)]
    assert files(tmp_path)[1:] == [
        "segment_20260124_120000_-4.jsonl.zst",
        "segment_20260124_120000_0.jsonl.zst",
        "segment_20260124_120000_5.jsonl.zst",
    ]


def test_it_flushes_the_first_line_and_then_as_told(tmp_path):
    clock = SetClock()
    writer = Writer("metrics", tmp_path, flush_seconds=2, clock=clock.clock)
    write(writer, 0, 1)
    (pending,) = segment_files(tmp_path)
    assert streamed(pending).splitlines() == lines(0, 1)
    write(writer, 1, 5)
    clock.advance(1.9)
    writer.flush_if_due()
    assert streamed(pending).splitlines() == lines(0, 1)
    clock.advance(0.1)
    writer.flush_if_due()
    assert streamed(pending).splitlines() == lines(0, 5)
    clock.advance(2)
    write(writer, 5, 6)
    assert streamed(pending).splitlines() == lines(0, 6)
    write(writer, 6, 9)
    writer.flush()
    assert streamed(pending).splitlines() == lines(0, 9)
    writer.close()


def test_the_entry_is_what_can_be_read_now(tmp_path):
    clock = SetClock()
    writer = Writer("frames", tmp_path, clock=clock.clock)
    assert writer.entry() is None
    write(writer, 20, 21)
    clock.advance(0.5)
    write(writer, 21, 25)
    entry = writer.entry()
    assert entry is not None
    assert entry.lines == 1
    writer.flush()
    entry = writer.entry()
    assert entry is not None
    (pending,) = segment_files(tmp_path, "frames")
    assert entry.to_dict() == {
        "path": "frames/segment_20260124_120000_20_pending.jsonl.zst",
        "start_t": 20,
        "end_t": 24,
        "lines": 5,
        "bytes": pending.stat().st_size,
        "created_at": "2026-01-24T12:00:00Z",
        "pending": True,
        "run": writer.run,
        "format": 1,
    }
    writer.close()
    assert writer.entry() is None


def test_totals_count_what_was_taken(tmp_path):
    clock = SetClock()
    writer = Writer("metrics", tmp_path, segment_seconds=10, clock=clock.clock)
    write(writer, 0, 50)
    clock.advance(10)
    write(writer, 50, 60)
    totals = writer.totals()
    assert (totals.lines, totals.segments) == (60, 1)
    assert totals.json_bytes == sum(len(text) + 1 for text in lines(0, 60))
    writer.close()
    totals = writer.totals()
    assert (totals.lines, totals.segments) == (60, 2)
    assert totals.file_bytes == sum(path.stat().st_size for path in segment_files(tmp_path))


def test_close_is_final_and_can_be_repeated(tmp_path):
    with Writer("metrics", tmp_path, clock=SetClock().clock) as writer:
        write(writer, 0, 3)
    writer.close()
    writer.flush()
    writer.flush_if_due()
    assert writer.roll_if_needed(3) is False
    with pytest.raises(StoreError, match=r"the writer of .*metrics is closed"):
        write(writer, 3, 4)
    assert len(manifest(tmp_path)) == 1


def test_writers_of_two_kinds_are_of_one_run(tmp_path):
    frames = Writer("frames", tmp_path)
    metrics = Writer("metrics", tmp_path)
    assert frames.run == metrics.run
    with pytest.raises(StoreBusyError, match=r"metrics is being written by this process"):
        Writer("metrics", tmp_path)
    with pytest.raises(StoreError, match=r"the run of .* is '.*' now, got 'another'"):
        Writer("ticks", tmp_path, run="another")
    frames.close()
    assert read_runs(tmp_path).runs[metrics.run].ended_at is None
    write(metrics, 0, 3)
    metrics.close()
    run = read_runs(tmp_path).runs[metrics.run]
    assert run.ended_at is not None
    assert read_runs(tmp_path).segments == {manifest(tmp_path)[0]["path"]: run.id}
    with Writer("metrics", tmp_path) as another:
        assert another.run != run.id


def test_a_run_can_be_named_and_gone_on_with(tmp_path):
    for start in (0, 10):
        with Writer("metrics", tmp_path, run="morning") as writer:
            write(writer, start, start + 10)
    run = read_runs(tmp_path).runs["morning"]
    assert len(run.continued_at) == 1
    assert [entry["run"] for entry in manifest(tmp_path)] == ["morning"] * 2


def test_a_name_once_used_is_not_used_again(tmp_path):
    clock = SetClock().clock
    for _ in range(2):
        with Writer("metrics", tmp_path, clock=clock) as writer:
            write(writer, 0, 1)
    segment_files(tmp_path)[1].unlink()  # the manifest still knows it
    with Writer("metrics", tmp_path, clock=clock) as writer:
        write(writer, 0, 1)
    assert [entry["path"] for entry in manifest(tmp_path)] == [
        "metrics/segment_20260124_120000_0.jsonl.zst",
        "metrics/segment_20260124_120001_0.jsonl.zst",
        "metrics/segment_20260124_120002_0.jsonl.zst",
    ]


@pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd command is not installed")
def test_the_zstd_command_reads_pending_and_closed(tmp_path):
    writer = Writer("metrics", tmp_path, clock=SetClock().clock)
    write(writer, 0, 500)
    writer.flush()
    (pending,) = segment_files(tmp_path)
    shown = subprocess.run(["zstd", "-dcq", pending], check=False, capture_output=True)
    assert shown.stdout.splitlines() == lines(0, 500)
    writer.close()
    (closed,) = segment_files(tmp_path)
    shown = subprocess.run(["zstd", "-dcq", closed], check=True, capture_output=True)
    assert shown.stdout.splitlines() == lines(0, 500)
    listed = subprocess.run(["zstd", "-lv", closed], check=True, capture_output=True, text=True)
    assert "Check: XXH64" in listed.stdout


actions = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=400).filter(lambda text: b"\n" not in text),
        st.just(b"x" * 300_000),
        st.sampled_from(["flush", "roll", "wait"]),
    ),
    max_size=40,
)


@given(actions)
def test_whatever_is_written_is_read_back(actions):
    written = []
    with tempfile.TemporaryDirectory() as folder:
        store, clock = Path(folder), SetClock()
        with Writer("ticks", store, clock=clock.clock, segment_bytes=600_000) as writer:
            for action in actions:
                if action == "flush":
                    writer.flush()
                elif action == "roll":
                    clock.advance(300)
                    writer.roll_if_needed(len(written))
                elif action == "wait":
                    clock.advance(0.6)
                else:
                    written.append(action)
                    writer.write_line(action, len(written))
        assert list(Store(store).lines("ticks")) == written
        read_by_others = [text for path in by_record(store) for text in split(path)]
        assert read_by_others == written


def by_record(store: Path) -> list[Path]:
    path = store / "ticks" / "manifest.json"
    return [store / entry["path"] for entry in manifest(store, "ticks")] if path.exists() else []


def split(path: Path) -> list[bytes]:
    text = zstandard.ZstdDecompressor().decompress(path.read_bytes())
    assert text.endswith(b"\n")
    return text[:-1].split(b"\n")
