import os
from pathlib import Path

import pytest
import zstandard

from marketcam.io.store import SegmentName, UnknownSegmentError, ZstdSegmentWriter, recover
from marketcam.io.store import recovery as recovery_module
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
    assert events.seen == [
        (
            "warning",
            "segment_recovered",
            {"path": f"metrics/{CLOSED}", "lines": DEAD_WRITER_LINES},
        )
    ]
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
    assert events.names == ["segment_recovered", "segment_set_aside"]
    assert recover(tmp_path) == recovery_module.RecoveryReport()


@pytest.mark.parametrize("data", [b"", b"\x28\xb5", bytes.fromhex("28b52ffdc458") + b"\xff" * 8])
def test_a_pending_file_without_text_is_discarded_and_said(tmp_path, data):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / PENDING).write_bytes(data)
    events = Events()
    report = recover(tmp_path, on_event=events)
    assert report.discarded == [f"metrics/{PENDING}"]
    assert files(tmp_path) == []
    assert events.named("pending_discarded") == [
        {"path": f"metrics/{PENDING}", "reason": "it holds no text"}
    ]


@pytest.mark.parametrize("data", [b"no zstd at all", zstandard.compress(b'{"t":1,"half of a li')])
def test_a_pending_file_without_a_whole_line_is_kept_aside(tmp_path, data):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / PENDING).write_bytes(data)
    report = recover(tmp_path)
    aside = PENDING.replace(".zst", ".damaged-1.zst")
    assert report.set_aside == [f"metrics/{aside}"]
    assert files(tmp_path) == [aside]
    assert (tmp_path / "metrics" / aside).read_bytes() == data


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
    assert manifest(tmp_path) == [*before, before[1] | {"removed": True}]
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


def test_a_segment_being_written_is_left_alone(tmp_path):
    events = Events()
    with ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock) as writer:
        writer.write_line(line(0), 0)
        report = recover(tmp_path, on_event=events)
        assert report.busy == [f"metrics/{PENDING}"]
        assert events.names == ["segment_busy"]
        writer.write_line(line(1), 1)
    assert recovered_lines(tmp_path) == [line(0), line(1)]


@pytest.mark.parametrize("moment", ["listing", "opening"])
def test_a_segment_closed_while_recovery_looks_at_it_is_entered_once(tmp_path, monkeypatch, moment):
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    writer.write_line(line(0), 0)
    names_in, opened = recovery_module.names_in, Path.open

    def close_after_listing(folder: Path) -> list[SegmentName]:
        names = names_in(folder)
        writer.close()
        return names

    def close_before_opening(path: Path, *arguments, **options):
        if path.name == PENDING:
            writer.close()
        return opened(path, *arguments, **options)

    with monkeypatch.context() as patched:
        if moment == "listing":
            patched.setattr(recovery_module, "names_in", close_after_listing)
        else:
            patched.setattr(Path, "open", close_before_opening)
        assert recover(tmp_path) == recovery_module.RecoveryReport()
    assert recovered_lines(tmp_path) == [line(0)]
    assert len(manifest(tmp_path)) == 1


def test_lines_without_tick_numbers_are_recovered_as_well(tmp_path):
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    writer.write_line(b'{"x":1}', 7)
    die(writer)
    events = Events()
    recover(tmp_path, on_event=events)
    assert (manifest(tmp_path)[0]["start_t"], manifest(tmp_path)[0]["end_t"]) == (7, 7)
    assert events.named("end_t_unknown") == [{"path": manifest(tmp_path)[0]["path"], "taken": 7}]
