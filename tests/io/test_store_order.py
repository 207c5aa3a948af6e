"""Segments keep their order whatever the journal and the manifest have lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from marketcam.io.store import Store, ZstdSegmentWriter, recover
from marketcam.io.store.recovery import RecoveryReport
from marketcam.io.store.runs import read_runs
from marketcam.io.store.verify import verify
from tests.store_helpers import Events, SetClock, line, lines, segment_files

if TYPE_CHECKING:
    from pathlib import Path


def record(store: Path, run: str, count: int = 4, clock: SetClock | None = None) -> None:
    """Record a run of segments of one line."""
    clock = (clock or SetClock()).clock
    with ZstdSegmentWriter("metrics", store, run=run, segment_bytes=1, clock=clock) as writer:
        for t in range(count):
            writer.write_line(line(t, f"number {t * 7919 % 1000}"), t)


def without(store: Path, *lost: int) -> None:
    """Take lines out of the journal, by their number from 0."""
    journal = store / "runs.jsonl"
    kept = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(text for k, text in enumerate(kept) if k not in lost))


def is_clean(store: Path) -> bool:
    return not verify(store).damage


@pytest.mark.parametrize("lost", [(1,), (2,), (3,), (4,), (1, 2), (2, 3), (3, 4), (1, 2, 3, 4)])
def test_lines_stay_in_order_where_the_journal_has_lost_a_segment(tmp_path, lost):
    record(tmp_path, "one")
    without(tmp_path, *lost)
    assert list(Store(tmp_path).lines("metrics", run="one")) == lines(0, 4)
    assert not any("it begins at tick" in one.what for one in verify(tmp_path).damage)
    assert not is_clean(tmp_path)
    events = Events()
    report = recover(tmp_path, on_event=events)
    assert report.outcome == "whole"
    assert len(report.noted) == len(lost)
    assert events.named("journal_completed")[0]["lost"] == report.noted
    assert is_clean(tmp_path)
    assert recover(tmp_path, thorough=True) == RecoveryReport()
    assert list(Store(tmp_path).lines("metrics", run="one")) == lines(0, 4)
    assert list(Store(tmp_path).lines("metrics", 1, 2, run="one")) == lines(1, 3)
    (tmp_path / "metrics" / "manifest.json").unlink()
    assert list(Store(tmp_path).lines("metrics", run="one")) == lines(0, 4)
    recover(tmp_path)
    assert list(Store(tmp_path).lines("metrics", run="one")) == lines(0, 4)
    assert is_clean(tmp_path)


def test_a_damaged_line_of_the_journal_is_made_good(tmp_path):
    record(tmp_path, "one")
    journal = tmp_path / "runs.jsonl"
    text = journal.read_bytes().splitlines(keepends=True)
    text[2] = b"\0" * 40 + b"\n"
    journal.write_bytes(b"".join(text))
    assert [one.path for one in verify(tmp_path).damage] == ["runs.jsonl"]
    assert recover(tmp_path).outcome == "whole"
    assert is_clean(tmp_path)
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 4)


@pytest.mark.parametrize("lost", ["one", "two", "three", "one two", "two three", "one two three"])
def test_a_run_that_the_journal_has_lost_gets_its_turn_again(tmp_path, lost):
    clock = SetClock()
    for run in ("one", "two", "three"):
        record(tmp_path, run, clock=clock)
        clock.advance(-3600)  # the clock is no witness of the order
    journal = tmp_path / "runs.jsonl"
    kept = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(
        b"".join(text for text in kept if orjson.loads(text)["run"] not in lost.split())
    )
    recover(tmp_path)
    assert list(read_runs(tmp_path).runs) == ["one", "two", "three"]
    assert Store(tmp_path).run().id == "three"
    assert is_clean(tmp_path)
    for run in ("one", "two", "three"):
        assert list(Store(tmp_path).lines("metrics", run=run)) == lines(0, 4)


def test_a_segment_that_was_away_is_no_damage_when_it_is_back(tmp_path):
    record(tmp_path, "one")
    away = segment_files(tmp_path)[1]
    away.rename(tmp_path / "away")
    recover(tmp_path)
    (tmp_path / "away").rename(away)
    assert len(recover(tmp_path).entered) == 1
    assert is_clean(tmp_path)
    assert list(Store(tmp_path).lines("metrics")) == lines(0, 4)
