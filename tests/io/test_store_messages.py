"""Several kinds as one stream, dicts, and what a kept store sees of what goes on beside it."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import LimitError
from marketcam.io.store import (
    ManifestError,
    Recorded,
    Recorder,
    RecorderOptions,
    RetentionPolicy,
    Store,
    StoreError,
    UnknownRunError,
    ZstdSegmentWriter,
)
from marketcam.io.store import catalog as catalog_module
from marketcam.io.store import reader as reader_module
from marketcam.io.store.decode import whole_lines
from marketcam.io.store.files import lock_if_free
from marketcam.io.store.merging import merged
from marketcam.io.store.ranges import LineFilter
from tests.store_helpers import SetClock, line, lines, manifest, segment_files

if TYPE_CHECKING:
    from pathlib import Path


def message(kind: str, t: int, note: str = "") -> bytes:
    return orjson.dumps({"type": kind, "t": t, "note": note})


@pytest.fixture
def two_runs(tmp_path) -> Path:
    """Two runs of metrics at every tick, frames at every fourth, and raw ticks."""
    for note, ticks in (("first", 20), ("second", 12)):
        clock = SetClock().clock
        with (
            ZstdSegmentWriter("metrics", tmp_path, clock=clock) as metrics,
            ZstdSegmentWriter("frames", tmp_path, clock=clock) as frames,
            ZstdSegmentWriter("ticks", tmp_path, clock=clock) as raw,
        ):
            for t in range(ticks):
                raw.write_line(orjson.dumps({"t": t, "note": note}), t)
                metrics.write_line(message("metric", t, note), t)
                if t % 4 == 0:
                    frames.write_line(message("frame", t, note), t)
    return tmp_path


def test_messages_are_merged_by_tick_the_metric_first(two_runs):
    store = Store(two_runs)
    found = list(store.messages(3, 8))
    assert [(each.kind, each.t) for each in found] == [
        ("metric", 3),
        ("metric", 4),
        ("frame", 4),
        ("metric", 5),
        ("metric", 6),
        ("metric", 7),
        ("metric", 8),
        ("frame", 8),
    ]
    assert found[2] == Recorded("frame", 4, message("frame", 4, "second"))
    assert [each.t for each in store.messages(kinds=["frame"])] == [0, 4, 8]
    assert [each.kind for each in store.messages(4, 4, kinds=["tick", "frame", "metric"])] == [
        "metric",
        "frame",
        "tick",
    ]
    assert [(m.kind, m.t) for m in store.messages(every=5)] == [
        ("metric", 0),
        ("frame", 0),
        ("metric", 5),
        ("metric", 10),
    ]
    first, second = (run.id for run in store.runs())
    assert [m.t for m in store.messages(kinds=["frame"], run=first)] == [0, 4, 8, 12, 16]
    assert [m.t for m in store.messages(kinds=["frame"], run="all")] == [0, 4, 8, 12, 16, 0, 4, 8]
    assert list(store.messages(run=second)) == list(store.messages())


def test_lines_as_dicts(two_runs):
    store = Store(two_runs)
    run = store.runs()[0].id
    assert list(store.frames(4, 8)) == [{"type": "frame", "t": t, "note": "second"} for t in (4, 8)]
    assert [each["t"] for each in store.metrics(run=run, every=6)] == [0, 6, 12, 18]
    assert list(store.ticks(19, run=run)) == [{"t": 19, "note": "first"}]
    assert [store.last_t(kind) for kind in ("frames", "metrics", "ticks")] == [8, 11, 11]
    assert store.last_t("frames", run) == 16


def test_what_cannot_be_asked_is_said(two_runs, tmp_path_factory):
    store = Store(two_runs)
    with pytest.raises(LimitError, match=r"kinds must be of metric, frame, tick, got \{'film'\}"):
        store.messages(kinds=["film"])
    with pytest.raises(LimitError, match="every must be at least 1, got 0"):
        store.messages(every=0)
    with pytest.raises(LimitError, match=r"from_t must be at most to_t \(1\), got 2"):
        store.frames(2, 1)
    with pytest.raises(UnknownRunError, match="has no run 'third'"):
        store.messages(run="third")
    empty = Store(tmp_path_factory.mktemp("empty"))
    assert list(empty.messages()) == []
    assert empty.runs() == []
    with pytest.raises(UnknownRunError, match="has no run yet"):
        empty.run()


def test_where_ticks_begin_anew_what_follows_comes_after():
    """As in a store of the time before runs had names."""
    metrics = [message("metric", t) for t in (0, 1, 2, 0, 1)]
    frames = [message("frame", t) for t in (1, 2, 1)]
    found = merged({"frame": iter(frames), "metric": iter(metrics)})
    assert [(each.kind[0], each.t) for each in found] == [
        *[("m", 0), ("m", 1), ("f", 1), ("m", 2), ("f", 2)],
        *[("m", 0), ("m", 1), ("f", 1)],
    ]
    with pytest.raises(StoreError, match="a frame has no tick number"):
        list(merged({"frame": iter([b"{}"])}))


def test_closing_an_iterator_lets_go_of_its_files(two_runs):
    def is_free(kind: str) -> bool:
        with segment_files(two_runs, kind)[-1].open("rb") as file:
            return lock_if_free(file)

    store = Store(two_runs)
    for reading in (store.lines("metrics"), store.metrics(), store.messages()):
        next(reading)
        assert not is_free("metrics")
        assert is_free("ticks")
        reading.close()
        assert is_free("metrics")
        assert is_free("frames")


def test_a_removal_is_waited_for_until_it_is_on_record(tmp_path, monkeypatch):
    clock = SetClock()
    with ZstdSegmentWriter("metrics", tmp_path, segment_seconds=1, clock=clock.clock) as writer:
        for t, text in enumerate(lines(0, 30)):
            clock.advance(t % 10 == 0)
            writer.write_line(text, t)
    store = Store(tmp_path)
    manifest_file = tmp_path / "metrics" / "manifest.json"
    reading = store.lines("metrics")
    next(reading)
    segment_files(tmp_path)[1].unlink()

    def record_the_removal(_: float) -> None:
        records = orjson.loads(manifest_file.read_bytes())
        manifest_file.write_bytes(orjson.dumps([*records, {**records[1], "removed": True}]))

    monkeypatch.setattr(reader_module, "living_writer", lambda _: 1)
    monkeypatch.setattr(reader_module.time, "sleep", record_the_removal)
    assert list(reading) == [*lines(1, 10), *lines(20, 30)]


def test_manifests_and_journal_are_read_again_only_when_they_changed(tmp_path, monkeypatch):
    read: list[str] = []
    for name in ("read_manifest", "read_runs"):
        real = getattr(catalog_module, name)
        monkeypatch.setattr(
            catalog_module,
            name,
            lambda path, name=name, real=real: (read.append(name), real(path))[1],
        )
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    store = Store(tmp_path)
    for t in range(50):
        writer.write_line(line(t), t)
        writer.flush()
        assert list(store.lines("metrics", t)) == [line(t)]
    assert len(read) <= 4
    writer.close()
    assert list(store.lines("metrics", 48)) == [line(48), line(49)]
    assert len(read) <= 7


def test_of_a_manifest_that_grew_only_what_is_new_is_parsed(tmp_path, monkeypatch):
    writer = ZstdSegmentWriter("metrics", tmp_path, segment_bytes=200, clock=SetClock().clock)
    store = Store(tmp_path)
    whole: list[Path] = []
    read_manifest = catalog_module.read_manifest
    monkeypatch.setattr(
        catalog_module, "read_manifest", lambda path: whole.append(path) or read_manifest(path)
    )
    for t in range(60):
        writer.write_line(line(t), t)
        writer.flush()
        assert list(store.lines("metrics")) == [line(each) for each in range(t + 1)]
    writer.close()
    assert len(manifest(tmp_path)) == 10
    assert len(whole) == 2, "once while there was none, and once when it began"
    path = tmp_path / "metrics" / "manifest.json"
    records = manifest(tmp_path)
    for written in (records[:-1], records, [*records, {**records[0], "removed": True}]):
        path.write_bytes(orjson.dumps(written))  # written by another, in another form
        live = [record for record in written if record["path"] != records[0]["path"]]
        found = store.segments("metrics")[: len(written)]
        expected = live if len(written) > len(records) else written
        assert [entry.to_dict() for entry in found[: len(expected)]] == expected
    path.write_bytes(path.read_bytes()[:-1] + b',{"path":7}]')
    with pytest.raises(ManifestError, match=rf"record {len(records) + 1}: "):
        store.segments("metrics")


def test_segments_of_a_run_are_in_the_order_of_the_journal(tmp_path):
    """The order in the manifest is another where it was made anew after the clock was set back."""
    clock = SetClock()
    with ZstdSegmentWriter("metrics", tmp_path, segment_bytes=200, clock=clock.clock) as writer:
        for t in range(40):
            clock.advance(-7)
            writer.write_line(line(t), t)
    manifest_file = tmp_path / "metrics" / "manifest.json"
    records = orjson.loads(manifest_file.read_bytes())
    assert len(records) > 3
    manifest_file.write_bytes(orjson.dumps(records[::-1]))
    store = Store(tmp_path)
    run = store.run().id
    assert [entry.to_dict() for entry in store.segments("metrics", run)] == records
    for from_t in range(40):
        assert list(store.lines("metrics", from_t)) == [line(t) for t in range(from_t, 40)]
    manifest_file.unlink()  # then the names in the folder are all there is
    assert list(store.lines("metrics", 5)) == [line(t) for t in range(5, 40)]


def test_one_store_for_many_threads_beside_a_recorder_with_retention(tmp_path):
    """Every answer is a part of what was recorded, without a hole; nothing is removed under it."""
    options = RecorderOptions(
        tmp_path,
        kinds=("metrics",),
        segment_bytes=3000,
        flush_seconds=0.01,
        retention=RetentionPolicy(retain_bytes=30_000),
    )
    total = 6000
    problems: list[object] = []
    is_done = threading.Event()

    def read(store: Store, seed: int) -> None:
        try:
            while not is_done.is_set():
                last_t = store.last_t("metrics") or 0
                from_t = max(0, last_t - seed * 150)
                found = [orjson.loads(text)["t"] for text in store.lines("metrics", from_t)]
                if found != list(range(total))[found[0] : found[0] + len(found)] if found else ():
                    problems.append((from_t, found))
        except Exception as error:  # noqa: BLE001 - it is what the test is about
            problems.append(error)

    with Recorder(options) as recorder:
        recorder.write("metrics", lines(0, 1)[0], 0)
        recorder.flush()
        store = Store(tmp_path)
        threads = [threading.Thread(target=read, args=(store, seed)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for t, text in enumerate(lines(1, total), 1):
            recorder.write("metrics", text, t)
        recorder.flush()
        is_done.set()
        for thread in threads:
            thread.join()
    assert problems == []


TEXTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.booleans()), max_size=30)


@given(
    shape=TEXTS,
    start=st.integers(-20, 5),
    cuts=st.lists(st.integers(0, 900), max_size=6),
    from_t=st.none() | st.integers(-25, 60),
    length=st.none() | st.integers(0, 40),
    every=st.integers(1, 5),
)
def test_a_filter_picks_the_same_wherever_the_text_is_cut(
    shape, start, cuts, from_t, length, every
):
    t, made, text = start, [], b""
    for step, size, has_gap in shape:
        t += step
        made.append((t, line(t, "x" * size * 60)))
        text += b"\n" * has_gap + made[-1][1] + b"\n"
    to_t = None if length is None else (from_t or 0) + length
    borders = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[a:b] for a, b in pairwise(borders)]
    naive = [
        each
        for tick, each in made
        if (from_t is None or tick >= from_t) and (to_t is None or tick <= to_t)
    ]
    asked = LineFilter(from_t, to_t, every)
    found = list(asked.picked(whole_lines(pieces)))
    assert found == naive[::every]
    found += asked.picked(whole_lines(pieces))
    assert found == (naive + naive)[::every], "thinning goes on from segment to segment"


def test_runs_are_thinned_one_by_one(two_runs):
    store = Store(two_runs)
    expected = [
        line for run in store.runs() for line in list(store.lines("metrics", run=run.id))[::3]
    ]
    assert list(store.lines("metrics", run="all", every=3)) == expected
    thinned = [each for each in store.messages(run="all", every=3) if each.kind == "metric"]
    assert [each.line for each in thinned] == expected
