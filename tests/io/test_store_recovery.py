import os
from pathlib import Path

import pytest
import zstandard

from marketcam.io.store import Store, UnknownSegmentError, ZstdSegmentWriter, recover
from marketcam.io.store import recovery as recovery_module
from marketcam.io.store.errors import StoreBusyError
from marketcam.io.store.runs import Hole, read_runs
from marketcam.io.store.verify import verify
from marketcam.io.store.zstd_file import ZstdFrameFile
from tests.store_helpers import (
    DEAD_WRITER_LINES,
    Events,
    SetClock,
    die,
    files,
    leave_pending,
    line,
    lines,
    manifest,
    recovered_lines,
    segment_files,
)

CLOSED = "segment_20260124_120000_0.jsonl.zst"
PENDING = "segment_20260124_120000_0_pending.jsonl.zst"


def test_a_store_in_order_stays_as_it_is(tmp_path):
    assert recover(tmp_path / "nothing") == recover(tmp_path)
    with ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock) as writer:
        writer.write_line(line(0), 0)
    before = {path: path.read_bytes() for path in (tmp_path / "metrics").iterdir()}
    events = Events()
    report = recover(tmp_path, on_event=events)
    assert {path: path.read_bytes() for path in (tmp_path / "metrics").iterdir()} == before
    assert report == recovery_module.RecoveryReport()
    assert events.seen == []


def test_a_dead_writers_segment_is_closed(tmp_path):
    leave_pending(tmp_path)
    events = Events()
    clock = SetClock()
    clock.advance(60)
    report = recover(tmp_path, clock=clock.clock, on_event=events)
    assert files(tmp_path) == ["manifest.json", CLOSED]
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)
    assert manifest(tmp_path) == [entry.to_dict() for entry in report.recovered]
    assert manifest(tmp_path)[0]["end_t"] == DEAD_WRITER_LINES - 1
    assert manifest(tmp_path)[0]["created_at"] == "2026-01-24T12:01:00Z"
    assert events.names == ["lock_taken_over", "segment_recovered"]
    assert events.named("segment_recovered") == [
        {"path": f"metrics/{CLOSED}", "lines": DEAD_WRITER_LINES}
    ]
    assert int((tmp_path / "metrics" / CLOSED).stat().st_mtime) == clock.now
    assert recover(tmp_path) == recovery_module.RecoveryReport()


def test_garbage_behind_sound_blocks_costs_no_line(tmp_path):
    pending = leave_pending(tmp_path)
    whole = pending.read_bytes()
    pending.write_bytes(whole + b"\xff" * 100)
    events = Events()
    report = recover(tmp_path, on_event=events)
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)
    aside = PENDING.replace(".zst", ".damaged-1.zst")
    assert report.set_aside == [f"metrics/{aside}"]
    assert files(tmp_path) == ["manifest.json", CLOSED, aside]
    assert (tmp_path / "metrics" / aside).read_bytes() == whole + b"\xff" * 100
    assert events.names == ["lock_taken_over", "segment_recovered", "segment_set_aside"]
    assert (report.outcome, report.partial) == ("partial", [f"metrics/{CLOSED}"])
    assert recover(tmp_path) == recovery_module.RecoveryReport()


@pytest.mark.parametrize("data", [b"", b"\x28\xb5", bytes.fromhex("28b52ffdc458") + b"\xff" * 8])
def test_a_pending_file_without_text_is_discarded_and_said(tmp_path, data):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / PENDING).write_bytes(data)
    events = Events()
    report = recover(tmp_path, on_event=events)
    assert report.discarded == [f"metrics/{PENDING}"]
    assert files(tmp_path) == []
    reason = (
        "it holds no text"
        if data
        else "it is empty: its writer died before its first line was written"
    )
    assert events.named("pending_discarded") == [{"path": f"metrics/{PENDING}", "reason": reason}]
    assert report.outcome == "whole"


@pytest.mark.parametrize("data", [b"no zstd at all", zstandard.compress(b'{"t":1,"half of a li')])
def test_a_pending_file_without_a_whole_line_is_kept_aside(tmp_path, data):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / PENDING).write_bytes(data)
    report = recover(tmp_path)
    aside = PENDING.replace(".zst", ".damaged-1.zst")
    assert report.set_aside == [f"metrics/{aside}"]
    assert files(tmp_path) == [aside]
    assert (tmp_path / "metrics" / aside).read_bytes() == data
    assert (report.outcome, report.lost) == ("nothing", [f"metrics/{CLOSED}"])


def test_a_closed_segment_missing_in_the_manifest_is_entered(tmp_path):
    clock = SetClock()
    with ZstdSegmentWriter("metrics", tmp_path, segment_bytes=1, clock=clock.clock) as writer:
        for t in range(3):
            writer.write_line(line(t), t)
    before = manifest(tmp_path)
    (tmp_path / "metrics" / "manifest.json").unlink()
    for path in segment_files(tmp_path):
        os.utime(path, (clock.now, clock.now))
    events = Events()
    report = recover(tmp_path, on_event=events)
    assert manifest(tmp_path) == before
    assert [entry.to_dict() for entry in report.entered] == before
    assert events.names == ["segment_entered"] * 3


def test_a_pending_segment_beside_its_closed_twin_is_not_doubled(tmp_path):
    pending = leave_pending(tmp_path)
    data = pending.read_bytes()
    recover(tmp_path)
    pending.write_bytes(data)
    report = recover(tmp_path)
    assert report.discarded == [f"metrics/{PENDING}"]
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)
    (tmp_path / "metrics" / "manifest.json").unlink()
    pending.write_bytes(data)
    report = recover(tmp_path)
    assert (len(report.entered), report.discarded) == (1, [f"metrics/{PENDING}"])
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)


def test_a_damaged_closed_twin_gives_way_to_the_pending_lines(tmp_path):
    pending = leave_pending(tmp_path)
    data = pending.read_bytes()
    recover(tmp_path)
    closed = tmp_path / "metrics" / CLOSED
    closed.write_bytes(closed.read_bytes()[:-40])
    pending.write_bytes(data)
    report = recover(tmp_path)
    assert report.set_aside == ["metrics/segment_20260124_120000_0.jsonl.damaged-1.zst"]
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)
    assert len(manifest(tmp_path)) == 1


def test_of_a_damaged_closed_segment_the_whole_lines_are_saved(tmp_path):
    leave_pending(tmp_path)
    recover(tmp_path)
    (tmp_path / "metrics" / "manifest.json").unlink()
    closed = tmp_path / "metrics" / CLOSED
    torn = closed.read_bytes()[:-1]
    closed.write_bytes(torn)
    report = recover(tmp_path)
    aside = tmp_path / "metrics" / "segment_20260124_120000_0.jsonl.damaged-1.zst"
    assert aside.read_bytes() == torn
    assert len(report.recovered) == 1
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)


def test_an_entry_without_its_file_is_recorded_as_removed(tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path, segment_bytes=1, clock=SetClock().clock) as writer:
        for t in range(3):
            writer.write_line(line(t), t)
    before = manifest(tmp_path)
    gone = segment_files(tmp_path)[1]
    gone.unlink()
    report = recover(tmp_path)
    assert [entry.path for entry in report.missing] == [f"metrics/{gone.name}"]
    assert report.outcome == "partial", "its lines are lost"
    assert manifest(tmp_path) == [*before, before[1] | {"removed": True, "reason": "missing"}]
    assert recovered_lines(tmp_path) == [line(0), line(2)]


def test_a_removed_segment_that_is_there_again_is_entered_again(tmp_path):
    """Such as from a backup, or when a power cut has undone the deletion."""
    leave_pending(tmp_path)
    recover(tmp_path)
    (closed,) = segment_files(tmp_path)
    data = closed.read_bytes()
    closed.unlink()
    assert len(recover(tmp_path).missing) == 1
    closed.write_bytes(data)
    assert len(recover(tmp_path).entered) == 1
    assert [record.get("removed", False) for record in manifest(tmp_path)] == [False, True, False]
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)


def test_only_the_kinds_asked_for_are_looked_at(tmp_path):
    leave_pending(tmp_path)
    assert recover(tmp_path, ["frames", "ticks"]) == recovery_module.RecoveryReport()
    assert files(tmp_path) == [PENDING]
    with pytest.raises(UnknownSegmentError, match="kind must be one of"):
        recover(tmp_path, ["films"])


def test_a_torn_manifest_is_set_aside_and_made_anew(tmp_path):
    clock = SetClock()
    with ZstdSegmentWriter("metrics", tmp_path, segment_bytes=1, clock=clock.clock) as writer:
        for t in range(12):
            writer.write_line(line(t), t)
    before = manifest(tmp_path)
    for path in segment_files(tmp_path):
        os.utime(path, (clock.now, clock.now))
    path = tmp_path / "metrics" / "manifest.json"
    torn = path.read_bytes()[:-20]
    path.write_bytes(torn)
    events = Events()
    report = recover(tmp_path, on_event=events)
    assert report.set_aside == ["metrics/manifest.corrupt-1.json"]
    assert (tmp_path / report.set_aside[0]).read_bytes() == torn
    assert events.seen[0][:2] == ("error", "manifest_set_aside")
    assert manifest(tmp_path) == before
    assert recovered_lines(tmp_path) == [line(t) for t in range(12)]


def test_a_store_that_is_being_written_is_refused(tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock) as writer:
        writer.write_line(line(0), 0)
        with pytest.raises(StoreBusyError, match=f"is being written by process {os.getpid()}"):
            recover(tmp_path)
        writer.write_line(line(1), 1)
    assert recovered_lines(tmp_path) == [line(0), line(1)]


def test_a_pending_segment_that_differs_from_its_twin_is_kept_aside(tmp_path):
    pending = leave_pending(tmp_path)
    recover(tmp_path)
    other = leave_pending(tmp_path / "other", start=1000)
    pending.write_bytes(other.read_bytes())
    report = recover(tmp_path)
    aside = PENDING.replace(".zst", ".damaged-1.zst")
    assert (report.set_aside, report.discarded) == ([f"metrics/{aside}"], [])
    assert (tmp_path / "metrics" / aside).read_bytes() == other.read_bytes()
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)


def test_a_pending_segment_with_more_lines_than_its_twin_takes_its_place(tmp_path):
    pending = leave_pending(tmp_path)
    data = pending.read_bytes()
    pending.write_bytes(data[: len(data) // 2])
    recover(tmp_path)
    kept = (tmp_path / "metrics" / CLOSED).read_bytes()
    assert len(recovered_lines(tmp_path)) < DEAD_WRITER_LINES
    pending.write_bytes(data)
    report = recover(tmp_path)
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)
    (aside,) = report.set_aside
    assert (tmp_path / aside).read_bytes() == kept
    assert (report.outcome, files(tmp_path)[1:]) == ("whole", [Path(aside).name, CLOSED])


def test_stale_new_files_are_removed(tmp_path):
    leave_pending(tmp_path)
    for name in (f"{CLOSED}.new", "manifest.json.new"):
        (tmp_path / "metrics" / name).write_bytes(b"half of it")
    report = recover(tmp_path)
    assert report.swept == ["metrics/manifest.json.new", f"metrics/{CLOSED}.new"]
    assert files(tmp_path) == ["manifest.json", CLOSED]


def test_of_stale_new_files_only_our_own_are_removed(tmp_path):
    leave_pending(tmp_path)
    for name in ("runs.jsonl.new", "checkpoint.json.new", "mine.new"):
        (tmp_path / name).write_bytes(b"half of it")
    for name in ("mine.new", "segment_1.jsonl.zst.new"):
        (tmp_path / "metrics" / name).write_bytes(b"mine")
    for name in ("folder.new", "segment_20260124_130000_0.jsonl.zst.new"):
        (tmp_path / "metrics" / name).mkdir()
    report = recover(tmp_path)
    assert report.swept == ["runs.jsonl.new", "checkpoint.json.new"]
    assert (tmp_path / "mine.new").exists()
    assert len([path for path in (tmp_path / "metrics").iterdir() if path.suffix == ".new"]) == 4


def test_a_folder_named_like_a_segment_stops_nobody(tmp_path):
    pending = leave_pending(tmp_path)
    for name in ("130000_100", "130001_100_pending"):
        (tmp_path / "metrics" / f"segment_20260124_{name}.jsonl.zst").mkdir()
    assert list(Store(tmp_path).lines("metrics", run="all")) == lines(0, DEAD_WRITER_LINES)
    report = verify(tmp_path)
    assert report.damage == []
    assert [one.path for one in report.notes if "left alone" in one.what] == [
        "metrics/segment_20260124_130000_100.jsonl.zst",
        "metrics/segment_20260124_130001_100_pending.jsonl.zst",
    ]
    assert recover(tmp_path, thorough=True).outcome == "whole"
    assert not pending.exists()
    assert list(Store(tmp_path).lines("metrics", run="all")) == lines(0, DEAD_WRITER_LINES)
    (tmp_path / "metrics" / CLOSED).unlink()
    (tmp_path / "metrics" / CLOSED).mkdir()
    assert [one.what for one in verify(tmp_path).damage] == [
        "the manifest has it and its file is missing"
    ]
    assert [entry.path for entry in recover(tmp_path).missing] == [f"metrics/{CLOSED}"]
    assert verify(tmp_path).damage == []


def test_a_copy_that_is_read_back_otherwise_replaces_nothing(tmp_path, monkeypatch):
    pending = leave_pending(tmp_path)
    finish = ZstdFrameFile.finish

    def lying(frame: ZstdFrameFile, date: int | None = None) -> None:
        finish(frame, date)
        path = tmp_path / "metrics" / f"{CLOSED}.new"
        path.write_bytes(zstandard.compress(b'{"t":1}\n'))

    with monkeypatch.context() as patched:
        patched.setattr(ZstdFrameFile, "finish", lying)
        with pytest.raises(OSError, match="what was written is not what is read"):
            recover(tmp_path)
    assert files(tmp_path) == [pending.name]
    recover(tmp_path)
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)


def test_a_listed_segment_that_was_torn_is_known_by_its_size(tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock) as writer:
        for t, text in enumerate(lines(0, DEAD_WRITER_LINES)):
            writer.write_line(text, t)
            writer.flush()
    before = manifest(tmp_path)
    closed = tmp_path / "metrics" / CLOSED
    torn = closed.read_bytes()[:-100]
    closed.write_bytes(torn)
    report = recover(tmp_path)
    (aside,) = report.set_aside
    assert (tmp_path / aside).read_bytes() == torn
    assert (report.outcome, report.partial) == ("partial", [f"metrics/{CLOSED}"])
    first, second = manifest(tmp_path)
    assert first == before[0]
    assert second["lines"] < first["lines"]
    assert second["created_at"] == first["created_at"]
    assert len(recovered_lines(tmp_path)) == second["lines"]
    assert recover(tmp_path) == recovery_module.RecoveryReport()


def test_what_a_run_has_lost_is_declared_in_the_journal(tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path, segment_bytes=1, clock=SetClock().clock) as writer:
        for t, text in enumerate(lines(0, 5)):
            writer.write_line(text, t)
    segment_files(tmp_path)[2].unlink()
    recover(tmp_path)
    (run,) = read_runs(tmp_path).runs.values()
    assert run.holes == (Hole("metrics", 2, 2, 1, "the segment is missing"),)
    recover(tmp_path)
    assert read_runs(tmp_path).runs[run.id] == run


def test_a_thorough_recovery_reads_what_has_the_right_size(tmp_path):
    leave_pending(tmp_path)
    recover(tmp_path)
    closed = tmp_path / "metrics" / CLOSED
    data = bytearray(closed.read_bytes())
    data[-1] ^= 1  # of the checksum
    closed.write_bytes(data)
    assert recover(tmp_path) == recovery_module.RecoveryReport()
    report = recover(tmp_path, thorough=True)
    assert (report.outcome, len(report.recovered), len(report.set_aside)) == ("partial", 1, 1)
    assert recovered_lines(tmp_path) == lines(0, DEAD_WRITER_LINES)
    assert recover(tmp_path, thorough=True) == recovery_module.RecoveryReport()


def test_a_closed_segment_of_which_nothing_can_be_saved_is_kept_aside(tmp_path):
    leave_pending(tmp_path)
    recover(tmp_path)
    closed = tmp_path / "metrics" / CLOSED
    closed.write_bytes(b"no zstd at all")
    report = recover(tmp_path)
    assert (report.outcome, report.lost) == ("nothing", [f"metrics/{CLOSED}"])
    assert (tmp_path / report.set_aside[0]).read_bytes() == b"no zstd at all"
    assert [record.get("removed", False) for record in manifest(tmp_path)] == [False, True]


def test_lines_without_tick_numbers_are_recovered_as_well(tmp_path):
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    writer.write_line(b'{"x":1}', 7)
    die(writer)
    events = Events()
    recover(tmp_path, on_event=events)
    assert (manifest(tmp_path)[0]["start_t"], manifest(tmp_path)[0]["end_t"]) == (7, 7)
    assert events.named("end_t_unknown") == [{"path": manifest(tmp_path)[0]["path"], "taken": 7}]
