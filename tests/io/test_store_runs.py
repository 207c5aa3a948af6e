from __future__ import annotations

import pytest

from marketcam.io.store.errors import ManifestError
from marketcam.io.store.runs import (
    Hole,
    Run,
    RunRecords,
    hole_record,
    moment_record,
    new_run_id,
    parse_runs,
    segment_record,
    start_record,
)
from tests.store_helpers import NOON

AT = "2026-01-24T12:00:00Z"
PATH = "metrics/segment_20260124_120000_0.jsonl.zst"
HOLE = Hole("metrics", 5, 9, 5, "the disk was full")


def test_records_come_to_runs_in_the_order_of_their_start():
    records = RunRecords(
        [
            start_record("b", AT, {}),
            start_record("a", AT, {}),
            segment_record("b", PATH),
            segment_record("a", PATH),
            hole_record("a", HOLE),
            {"format": 1, "record": "something new", "run": "a", "at": AT},
            moment_record("end", "b", AT),
        ]
    )
    assert list(records.runs) == ["b", "a"]
    assert records.segments == {PATH: "a"}, "the last record of a path holds"
    assert records.runs["a"].holes == (HOLE,)
    assert records.runs["b"].ended_at == AT


def test_a_run_whose_start_is_lost_is_still_a_run():
    run = RunRecords([hole_record("a", HOLE)]).runs["a"]
    assert (run.started_at, run.holes) == ("", (HOLE,))


@pytest.mark.parametrize("rate", [0, -1, "100", None])
def test_a_pace_that_is_none(rate):
    about = {} if rate is None else {"tick_rate": rate}
    assert Run("a", AT, about).tick_rate == 0.0


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "record must be an object"),
        ({"record": "end"}, "run must be a text of 1 to 64 characters, got None"),
        ({"run": "", "record": "end"}, "run must be a text"),
        ({"run": "x" * 65, "record": "end"}, "run must be a text"),
        ({"run": "a"}, "record must be a text"),
        ({"run": "a", "record": "end"}, "at must be a text"),
        ({"run": "a", "record": "segment"}, "path must be a text"),
        ({"run": "a", "record": "end", "at": AT, "format": True}, "format must be an integer"),
        (hole_record("a", HOLE) | {"from_t": "5"}, "from_t must be an integer, got '5'"),
        (hole_record("a", HOLE) | {"lines": 1.5}, "lines must be an integer, got 1.5"),
        (hole_record("a", HOLE) | {"reason": None}, "reason must be a text"),
    ],
)
def test_a_record_that_is_none(record, message):
    with pytest.raises(ManifestError, match=message):
        RunRecords([record])


def test_a_journal_that_is_none_names_the_line():
    with pytest.raises(ManifestError, match=r"it, line 2: "):
        parse_runs(b'{"format":1,"record":"end","run":"a","at":"x"}\nno\n', "it")
    records, whole = parse_runs(b'{"format":1,"record":"end","run":"a","at":"x"}\n{"torn', "it")
    assert (list(records.runs), whole) == (["a"], 47)
    assert parse_runs(b"", "it")[1] == 0


def test_new_runs_have_names_that_sort_by_time_and_differ():
    names = [new_run_id(NOON), new_run_id(NOON), new_run_id(NOON + 1)]
    assert len(set(names)) == 3
    assert names[0].startswith("20260124_120000_")
    assert max(names) == names[2]
    assert new_run_id(NOON) < new_run_id(NOON + 0.001)
    assert len(names[0]) == 25
