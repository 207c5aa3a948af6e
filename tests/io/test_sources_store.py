"""A store as a source of ticks: what one of its runs has recorded."""

from __future__ import annotations

import pytest

from marketcam.io import Store, ZstdSegmentWriter, read_ticks
from marketcam.io.sources import SourceError, TickLineError
from marketcam.io.sources.opening import open_ticks
from tests.tick_text import line_of


def recorded(store, lines, kind="ticks") -> None:
    with ZstdSegmentWriter(kind, store, segment_bytes=600) as writer:
        for t, line in lines:
            writer.write_jsonline(line, t)


def test_the_ticks_of_a_run_come_back_in_order(tmp_path):
    recorded(tmp_path, [(t, line_of(t)) for t in range(9)])
    source = read_ticks(tmp_path)
    assert source.share == 0.0
    ticks = iter(source)
    assert [next(ticks).t, next(ticks).t] == [0, 1]
    assert source.place == "line 2"
    assert [tick.t for tick in ticks] == list(range(2, 9))
    assert source.share == 1.0
    [run] = {entry.run for entry in Store(tmp_path).segments("ticks")}
    assert source.name == f"ticks of run {run or 'unnamed'} in {tmp_path}"
    assert [tick.t for tick in read_ticks(tmp_path, run=run or "unnamed")] == list(range(9))


def test_closing_ends_the_ticks(tmp_path):
    recorded(tmp_path, [(t, line_of(t)) for t in range(9)])
    source = read_ticks(tmp_path)
    ticks = iter(source)
    next(ticks)
    source.close()
    assert list(ticks) == []


def test_a_bad_line_is_told_and_skipped_or_ends_the_ticks(tmp_path):
    recorded(tmp_path, [(0, line_of(0)), (1, b'{"t":1,"mid":"x"}'), (2, line_of(2))])
    bad = []
    assert [tick.t for tick in open_ticks(tmp_path, bad.append)] == [0, 2]
    assert [(line.number, line.unit) for line in bad] == [(2, "line")]
    with pytest.raises(TickLineError, match="line 2: tick 1: mid must be a number, got 'x'"):
        list(read_ticks(tmp_path))


def test_without_a_name_it_is_the_latest_run_that_has_ticks(tmp_path):
    recorded(tmp_path, [(t, line_of(t)) for t in range(3)])
    recorded(tmp_path, [(t, line_of(t)) for t in range(5)])
    recorded(tmp_path, [(0, b'{"t":0}')], "metrics")
    assert [tick.t for tick in read_ticks(tmp_path)] == list(range(5))
    with pytest.raises(SourceError, match="has no ticks"):
        read_ticks(tmp_path, run=Store(tmp_path).run().id)


def test_a_store_without_ticks_says_how_they_are_recorded(tmp_path):
    recorded(tmp_path, [(0, b'{"t":0}')], "metrics")
    with pytest.raises(SourceError, match=r"has no ticks: .* --record-ticks only"):
        read_ticks(tmp_path)
    with pytest.raises(SourceError, match="no run"):
        read_ticks(tmp_path, run="other")
