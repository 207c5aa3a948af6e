import os
from functools import partial
from pathlib import Path

import pytest

from marketcam.engine import LimitError
from marketcam.io.store import (
    Clock,
    DiskUse,
    RetentionPolicy,
    SegmentEntry,
    Store,
    disk_use,
    recover,
)
from marketcam.io.store import ZstdSegmentWriter as Writer
from marketcam.io.store.clock import utc_text
from marketcam.io.store.errors import (
    ManifestError,
    NewerFormatError,
    StoreBusyError,
    UnknownSegmentError,
)
from marketcam.io.store.files import share
from marketcam.io.store.folder import KindFolder
from marketcam.io.store.prune import keep_newest, prune
from marketcam.io.store.recovery import RecoveryReport
from marketcam.io.store.retention import Retention, outdated
from tests.store_helpers import (
    NOON,
    Events,
    SetClock,
    line,
    manifest,
    recovered_lines,
    runs_to_its_end,
    segment_files,
)

ROOMY = DiskUse(used_bytes=0, free_bytes=1000)
HOUR = 3600.0


def closed(kind: str, hour: float, size: int = 100) -> SegmentEntry:
    return SegmentEntry(
        f"{kind}/segment_20260124_120000_{int(hour * 10)}.jsonl.zst",
        int(hour * 10),
        int(hour * 10),
        1,
        size,
        utc_text(NOON + hour * HOUR),
    )


FRAMES = [closed("frames", hour) for hour in (0, 2, 4, 6)]
METRICS = [closed("metrics", hour) for hour in (1, 3, 5, 7)]


def gone(policy: RetentionPolicy, disk: DiskUse = ROOMY, pending_bytes: int = 0) -> list[float]:
    """Return the hours of the segments that go, with what is said of them left out."""
    found = outdated(policy, [FRAMES, METRICS], pending_bytes, NOON + 8 * HOUR, disk)
    return [(entry.closed_at - NOON) / HOUR for entry, _ in found]


def test_nothing_goes_by_itself():
    assert gone(RetentionPolicy(keep_min=0)) == []


@pytest.mark.parametrize(
    ("seconds", "hours"),
    [(8 * HOUR, []), (8 * HOUR - 1, [0]), (5 * HOUR, [0, 1, 2]), (1, [0, 1, 2, 3, 4, 5, 6, 7])],
)
def test_by_age(seconds, hours):
    assert gone(RetentionPolicy(retain_seconds=seconds, keep_min=0)) == hours


@pytest.mark.parametrize(
    ("total", "pending", "hours"),
    [
        (800, 0, []),
        (799, 0, [0]),
        (500, 0, [0, 1, 2]),
        (500, 1, [0, 1, 2, 3]),
        (1, 0, [0, 1, 2, 3, 4, 5, 6, 7]),
        (500, 10**9, [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_by_total_size_over_all_kinds(total, pending, hours):
    assert gone(RetentionPolicy(retain_bytes=total, keep_min=0), pending_bytes=pending) == hours


@pytest.mark.parametrize(
    ("used", "hours"),
    [
        (8499, []),  # of 10,000: below the start
        (8500, [0, 1, 2, 3, 4, 5, 6, 7]),  # 1,000 too many, and only 800 there
        (7700, []),
    ],
)
def test_by_disk_use(used, hours):
    policy = RetentionPolicy(keep_min=0)
    assert gone(policy, DiskUse(used, 10_000 - used)) == hours


def test_by_disk_use_down_to_the_target():
    policy = RetentionPolicy(disk_start_pct=80, disk_target_pct=77.5, keep_min=0)
    assert gone(policy, DiskUse(8000, 2000)) == [0, 1, 2]  # 250 bytes have to go
    assert gone(policy, DiskUse(7999, 2001)) == []


@pytest.mark.parametrize(
    ("keep", "hours"),
    [(4, []), (9, []), (3, [0, 1]), (1, [0, 1, 2, 3, 4, 5]), (0, [0, 1, 2, 3, 4, 5, 6, 7])],
)
@pytest.mark.parametrize(
    ("policy", "disk"),
    [
        ({"retain_seconds": 1}, ROOMY),
        ({"retain_bytes": 1}, ROOMY),
        ({}, DiskUse(100_000, 0)),
    ],
)
def test_never_below_the_minimum_of_a_kind(keep, hours, policy, disk):
    assert gone(RetentionPolicy(keep_min=keep, **policy), disk) == hours


def test_a_kind_with_few_segments_is_spared_and_the_other_pays():
    few, many = FRAMES[:2], METRICS
    policy = RetentionPolicy(retain_bytes=1, keep_min=2)
    found = [entry.kind for entry, _ in outdated(policy, [few, many], 0, NOON, ROOMY)]
    assert found == ["metrics", "metrics"]


def test_the_rules_say_which_one_it_was():
    policy = RetentionPolicy(retain_seconds=7 * HOUR, retain_bytes=600, keep_min=0)
    found = outdated(policy, [FRAMES, METRICS], 0, NOON + 8 * HOUR, DiskUse(9000, 1000))
    reasons = [reason for _, reason in found]
    assert reasons == ["age", "size", *["disk"] * 6]


def test_when_clocks_were_set_back_the_order_of_recording_holds():
    entries = [closed("frames", hour) for hour in (5, 1, 2)]
    policy = RetentionPolicy(retain_bytes=150, keep_min=0)
    found = [entry for entry, _ in outdated(policy, [entries], 0, NOON, ROOMY)]
    assert found == entries[:2]


@pytest.mark.parametrize(
    ("hours", "gone"),
    [([9, 1, 2, 10], [1, 2]), ([1, 9, 2, 10], [1, 2]), ([9, 10, 11], [])],
)
def test_a_clock_that_was_set_back_does_not_stop_removal_by_age(hours, gone):
    entries = [closed("frames", hour) for hour in hours]
    policy = RetentionPolicy(retain_seconds=HOUR, keep_min=0)
    found = outdated(policy, [entries, []], 0, NOON + 4 * HOUR, ROOMY)
    assert list(found) == [(closed("frames", hour), "age") for hour in gone]


def test_a_clock_that_was_set_back_keeps_the_order_over_all_kinds():
    frames = [closed("frames", hour) for hour in (1, 9, 2)]
    metrics = [closed("metrics", hour) for hour in (3, 10)]
    policy = RetentionPolicy(retain_bytes=1, keep_min=0)
    found = [entry for entry, _ in outdated(policy, [frames, metrics], 0, NOON, ROOMY)]
    assert found == [frames[0], metrics[0], frames[1], frames[2], metrics[1]]


def test_what_would_go_is_said_beside_a_writer_and_nothing_is_written(tmp_path):
    clock = SetClock()
    with Writer("metrics", tmp_path, segment_bytes=1, clock=clock.clock) as writer:
        for t in range(3):
            writer.write_line(line(t), t)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        report = prune(tmp_path, keep_newest(1), clock=clock.clock)
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert [entry.start_t for entry in report.removed] == [0, 1]
    assert after == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("retain_seconds", -1),
        ("retain_seconds", float("nan")),
        ("retain_bytes", -1),
        ("keep_min", -1),
        ("disk_start_pct", 0),
        ("disk_start_pct", 100.5),
        ("disk_target_pct", 86),
        ("disk_target_pct", -1),
    ],
)
def test_a_bad_policy_is_refused(option, value):
    with pytest.raises(LimitError, match=f"{option} must be .*, got {value}"):
        RetentionPolicy(**{option: value})


def test_disk_use_is_what_df_shows(tmp_path):
    use = disk_use(tmp_path)
    assert 0 < use.used_pct < 100
    assert use.bytes_above(0) == use.used_bytes
    assert abs(use.bytes_above(use.used_pct)) < 1e-3 * use.used_bytes
    assert DiskUse(75, 25).used_pct == 75
    assert DiskUse(0, 0).used_pct == 0


def store_with(tmp_path: Path, clock: Clock, count: int) -> KindFolder:
    with Writer("metrics", tmp_path, segment_bytes=1, clock=clock) as writer:
        for t in range(count):
            writer.write_line(line(t), t)
    return KindFolder.open(tmp_path, "metrics", clock)


def test_removed_segments_are_gone_and_on_record(tmp_path):
    clock = SetClock()
    folder = store_with(tmp_path, clock.clock, 5)
    before = manifest(tmp_path)
    events = Events()
    policy = RetentionPolicy(retain_seconds=60, keep_min=2)
    clock.advance(61)
    retention = Retention(
        tmp_path, [folder], policy, clock=clock.clock, usage=lambda _: ROOMY, on_event=events
    )
    report = retention.run(pending_bytes=7)
    assert [entry.start_t for entry in report.removed] == [0, 1, 2]
    assert report.total_bytes == sum(record["bytes"] for record in before) + 7
    assert report.removed_bytes == sum(record["bytes"] for record in before[:3])
    assert report.disk_used_pct == 0
    assert manifest(tmp_path) == before + [
        record | {"removed": True, "reason": "age"} for record in before[:3]
    ]
    assert [path.name for path in segment_files(tmp_path)] == [
        record["path"].removeprefix("metrics/") for record in before[3:]
    ]
    assert list(Store(tmp_path).lines("metrics")) == [line(3), line(4)]
    assert events.named("segment_removed") == [
        {"path": record["path"], "reason": "age"} for record in before[:3]
    ]
    text = (tmp_path / "metrics" / "manifest.json").read_bytes()
    assert retention.run().removed == ()
    assert (tmp_path / "metrics" / "manifest.json").read_bytes() == text


def test_a_segment_that_cannot_be_deleted_does_not_stop_the_others(tmp_path, monkeypatch):
    clock = SetClock()
    folder = store_with(tmp_path, clock.clock, 4)
    clock.advance(61)
    policy = RetentionPolicy(retain_seconds=60, keep_min=0)
    retention = Retention(tmp_path, [folder], policy, clock=clock.clock, usage=lambda _: ROOMY)
    unlink = os.unlink

    def refusing(path: Path) -> None:
        if path.name.endswith("_1.jsonl.zst"):
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refusing)
        report = retention.run()
    assert [entry.start_t for entry in report.removed] == [0, 2, 3]
    (problem,) = report.errors
    assert "Operation not permitted" in problem
    assert "_1.jsonl.zst" in problem
    assert [entry.start_t for entry in folder.manifest.entries()] == [1]
    assert [entry.start_t for entry in retention.run().removed] == [1]


@pytest.mark.parametrize("by", ["the next pass", "the next start"])
def test_a_removal_cut_off_before_its_record_is_completed(tmp_path, monkeypatch, by):
    clock = SetClock()
    folder = store_with(tmp_path, clock.clock, 3)
    before = manifest(tmp_path)
    clock.advance(61)
    policy = RetentionPolicy(retain_seconds=60, keep_min=1)
    retention = Retention(tmp_path, [folder], policy, clock=clock.clock, usage=lambda _: ROOMY)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(type(folder.manifest), "append", full)
        with pytest.raises(OSError, match="No space left"):
            retention.run()
    left = [path.name[-11:] for path in segment_files(tmp_path)]
    assert left == ["1.jsonl.zst", "2.jsonl.zst"], "one file at most goes without a record"
    if by == "the next pass":
        assert [entry.start_t for entry in retention.run().removed] == [0, 1]
        gone, kept = ["age", "age"], [line(2)]
    else:
        assert [entry.start_t for entry in recover(tmp_path).missing] == [0]
        gone, kept = ["missing"], [line(1), line(2)]
    assert manifest(tmp_path) == before + [
        record | {"removed": True, "reason": reason}
        for record, reason in zip(before, gone, strict=False)
    ]
    assert list(Store(tmp_path).lines("metrics")) == kept


def test_a_segment_that_is_read_stays_and_the_next_goes_in_its_place(tmp_path):
    clock = SetClock()
    folder = store_with(tmp_path, clock.clock, 5)
    sizes = [entry.bytes for entry in folder.manifest.entries()]
    policy = RetentionPolicy(retain_bytes=sum(sizes) - sizes[0] - 1, keep_min=0)
    retention = Retention(tmp_path, [folder], policy, clock=clock.clock, usage=lambda _: ROOMY)
    first, second, *_ = segment_files(tmp_path)
    with first.open("rb") as reader, second.open("rb") as another:
        share(reader)
        share(another)
        report = retention.run()
        assert [entry.start_t for entry in report.held] == [0, 1]
        assert [entry.start_t for entry in report.removed] == [2, 3]
        assert reader.read() == first.read_bytes()
    assert (report.reasons, report.at, report.errors) == (
        {"size": 2},
        "2026-01-24T12:00:00Z",
        (),
    )
    assert retention.run().held == (), "what is left is small enough"
    small = Retention(
        tmp_path, [folder], keep_newest(1), clock=clock.clock, usage=lambda _: ROOMY
    ).run()
    assert [entry.start_t for entry in small.removed] == [0, 1]


def test_a_dry_run_removes_nothing(tmp_path):
    clock = SetClock()
    store_with(tmp_path, clock.clock, 4)
    before = {path: path.read_bytes() for path in (tmp_path / "metrics").iterdir()}
    with segment_files(tmp_path)[1].open("rb") as reader:
        share(reader)
        report = prune(tmp_path, keep_newest(1))
    assert [entry.start_t for entry in report.removed] == [0, 2]
    assert [entry.start_t for entry in report.held] == [1]
    assert {path: path.read_bytes() for path in (tmp_path / "metrics").iterdir()} == before
    assert [entry.start_t for entry in prune(tmp_path, keep_newest(1), dry_run=False).removed] == [
        0,
        1,
        2,
    ]
    assert list(Store(tmp_path).lines("metrics", run="all")) == [line(3)]
    assert prune(tmp_path, keep_newest(0), dry_run=False).removed_bytes > 0
    assert segment_files(tmp_path) == []


def test_a_retention_cut_off_at_any_step_is_completed(tmp_path):
    steps = 0
    is_whole = False
    while not is_whole:
        steps += 1
        clock = SetClock()
        store = tmp_path / str(steps)
        store_with(store, clock.clock, 4)
        before = manifest(store)
        act = partial(prune, store, keep_newest(2), clock=clock.clock, dry_run=False)
        is_whole = runs_to_its_end(act, steps)
        prune(store, keep_newest(2), clock=clock.clock, dry_run=False)
        assert recover(store, thorough=True) == RecoveryReport()
        assert recovered_lines(store) == [line(2), line(3)]
        gone = [record | {"removed": True, "reason": "prune"} for record in before[:2]]
        assert sorted(map(str, manifest(store))) == sorted(map(str, before + gone)), steps
        assert not list(store.rglob("*.new"))
    assert steps > 10


def test_prune_refuses_what_it_must(tmp_path):
    with Writer("metrics", tmp_path) as writer:
        writer.write_line(line(0), 0)
        with pytest.raises(StoreBusyError, match="is being written by process"):
            prune(tmp_path, keep_newest(0), dry_run=False)
    journal = tmp_path / "runs.jsonl"
    text = journal.read_bytes()
    journal.write_bytes(text + b'{"format":99}\n')
    for dry_run in (True, False):
        with pytest.raises(NewerFormatError, match="format must be at most"):
            prune(tmp_path, keep_newest(0), dry_run=dry_run)
    journal.write_bytes(text)
    (tmp_path / "metrics" / "manifest.json").write_bytes(b"[")
    with pytest.raises(ManifestError, match="must be JSON"):
        prune(tmp_path, keep_newest(0))
    with pytest.raises(UnknownSegmentError, match="there is no store"):
        prune(tmp_path / "nowhere", keep_newest(0))
