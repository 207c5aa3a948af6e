"""Recovery of damaged segments and manifests: whatever the damage, what can be saved is."""

import io
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
import zstandard

from marketcam.io.store import Store, ZstdSegmentWriter, recover
from marketcam.io.store.decode import read_lines
from marketcam.io.store.errors import NewerFormatError, TornSegmentError
from marketcam.io.store.manifest import MANIFEST, Manifest
from marketcam.io.store.recovery import RecoveryReport
from marketcam.io.store.verify import verify
from tests.store_helpers import (
    NOON,
    SetClock,
    files,
    leave_pending,
    line,
    lines,
    manifest,
    recovered_lines,
    runs_to_its_end,
    segment_files,
)

COUNT = 40


def record(store: Path, segments: int = 1, *, clock: SetClock | None = None) -> list[Path]:
    """Record one run, flushed every fifth line; return the files in the order of recording."""
    clock = clock or SetClock()
    writer = ZstdSegmentWriter("metrics", store, segment_seconds=1, clock=clock.clock)
    with writer:
        for start in range(0, segments * COUNT, COUNT):
            for t, text in enumerate(lines(start, start + COUNT), start):
                writer.write_line(text, t)
                if t % 5 == 4:
                    writer.flush()
            clock.advance(2)
    return segment_files(store)


def lines_before(data: bytes) -> int:
    """Count the whole lines in the whole blocks of what is left of a file."""
    count = 0
    with suppress(TornSegmentError):
        for count, _ in enumerate(read_lines(io.BytesIO(data)), 1):  # noqa: B007 - the last counts
            pass
    return count


def test_a_listed_segment_cut_at_every_byte(tmp_path):
    (path,) = record(tmp_path / "whole")
    data = path.read_bytes()
    counts = set()
    for cut in range(len(data)):
        store = tmp_path / str(cut)
        shutil.copytree(tmp_path / "whole", store)
        (store / "metrics" / path.name).write_bytes(data[:cut])
        readable = lines_before(data[:cut])
        report = recover(store)
        outcome = "whole" if readable == COUNT else "partial" if readable else "nothing"
        assert (report.outcome, len(report.set_aside)) == (outcome, 1), cut
        assert (store / report.set_aside[0]).read_bytes() == data[:cut]
        assert recovered_lines(store) == lines(0, readable)
        assert verify(store).damage == []
        assert recover(store, thorough=True) == RecoveryReport()
        counts.add(readable)
        shutil.rmtree(store)
    assert counts == {0, 1, *range(5, COUNT + 1, 5)}


def test_a_listed_segment_with_a_flipped_bit(tmp_path):
    (path,) = record(tmp_path / "whole")
    data = path.read_bytes()
    outcomes = set()
    for place in range(0, 8 * len(data), 7):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        store = tmp_path / str(place)
        shutil.copytree(tmp_path / "whole", store)
        (store / "metrics" / path.name).write_bytes(flipped)
        is_damage = bool(verify(store).damage)
        report = recover(store, thorough=True)
        assert bool(report.set_aside) == is_damage, place
        found = recovered_lines(store)
        assert len(found) >= lines_before(data[: place // 8]), place
        assert not is_damage or (store / report.set_aside[0]).read_bytes() == flipped
        assert verify(store, parse=True).damage == []
        outcomes.add(report.outcome)
        shutil.rmtree(store)
    assert outcomes == {"whole", "partial", "nothing"}


@pytest.mark.parametrize("segments", [1, 5])
@pytest.mark.parametrize("damage", ["gone", "empty", "torn", "zeros", "no list"])
def test_a_manifest_is_rebuilt_to_the_same_entries(tmp_path, segments, damage):
    clock = SetClock()
    record(tmp_path, segments, clock=clock)
    clock.now = NOON - 5000  # set back: the order of recording is not that of the names
    record(tmp_path, segments, clock=clock)
    before = Manifest(tmp_path / "metrics").entries()
    assert len({entry.run for entry in before}) == 2
    assert [entry.name for entry in before] != sorted(entry.name for entry in before)
    path = tmp_path / "metrics" / MANIFEST
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        spoiled = {"empty": b"", "torn": whole[:-9], "zeros": bytes(len(whole)), "no list": b"{}"}
        path.write_bytes(spoiled[damage])
    report = recover(tmp_path)
    assert Manifest(tmp_path / "metrics").entries() == before
    assert path.read_bytes() == whole
    assert len(report.set_aside) == (damage != "gone")
    assert verify(tmp_path).damage == []


def test_a_manifest_with_a_flipped_bit_is_corrected_or_rebuilt(tmp_path):
    record(tmp_path / "whole", 2)
    folder = tmp_path / "whole" / "metrics"
    before = Manifest(folder).entries()
    whole = (folder / MANIFEST).read_bytes()
    dates = [whole.index(b"created_at"), whole.rindex(b"created_at")]
    outcomes = set()
    for place in range(0, 8 * len(whole), 3):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        store = tmp_path / str(place)
        shutil.copytree(tmp_path / "whole", store)
        (store / "metrics" / MANIFEST).write_bytes(flipped)
        try:
            recover(store, thorough=True)
        except NewerFormatError:
            outcomes.add("newer")  # the bit made a later version of a record's
            assert (store / "metrics" / MANIFEST).read_bytes() == flipped
        else:
            entries = Manifest(store / "metrics").entries()
            if any(0 <= place // 8 - date < 40 for date in dates) and entries != before:
                # The one thing that is said nowhere else in the store is when a segment was
                # closed, if its file has lost its date.
                entries = tuple(
                    type(entry)(**_fields(entry) | {"created_at": known.created_at})
                    for entry, known in zip(entries, before, strict=True)
                )
                outcomes.add("another date")
            assert entries == before, (place, flipped[place // 8 - 20 : place // 8 + 20])
            outcomes.add("same")
        shutil.rmtree(store)
    assert outcomes == {"same", "newer", "another date"}


def _fields(entry: object) -> dict[str, object]:
    return {name: getattr(entry, name) for name in type(entry).__slots__}


def test_a_manifest_of_another_store_is_set_aside(tmp_path):
    record(tmp_path / "other", 3)
    clock = SetClock(NOON + 10_000)
    record(tmp_path / "ours", 2, clock=clock)
    before = manifest(tmp_path / "ours")
    foreign = (tmp_path / "other" / "metrics" / MANIFEST).read_bytes()
    (tmp_path / "ours" / "metrics" / MANIFEST).write_bytes(foreign)
    report = recover(tmp_path / "ours")
    assert report.set_aside == ["metrics/manifest.corrupt-1.json"]
    assert (tmp_path / "ours" / report.set_aside[0]).read_bytes() == foreign
    assert manifest(tmp_path / "ours") == before
    assert report.missing == []


def test_a_single_foreign_entry_does_not_cost_the_others_their_runs(tmp_path):
    record(tmp_path, 3)
    records = manifest(tmp_path)
    runs = {entry["path"]: entry["run"] for entry in records}
    foreign = records[0] | {"path": "metrics/segment_20200101_000000_7.jsonl.zst", "start_t": 7}
    (tmp_path / "metrics" / MANIFEST).write_bytes(orjson.dumps([foreign, *records]))
    (tmp_path / "runs.jsonl").unlink()
    report = recover(tmp_path)
    assert report.set_aside == []
    assert [entry.path for entry in report.missing] == [foreign["path"]]
    assert {entry.path: entry.run for entry in Store(tmp_path).segments("metrics")} == runs
    assert verify(tmp_path).damage == []


@pytest.mark.parametrize("where", ["manifest", "torn manifest", "journal"])
def test_what_is_newer_is_refused_and_nothing_changed(tmp_path, where):
    leave_pending(tmp_path)
    (tmp_path / "frames").mkdir()
    name = "segment_20260124_120000_0_pending.jsonl.zst"
    (tmp_path / "frames" / name).write_bytes(b"")
    if where == "journal":
        with (tmp_path / "runs.jsonl").open("ab") as file:
            file.write(b'{"format":99,"record":"start","run":"x","at":"later"}\n')
    else:
        records = orjson.dumps([{"format": 99, "path": 5}])
        text = records if where == "manifest" else records[:-1]
        (tmp_path / "metrics" / MANIFEST).write_bytes(text)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(NewerFormatError, match="format must be at most 1, got 99"):
        recover(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_mending_cut_off_at_any_step_is_finished_by_the_next(tmp_path):
    """Of a damaged closed segment, a torn manifest, and a pending segment with its twin."""
    steps = 0
    is_whole = False
    while not is_whole:
        steps += 1
        store = tmp_path / str(steps)
        first, second = record(store, 2)
        before = manifest(store)
        data = first.read_bytes()
        first.write_bytes(data[: len(data) // 2])
        kept = lines_before(data[: len(data) // 2])
        assert 0 < kept < COUNT
        pending = second.with_name(second.name.replace(".jsonl", "_pending.jsonl"))
        pending.write_bytes(second.read_bytes()[:-50])
        is_whole = runs_to_its_end(lambda: recover(store), steps)  # noqa: B023 - called here
        recover(store)
        assert recovered_lines(store) == [*lines(0, kept), *lines(COUNT, 2 * COUNT)], steps
        assert manifest(store)[:2] == before
        assert verify(store).damage == []
        aside = list((store / "metrics").glob("*damaged*"))
        assert [path.read_bytes() for path in aside] == [data[: len(data) // 2]], steps
        assert not list(store.rglob("*.new"))
    assert steps > 20


def test_a_full_disk_leaves_nothing_new(tmp_path):
    """Whichever write it refuses: of the lock, of the segment or of the manifest."""
    room = 0
    is_whole = False
    while not is_whole:
        store = tmp_path / str(room)
        pending = leave_pending(store)
        data = pending.read_bytes()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "write", filling(room))
            try:
                recover(store)
                is_whole = room > 1  # that the lock is not signed is no reason to stop
            except OSError:
                assert pending.read_bytes() == data
        assert not list(store.rglob("*.new"))
        recover(store)
        assert recovered_lines(store) == lines(0, COUNT)
        assert pending.name not in files(store)
        room += 1
    assert room > 3


def filling(room: int) -> Callable[[int, bytes], int]:
    left = [room]
    write = os.write

    def instead(descriptor: int, text: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return write(descriptor, text)

    return instead


def test_a_hostile_pending_file_is_kept_aside_at_its_first_block(tmp_path):
    pending = leave_pending(tmp_path)
    with pending.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as out:
        out.write(line(0) + b"\n")
        for _ in range(1024):
            out.write(bytes(2**20))
    assert pending.stat().st_size < 100_000
    report = recover(tmp_path)
    assert (len(report.recovered), len(report.set_aside)) == (1, 1)
    assert recovered_lines(tmp_path) == [line(0)]
