import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from marketcam.io.store import ManifestError, SegmentEntry, SegmentName
from marketcam.io.store import files as files_module
from marketcam.io.store.errors import NewerFormatError
from marketcam.io.store.manifest import MANIFEST, Manifest
from tests.store_helpers import files


def entry(number: int, **changes: object) -> SegmentEntry:
    stamp = datetime(2026, 1, 24, tzinfo=UTC) + timedelta(seconds=number)
    values = {
        "path": f"metrics/{SegmentName(stamp, number)}",
        "start_t": number,
        "end_t": number + 5,
        "lines": 6,
        "bytes": 100,
        "created_at": "2026-01-24T12:05:00Z",
    } | changes
    return SegmentEntry(**values)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "metrics"
    path.mkdir()
    return path


def on_disk(folder: Path) -> list[dict]:
    return orjson.loads((folder / MANIFEST).read_bytes())


def test_it_is_a_json_list_with_a_record_a_line(folder):
    manifest = Manifest(folder)
    assert files(folder.parent) == []
    manifest.append([entry(1), entry(2)])
    manifest.append([entry(3)])
    assert on_disk(folder) == [entry(number).to_dict() for number in (1, 2, 3)]
    text = (folder / MANIFEST).read_bytes().splitlines()
    assert (text[0], text[-1], len(text)) == (b"[", b"]", 5)
    assert files(folder.parent) == [MANIFEST]


def test_another_reads_what_one_has_written(folder):
    Manifest(folder).append([entry(1), entry(2)])
    again = Manifest(folder)
    assert again.entries() == (entry(1), entry(2))
    assert again.latest(entry(2).name.as_pending()) == entry(2)
    assert again.latest(entry(3).name) is None


def test_a_removal_is_a_later_record_and_changes_none(folder):
    manifest = Manifest(folder)
    manifest.append([entry(1), entry(2)])
    before = (folder / MANIFEST).read_bytes().splitlines()[1:3]
    manifest.append([entry(1).as_removed()])
    after = (folder / MANIFEST).read_bytes().splitlines()
    assert [text.rstrip(b",") for text in after[1:3]] == [text.rstrip(b",") for text in before]
    assert on_disk(folder)[2] == entry(1).to_dict() | {"removed": True}
    assert manifest.entries() == Manifest(folder).entries() == (entry(2),)
    latest = manifest.latest(entry(1).name)
    assert latest is not None
    assert latest.removed


def test_a_segment_that_came_back_is_the_newest(folder):
    manifest = Manifest(folder)
    manifest.append([entry(1), entry(2), entry(1).as_removed(), entry(1)])
    assert manifest.entries() == Manifest(folder).entries() == (entry(2), entry(1))
    assert len(on_disk(folder)) == 4


def test_records_of_others_stay_as_they_are(folder):
    foreign = entry(1).to_dict() | {"note": "kept", "checksum": 5}
    (folder / MANIFEST).write_bytes(orjson.dumps([foreign], option=orjson.OPT_INDENT_2))
    manifest = Manifest(folder)
    assert manifest.entries() == (entry(1),)
    manifest.append([entry(2)])
    assert on_disk(folder) == [foreign, entry(2).to_dict()]


def test_several_append_to_the_same_file(folder):
    manifests = [Manifest(folder) for _ in range(4)]

    def append(manifest: Manifest, first: int) -> None:
        for number in range(first, first + 10):
            manifest.append([entry(number)])

    threads = [
        threading.Thread(target=append, args=(manifest, 10 * index))
        for index, manifest in enumerate(manifests)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(record["start_t"] for record in on_disk(folder)) == list(range(40))
    assert files(folder.parent) == [MANIFEST]


def test_a_failed_append_changes_nothing(folder, monkeypatch):
    manifest = Manifest(folder)
    manifest.append([entry(1)])

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files_module, "write_all", full)
        with pytest.raises(OSError, match="No space left"):
            manifest.append([entry(2)])
    assert manifest.entries() == Manifest(folder).entries() == (entry(1),)
    manifest.append([entry(3)])
    assert manifest.entries() == Manifest(folder).entries() == (entry(1), entry(3))


DAMAGED = [
    (b"", "must be JSON"),
    (b"[", "must be JSON"),
    (b'[{"path":', "must be JSON"),
    (b"\x00" * 40, "must be JSON"),
    (b"{}", "must be a list, got dict"),
    (b"[5]", "record 0: record must be an object, got 5"),
    (b"[{}]", "record 0: path must be <kind>/<file name of a closed segment>, got None"),
]


@pytest.mark.parametrize(("text", "message"), DAMAGED)
def test_what_is_no_manifest_is_refused_and_left(folder, text, message):
    (folder / MANIFEST).write_bytes(text)
    with pytest.raises(ManifestError, match=message):
        Manifest(folder)
    assert (folder / MANIFEST).read_bytes() == text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", "metrics/../../etc/passwd"),
        ("path", "/etc/passwd"),
        ("path", "metrics/segment_20260124_120000_5_pending.jsonl.zst"),
        ("path", "frames/segment_20260124_120000_5.jsonl.zst"),
        ("path", 5),
        ("start_t", "5"),
        ("start_t", 5.0),
        ("end_t", None),
        ("lines", -1),
        ("bytes", True),
        ("created_at", "yesterday"),
        ("created_at", "2026-01-24T12:05:00"),
        ("created_at", 5),
        ("pending", True),
        ("pending", 0),
        ("removed", "yes"),
    ],
)
def test_a_bad_record_is_named(folder, field, value):
    records = [entry(1).to_dict(), entry(2).to_dict() | {field: value}]
    (folder / MANIFEST).write_bytes(orjson.dumps(records))
    with pytest.raises(ManifestError, match=f"manifest.json, record 1: {field} must"):
        Manifest(folder)


def test_a_damaged_manifest_is_set_aside_when_asked(folder):
    set_aside = []
    for number in (1, 2):
        (folder / MANIFEST).write_bytes(b"[torn")
        manifest = Manifest(folder, lambda path, error: set_aside.append((path.name, str(error))))
        assert manifest.entries() == ()
        assert [name for name, _ in set_aside][-1] == f"manifest.corrupt-{number}.json"
    assert "must be JSON" in set_aside[0][1]
    assert files(folder.parent) == ["manifest.corrupt-1.json", "manifest.corrupt-2.json"]
    assert (folder / "manifest.corrupt-1.json").read_bytes() == b"[torn"


@pytest.mark.parametrize("damage", [b"[torn", None])
def test_what_is_known_is_written_anew_when_the_file_is_lost(folder, damage):
    set_aside = []
    manifest = Manifest(folder, lambda path, error: set_aside.append(path.name))
    manifest.append([entry(1)])
    if damage is None:
        (folder / MANIFEST).unlink()
    else:
        (folder / MANIFEST).write_bytes(damage)
    manifest.append([entry(2)])
    assert manifest.entries() == Manifest(folder).entries() == (entry(1), entry(2))
    assert set_aside == ([] if damage is None else ["manifest.corrupt-1.json"])


def test_thousands_of_records(folder):
    manifest = Manifest(folder)
    manifest.append(entry(number) for number in range(5000))
    manifest.append([entry(number).as_removed() for number in range(4990)])
    manifest.append([entry(5000)])
    assert len(on_disk(folder)) == 5000 + 4990 + 1
    assert [item.start_t for item in Manifest(folder).entries()] == [*range(4990, 5001)]


def test_records_take_little_memory(folder):
    """Short texts of orjson's take 4 KB each, so they are not kept one by one."""
    count = 2000
    Manifest(folder).append(entry(number) for number in range(count))
    tracemalloc.start()
    try:
        manifest = Manifest(folder)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(manifest.entries()) == count
    assert kept < 1000 * count


def test_what_it_has_written_it_does_not_read(folder, monkeypatch):
    manifest = Manifest(folder)
    monkeypatch.setattr(SegmentEntry, "from_dict", lambda *_: pytest.fail("was read again"))
    for number in range(3):
        manifest.append([entry(number)])
        manifest.refresh()
    assert len(manifest.entries()) == len(on_disk(folder)) == 3


def test_every_record_can_be_asked_for(folder):
    manifest = Manifest(folder)
    assert manifest.records() == []
    records = [entry(1), entry(2, run="a"), entry(1).as_removed(), entry(1)]
    manifest.append(records)
    assert manifest.records() == Manifest(folder).records() == records


def test_what_is_newer_is_no_damage(folder):
    newer = orjson.dumps([5, entry(1).to_dict() | {"format": 2}])
    for text in (newer, newer[:-1]):
        (folder / MANIFEST).write_bytes(text)
        with pytest.raises(NewerFormatError, match="json: format must be at most 1, got 2"):
            Manifest(folder, lambda path, error: pytest.fail("was set aside"))
        assert (folder / MANIFEST).read_bytes() == text
