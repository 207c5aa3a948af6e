from __future__ import annotations

import os

import pytest

from marketcam.io.store.errors import (
    NewerFormatError,
    StoreError,
    UnknownRunError,
)
from marketcam.io.store.journal import OpenRun, RunJournal
from marketcam.io.store.runs import (
    RUNS,
    Hole,
    Run,
    moment_record,
    parse_runs,
    read_runs,
)
from tests.store_helpers import Events, SetClock

AT = "2026-01-24T12:00:00Z"
PATH = "metrics/segment_20260124_120000_0.jsonl.zst"
HOLE = Hole("metrics", 5, 9, 5, "the disk was full")


def begun(folder, run="one"):
    made = OpenRun(RunJournal(folder), run, SetClock().clock)
    made.begin({"tick_rate": 100, "seed": 7})
    return made


def test_a_run_from_its_start_to_its_end(tmp_path):
    run = begun(tmp_path)
    run.add_segment(PATH)
    run.add_hole(HOLE)
    assert read_runs(tmp_path).runs["one"].ended_at is None
    run.end()
    records = read_runs(tmp_path)
    told = records.runs["one"]
    assert told == Run("one", AT, {"tick_rate": 100, "seed": 7}, (), AT, (HOLE,))
    assert told.tick_rate == 100
    assert records.segments == {PATH: "one"}
    assert told.to_dict()["holes"] == [
        {"kind": "metrics", "from_t": 5, "to_t": 9, "lines": 5, "reason": "the disk was full"}
    ]


def test_a_run_goes_on_in_another_process(tmp_path):
    begun(tmp_path).end()
    again = OpenRun(RunJournal(tmp_path), "one", SetClock().clock)
    assert again.is_known
    with pytest.raises(StoreError, match="the run 'one' was recorded before"):
        again.begin({})
    again.go_on()
    told = read_runs(tmp_path).runs["one"]
    assert (told.continued_at, told.ended_at) == ((AT,), None)
    with pytest.raises(UnknownRunError, match="there is no run 'two' to go on with"):
        OpenRun(RunJournal(tmp_path), "two").go_on()


def test_a_journal_cut_at_every_byte_keeps_its_whole_records_and_goes_on(tmp_path):
    run = begun(tmp_path)
    run.add_segment(PATH)
    run.end()
    text = (tmp_path / RUNS).read_bytes()
    whole = text.splitlines(keepends=True)
    for cut in range(len(text)):
        (tmp_path / RUNS).write_bytes(text[:cut])
        RunJournal(tmp_path).append(moment_record("continue", "another", AT))
        kept = (tmp_path / RUNS).read_bytes().splitlines(keepends=True)
        assert kept[:-1] == whole[: text[:cut].count(b"\n")]
        assert b'"another"' in kept[-1]


def test_a_journal_damaged_in_the_middle_is_set_aside_and_what_reads_is_kept(tmp_path):
    begun(tmp_path).add_segment(PATH)
    first, second = (tmp_path / RUNS).read_bytes().splitlines(keepends=True)
    damaged = first + b"\x00\xff garbage\n" + b'{"record":"end"}\n' + second + b'{"torn'
    for number in (1, 2):
        (tmp_path / RUNS).write_bytes(damaged)
        events = Events()
        journal = RunJournal(tmp_path, on_event=events)
        assert journal.records.segments == {PATH: "one"}
        assert (tmp_path / RUNS).read_bytes() == first + second
        assert (tmp_path / f"{RUNS}.corrupt-{number}").read_bytes() == damaged
        (told,) = events.named("journal_set_aside")
        assert told["path"] == f"{RUNS}.corrupt-{number}"
        assert "line 2" in told["damage"]
        journal.append(moment_record("end", "one", AT))
        assert read_runs(tmp_path).runs["one"].ended_at == AT


@pytest.mark.parametrize("damage", [b"", b"damage\n"])
def test_a_newer_journal_is_refused_and_left_as_it_is(tmp_path, damage):
    begun(tmp_path)
    with (tmp_path / RUNS).open("ab") as file:
        file.write(damage + b'{"format":2,"record":"start","run":"later"}\n')
    before = (tmp_path / RUNS).read_bytes()
    with pytest.raises(NewerFormatError, match="format must be at most 1, got 2"):
        RunJournal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [RUNS]
    assert (tmp_path / RUNS).read_bytes() == before


def test_a_record_that_a_full_disk_refused_is_not_half_there(tmp_path, monkeypatch):
    run = begun(tmp_path)
    before = (tmp_path / RUNS).read_bytes()
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, bytes(data)[: len(data) // 2])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space left"):
            run.add_segment(PATH)
    assert (tmp_path / RUNS).read_bytes().startswith(before)
    assert read_runs(tmp_path).segments == {}
    run.add_hole(HOLE)
    assert parse_runs((tmp_path / RUNS).read_bytes(), "it")[0].runs["one"].holes == (HOLE,)


def test_a_journal_removed_while_it_is_written_is_noticed(tmp_path):
    run = begun(tmp_path)
    (tmp_path / RUNS).unlink()
    with pytest.raises(FileNotFoundError, match="the journal was removed"):
        run.add_segment(PATH)
    assert not (tmp_path / RUNS).exists()
