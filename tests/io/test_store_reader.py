import shutil
import threading
import tracemalloc
from pathlib import Path

import orjson
import pytest
import zstandard

from marketcam.engine import LimitError
from marketcam.io.store import (
    DamagedSegmentError,
    ManifestError,
    Recorder,
    RecorderOptions,
    SegmentEntry,
    Store,
    StoreError,
    TornSegmentError,
    UnknownRunError,
    UnknownSegmentError,
    ZstdSegmentWriter,
    recover,
)
from marketcam.io.store import catalog as catalog_module
from marketcam.io.store import reader as reader_module
from marketcam.io.store.manifest import Manifest
from tests.store_helpers import SetClock, die, leave_pending, line, lines, manifest, segment_files

pytestmark = pytest.mark.usefixtures("quick_disk")


def recorded(store: Path, segments: int = 5, each: int = 20) -> Store:
    """Make a store of closed segments with every tick once, from 0."""
    clock = SetClock()
    with ZstdSegmentWriter("metrics", store, clock=clock.clock) as writer:
        for t, text in enumerate(lines(0, segments * each)):
            if t % each == 0:
                clock.advance(300)
            writer.write_line(text, t)
    return Store(store)


def test_lines_across_segments(tmp_path):
    store = recorded(tmp_path)
    assert list(store.lines("metrics")) == lines(0, 100)
    assert [entry.to_dict() for entry in store.segments("metrics")] == manifest(tmp_path)


@pytest.mark.parametrize(
    ("from_t", "to_t", "expected"),
    [
        (None, None, range(100)),
        (0, 99, range(100)),
        (20, 39, range(20, 40)),
        (19, 20, range(19, 21)),
        (50, 50, range(50, 51)),
        (95, None, range(95, 100)),
        (None, 4, range(5)),
        (-10, -1, range(0)),
        (100, None, range(0)),
    ],
)
def test_a_range_of_ticks_includes_both_ends(tmp_path, from_t, to_t, expected):
    store = recorded(tmp_path)
    found = list(store.lines("metrics", from_t, to_t))
    assert [orjson.loads(text)["t"] for text in found] == list(expected)
    assert list(store.lines("metrics", from_t=from_t, to_t=to_t)) == found


def test_segments_outside_the_range_are_not_opened(tmp_path):
    store = recorded(tmp_path)
    for path in segment_files(tmp_path)[0:2] + segment_files(tmp_path)[3:]:
        path.write_bytes(b"not to be read")
    assert list(store.lines("metrics", 40, 59)) == lines(40, 60)
    with pytest.raises(DamagedSegmentError):
        list(store.lines("metrics", 39, 59))


def test_a_tick_is_one_of_a_run(tmp_path):
    for note in ("first", "second"):
        with ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock) as writer:
            for t in range(10):
                writer.write_line(line(t, note), t)
    store = Store(tmp_path)
    first, second = store.runs()
    assert store.run() == second == store.run(second.id)
    assert store.run(first.id) == first
    assert list(store.lines("metrics", 3, 4)) == [line(3, "second"), line(4, "second")]
    assert list(store.lines("metrics", 3, 4, run=first.id)) == [line(3, "first"), line(4, "first")]
    found = list(store.lines("metrics", 3, 4, run="all"))
    assert found == [line(t, note) for note in ("first", "second") for t in (3, 4)]
    assert [entry.run for entry in store.segments("metrics")] == [first.id, second.id]
    assert [entry.run for entry in store.segments("metrics", first.id)] == [first.id]
    for asked in (store.lines, store.segments, store.last_t):
        with pytest.raises(UnknownRunError, match="has no run 'third'"):
            asked("metrics", run="third")


def test_the_pending_segment_is_part_of_it(tmp_path):
    recorded(tmp_path, segments=2)
    clock = SetClock()
    clock.advance(3000)
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=clock.clock)
    store = Store(tmp_path)
    for t in range(40, 60):
        writer.write_line(line(t), t)
    writer.flush()
    for t in range(60, 65):
        writer.write_line(line(t), t)
    expected = [*lines(0, 40), *(line(t) for t in range(40, 60))]
    assert list(store.lines("metrics", run="all")) == expected
    assert list(store.lines("metrics", 39, 41, run="all")) == expected[39:42]
    assert list(store.lines("metrics")) == expected[40:]
    assert store.last_t("metrics") == 59
    *closed, pending = store.segments("metrics")
    assert [entry.to_dict() for entry in closed] == manifest(tmp_path)
    assert pending == writer.entry()
    writer.close()
    assert len(list(store.lines("metrics", run="all"))) == 65
    assert store.last_t("metrics") == 64
    assert [entry.pending for entry in store.segments("metrics")] == [False] * 3


def test_a_pending_segment_without_a_line_is_not_listed(tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "segment_20260124_120000_0_pending.jsonl.zst").touch()
    store = Store(tmp_path)
    assert store.segments("metrics") == []
    assert list(store.lines("metrics")) == []


def test_a_store_that_a_crash_left_can_be_read_before_it_is_recovered(tmp_path):
    leave_pending(tmp_path)
    store = Store(tmp_path)
    assert list(store.lines("metrics")) == lines(0, 40)
    (entry,) = store.segments("metrics")
    assert (entry.lines, entry.end_t, entry.pending) == (40, 39, True)
    pending = segment_files(tmp_path)[0]
    recover(tmp_path)
    shutil.copy(segment_files(tmp_path)[0], pending)  # its closed twin is there: not twice
    assert list(store.lines("metrics")) == lines(0, 40)
    assert len(store.segments("metrics")) == 1


def test_segments_missing_in_the_manifest_are_read_as_well(tmp_path):
    store = recorded(tmp_path)
    before = store.segments("metrics")
    (tmp_path / "metrics" / "manifest.json").unlink()
    assert list(store.lines("metrics")) == lines(0, 100)
    found = store.segments("metrics")
    assert [(entry.path, entry.start_t, entry.end_t, entry.lines) for entry in found] == [
        (entry.path, entry.start_t, entry.end_t, entry.lines) for entry in before
    ]
    segment_files(tmp_path)[1].write_bytes(segment_files(tmp_path)[1].read_bytes()[:-9])
    with pytest.raises(TornSegmentError, match=r"segment_20260124_121000_20.jsonl.zst: "):
        store.segments("metrics")


@pytest.mark.parametrize("cut", [0, 30])
def test_a_damaged_segment_is_named_after_its_readable_lines(tmp_path, cut):
    store = recorded(tmp_path)
    path = segment_files(tmp_path)[2]
    data = bytearray(path.read_bytes())
    if cut:
        del data[-cut:]
    else:
        data[-1] ^= 1  # the checksum
    path.write_bytes(data)
    found: list[bytes] = []
    with pytest.raises(DamagedSegmentError, match=path.name):
        found.extend(store.lines("metrics"))  # a list keeps what came before the error
    assert found == lines(0, len(found))
    assert len(found) >= 40
    assert list(store.lines("metrics", 60)) == lines(60, 100)


def test_a_missing_file_is_left_out_and_told_unless_its_removal_is_on_record(tmp_path):
    missing: list[str] = []
    recorded(tmp_path)
    store = Store(tmp_path, on_missing=missing.append)
    gone = segment_files(tmp_path)[1]
    lines_left = store.lines("metrics")
    assert next(lines_left) == lines(0, 1)[0]
    gone.unlink()
    assert list(lines_left) == [*lines(1, 20), *lines(40, 100)]
    assert missing == [f"metrics/{gone.name}"]
    with pytest.warns(UserWarning, match=rf"{gone.name} is missing, no record says why"):
        assert list(Store(tmp_path).lines("metrics", 20, 50)) == lines(40, 51)
    reading = store.lines("metrics")
    assert next(reading) == lines(0, 1)[0]
    recover(tmp_path)  # as retention would have, it records that the file is gone
    assert list(reading) == [*lines(1, 20), *lines(40, 100)]
    assert len(missing) == 1, "now it is on record"
    assert list(store.lines("metrics")) == [*lines(0, 20), *lines(40, 100)]
    assert len(store.segments("metrics")) == 4


def test_a_removal_is_waited_for_while_a_writer_lives(tmp_path, monkeypatch):
    missing: list[str] = []
    with ZstdSegmentWriter("metrics", tmp_path, segment_bytes=1) as writer:
        for t in range(3):
            writer.write_line(line(t), t)
        store = Store(tmp_path, on_missing=missing.append)
        gone = store.segments("metrics")[0]
        (tmp_path / gone.path).unlink()
        folder = Manifest(tmp_path / "metrics")
        monkeypatch.setattr(
            reader_module.time, "sleep", lambda _: folder.append([gone.as_removed("age")])
        )
        assert list(store.lines("metrics")) == [line(1), line(2)]
    assert missing == []


def test_lines_without_tick_numbers_have_no_range(tmp_path):
    with ZstdSegmentWriter("ticks", tmp_path, clock=SetClock().clock) as writer:
        writer.write_line(line(1), 1)
        writer.write_line(b'{"x":1}', 2)
    store = Store(tmp_path)
    assert list(store.lines("ticks")) == [line(1), b'{"x":1}']
    with pytest.raises(StoreError, match=r"120000_1.jsonl.zst: a line has no tick number: b'\{"):
        list(store.lines("ticks", from_t=0))


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(UnknownSegmentError, match=r"there is no store at .*nowhere"):
        Store(tmp_path / "nowhere")
    store = Store(tmp_path)
    for kind, message in (("frames", "has no frames"), ("films", "must be one of")):
        with pytest.raises(UnknownSegmentError, match=message):
            store.segments(kind)
        with pytest.raises(UnknownSegmentError, match=message):
            store.lines(kind)
    recorded(tmp_path)
    with pytest.raises(LimitError, match=r"from_t must be at most to_t \(4\), got 5"):
        store.lines("metrics", 5, 4)
    (tmp_path / "metrics" / "manifest.json").write_bytes(b"{")
    with pytest.raises(ManifestError, match=r"manifest.json must be JSON"):
        store.lines("metrics")


def test_a_file_is_found_by_its_name(tmp_path):
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    writer.write_line(line(0), 0)
    (pending,) = segment_files(tmp_path)
    store = Store(tmp_path)
    assert store.file("metrics", pending.name) == pending
    writer.close()
    (closed,) = segment_files(tmp_path)
    assert store.file("metrics", closed.name) == closed
    assert store.file("metrics", pending.name) == closed, "a name seen while pending stays good"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "manifest.json",
        "../metrics/segment_20260124_120500_0.jsonl.zst",
        "/etc/passwd",
        "segment_20260124_120500_0.jsonl.zst/",
        "segment_20260124_120500_0.jsonl.zst\x00",
        "segment_20260124_120500_1.jsonl.zst",
        "segment_20260124_120500_1_pending.jsonl.zst",
        "x" * 10_000,
    ],
)
def test_nothing_else_can_be_reached(tmp_path, name):
    store = recorded(tmp_path)
    with pytest.raises(UnknownSegmentError, match="metrics has no segment '"):
        store.file("metrics", name)


def test_a_foreign_manifest_entry_cannot_lead_outside(tmp_path):
    store = recorded(tmp_path)
    records = manifest(tmp_path)
    records[0]["path"] = "metrics/../../secret.zst"
    (tmp_path / "metrics" / "manifest.json").write_bytes(orjson.dumps(records))
    with pytest.raises(ManifestError, match="path must be"):
        store.lines("metrics")


def test_reading_beside_a_recorder_at_work(tmp_path):
    """Whenever it looks, a reader finds a beginning of what is recorded, without a gap."""
    options = RecorderOptions(tmp_path, kinds=("metrics",), segment_bytes=2000, flush_seconds=0.01)
    total = 3000
    is_done = threading.Event()
    problems = []

    def read() -> None:
        store = Store(tmp_path)
        longest = 0
        while not is_done.is_set():
            found = list(store.lines("metrics"))
            listed = sum(entry.lines for entry in store.segments("metrics"))
            if found != lines(0, len(found)) or not longest <= len(found) <= listed:
                problems.append((longest, len(found), listed))
            longest = len(found)

    with Recorder(options) as recorder:
        reading = threading.Thread(target=read)
        reading.start()
        for t, text in enumerate(lines(0, total)):
            recorder.write("metrics", text, t)
        recorder.flush()
        is_done.set()
        reading.join()
    assert problems == []
    assert list(Store(tmp_path).lines("metrics")) == lines(0, total)


def test_a_segment_closed_between_listing_and_manifest_is_found(tmp_path, monkeypatch):
    """The moment between a closing's rename and its entry in the manifest, held still."""
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    for t in range(3):
        writer.write_line(line(t), t)
    read_manifest = catalog_module.read_manifest

    def close_first(path: Path) -> list[tuple[dict[str, object], SegmentEntry]]:
        writer.close()
        return read_manifest(path)

    monkeypatch.setattr(catalog_module, "read_manifest", close_first)
    assert list(Store(tmp_path).lines("metrics")) == [line(t) for t in range(3)]


def test_a_dead_writers_pending_is_opened_under_its_closed_name(tmp_path):
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    writer.write_line(line(0), 0)
    writer.flush()
    found = Store(tmp_path).lines("metrics")
    die(writer)
    recover(tmp_path)
    assert list(found) == [line(0)]


def test_a_pending_segment_discarded_since_it_was_listed_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "segment_20260124_120000_0_pending.jsonl.zst").touch()
    files_in = catalog_module.file_names_in

    def recover_after_listing(folder: Path) -> set[str]:
        files = files_in(folder)
        recover(tmp_path)
        return files

    monkeypatch.setattr(catalog_module, "file_names_in", recover_after_listing)
    assert Store(tmp_path).segments("metrics") == []
    (tmp_path / "metrics" / "segment_20260124_120000_0_pending.jsonl.zst").touch()
    assert list(Store(tmp_path).lines("metrics")) == []


def test_constant_memory_whatever_the_segment(tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock) as writer:
        for t in range(1000):
            writer.write_line(b'{"t":%d,"x":"%s"}' % (t, b"x" * 10_000), t)
    (path,) = segment_files(tmp_path)
    assert zstandard.frame_content_size(path.read_bytes()) > 10_000_000
    found = Store(tmp_path).lines("metrics")
    tracemalloc.start()
    try:
        assert sum(1 for _ in found) == 1000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * 1024 * 1024
