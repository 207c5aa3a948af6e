import os
import tracemalloc
from pathlib import Path

import orjson
import pytest
import zstandard

from marketcam.io.lines import MAX_LINE_BYTES
from marketcam.io.store import UnknownSegmentError, ZstdSegmentWriter, recover
from marketcam.io.store import segment_check as segment_check_module
from marketcam.io.store import verify as verify_module
from marketcam.io.store.errors import NewerFormatError, UnknownRunError
from marketcam.io.store.manifest import Manifest
from marketcam.io.store.recovery import RecoveryReport
from marketcam.io.store.segment_check import check_segment
from marketcam.io.store.verify import VerifyReport, bytes_to_verify, verify
from tests.store_helpers import (
    SetClock,
    die,
    leave_pending,
    line,
    lines,
    manifest,
    segment_files,
    streamed,
)

CLOSED = "segment_20260124_120000_0.jsonl.zst"


def write(store: Path, *starts: int, count: int = 40) -> list[Path]:
    """Record one run of several segments; return their files."""
    with ZstdSegmentWriter("metrics", store, clock=SetClock().clock, segment_seconds=5) as writer:
        for start in starts:
            for t, text in enumerate(lines(start, start + count), start):
                writer.write_line(text, t)
                if t % 10 == 9:
                    writer.flush()
            writer._close_segment(writer._segment)
    return segment_files(store)


def damage(store: Path, **options: object) -> list[tuple[str, str]]:
    return [(one.path, one.what) for one in verify(store, **options).damage]  # type: ignore[arg-type]


def compressed(text: bytes, **options: object) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True, **options).compress(text)  # type: ignore[arg-type]


def test_a_store_in_order_is_clean_and_stays_as_it_is(tmp_path):
    write(tmp_path, 0, 40)
    for kind, name in (("frames", "frame"), ("ticks", None)):
        with ZstdSegmentWriter(kind, tmp_path) as writer:
            for t in range(0, 100, 10):
                typed = {} if name is None else {"type": name}
                writer.write_jsonline(typed | {"t": t}, t)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    read = [0, 0]

    def on_progress(file_bytes: int, json_bytes: int) -> None:
        read[0] += file_bytes
        read[1] += json_bytes

    report = verify(tmp_path, on_progress=on_progress)
    assert (report.damage, report.notes) == ([], [])
    assert (report.segments, report.lines) == (4, 100)
    assert read == [report.file_bytes, report.json_bytes]
    assert bytes_to_verify(tmp_path) == report.file_bytes
    assert verify(tmp_path, parse=True) == report
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_only_what_was_asked_for(tmp_path):
    write(tmp_path, 0)
    write(tmp_path, 40)
    first, second = (record["run"] for record in manifest(tmp_path))
    segment_files(tmp_path)[0].write_bytes(b"no zstd")
    assert damage(tmp_path, run=second) == []
    assert [path for path, _ in damage(tmp_path, run=first)] == [f"metrics/{CLOSED}"] * 2
    assert verify(tmp_path, ["frames"]) == VerifyReport()
    with pytest.raises(UnknownRunError, match="has no run 'another'"):
        verify(tmp_path, run="another")
    with pytest.raises(UnknownSegmentError, match="there is no store at"):
        verify(tmp_path / "nowhere")


def test_every_cut_is_found(tmp_path):
    (path,) = write(tmp_path, 0)
    data = path.read_bytes()
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        found = damage(tmp_path)
        assert len(found) == 2, cut
        assert found[1][1] == f"bytes: {len(data)} in the manifest, {cut} in the file"
    path.write_bytes(data)
    assert damage(tmp_path) == []


def test_every_flipped_bit_is_found_or_changes_nothing(tmp_path):
    (path,) = write(tmp_path, 0)
    data = path.read_bytes()
    text = streamed(path)
    harmless = 0
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        assert bytes(flipped) != data
        path.write_bytes(flipped)
        if not damage(tmp_path):
            assert streamed(path) == text, place
            harmless += 1
    # Such as the window descriptor, which asks for more or less memory than is needed.
    assert harmless < 0.01 * 8 * len(data)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda data: b"", "it holds no line"),
        (lambda data: data + b"\0", "zstd frame must start with 28b52ffd, got 00"),
        (lambda data: data + data, "line 41 is of an earlier tick than the one before, 39"),
        (lambda data: compressed(streamed_text(data)) + compressed(b""), "bytes follow the zstd"),
        (lambda data: b"\x50\x2a\x4d\x18\0\0\0\0" + data, "a skippable zstd frame stands before"),
        (lambda data: zstandard.compress(streamed_text(data)), "has no checksum"),
        (lambda data: compressed(streamed_text(data)[:-1]), "the last line has no end after"),
        (lambda data: compressed(b"\n" + streamed_text(data)), "line 1 is empty"),
        (lambda data: compressed(streamed_text(data) + b'{"t":99}\n'), "line 41 must begin"),
        (lambda data: compressed(b'{"type":"metric","t":x}\n'), "line 1 has no tick number"),
        (lambda data: compressed(b'{"type":"metric","t":0\n'), "line 1 has no tick number"),
        (lambda data: compressed(b'{"type":"metric","t":0,\n'), "line 1 must end with a brace"),
    ],
)
def test_what_no_decoder_refuses(tmp_path, change, what):
    (path,) = write(tmp_path, 0)
    path.write_bytes(change(path.read_bytes()))
    found = damage(tmp_path)
    assert found[0][0] == f"metrics/{CLOSED}"
    assert what in found[0][1]


def streamed_text(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)


def test_lines_that_are_no_json_are_found_when_parsed(tmp_path):
    (path,) = write(tmp_path, 0)
    text = streamed(path).splitlines(keepends=True)
    text[20] = text[20].replace(b'"note":', b'"note";')
    path.write_bytes(compressed(b"".join(text)))
    without = damage(tmp_path)
    assert all("bytes: " in what for _, what in without)
    assert "line 21 is no JSON" in damage(tmp_path, parse=True)[0][1]


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("lines", 41, "lines: 41 in the manifest, 40 in the file"),
        ("end_t", 40, "end_t: 40 in the manifest, 39 in the file"),
        ("start_t", 1, "start_t: 1 in the manifest, 0 in the file"),
        ("run", "another", "run: 'another' in the manifest"),
        ("removed", True, "the manifest says that it was removed, and its file is there"),
    ],
)
def test_a_manifest_that_says_otherwise(tmp_path, field, value, what):
    write(tmp_path, 0)
    records = manifest(tmp_path)
    records[0][field] = value
    (tmp_path / "metrics" / "manifest.json").write_bytes(orjson.dumps(records))
    ((path, found),) = damage(tmp_path)
    assert path == f"metrics/{CLOSED}"
    assert found.startswith(what)


def test_files_and_entries_without_each_other(tmp_path):
    first, second, third = write(tmp_path, 0, 40, 80)
    second.unlink()
    assert damage(tmp_path) == [
        (f"metrics/{second.name}", "the manifest has it and its file is missing")
    ]
    (tmp_path / "metrics" / "manifest.json").write_bytes(
        orjson.dumps([record for record in manifest(tmp_path) if third.name not in record["path"]])
    )
    (tmp_path / "metrics" / "notes.txt").write_text("mine")
    report = verify(tmp_path)
    assert [(one.path, one.what) for one in report.damage] == [
        (f"metrics/{third.name}", "it is in no manifest"),
        (f"metrics/{second.name}", "the manifest has it and its file is missing"),
    ]
    assert [(one.path, one.what) for one in report.notes] == [
        ("metrics/notes.txt", "is no segment and no manifest: left alone")
    ]
    assert first.exists()


def test_a_file_under_another_name(tmp_path):
    (path,) = write(tmp_path, 0)
    path.rename(path.with_name(path.name.replace("_0.", "_7.")))
    records = manifest(tmp_path)
    records[0] |= {"path": records[0]["path"].replace("_0.", "_7."), "start_t": 7}
    (tmp_path / "metrics" / "manifest.json").write_bytes(orjson.dumps(records))
    found = [what for _, what in damage(tmp_path)]
    assert "its first line is of tick 0, not of its name's" in found
    assert any("run:" in what for what in found), "the journal has no such segment"


def test_ticks_of_a_run_rise_from_segment_to_segment(tmp_path):
    write(tmp_path, 0, 40)
    assert damage(tmp_path) == []
    write(tmp_path, 0)  # another run begins at 0 again
    assert damage(tmp_path) == []
    with ZstdSegmentWriter("metrics", tmp_path, run="again", segment_bytes=1) as writer:
        writer.write_line(line(5), 5)
        writer.write_line(line(4), 4)
    ((path, what),) = damage(tmp_path)
    assert path.endswith("_4.jsonl.zst")
    assert what == "it begins at tick 4, run again was at 5 before it"


@pytest.mark.parametrize("text", [b"", b"[", b"{}", b"\0" * 50])
def test_a_manifest_that_is_none(tmp_path, text):
    write(tmp_path, 0)
    (tmp_path / "metrics" / "manifest.json").write_bytes(text)
    report = verify(tmp_path)
    assert [one.path for one in report.damage] == ["metrics/manifest.json"]
    assert report.segments == 1, "its segments are checked all the same"


def test_what_is_newer_is_refused(tmp_path):
    write(tmp_path, 0)
    records = manifest(tmp_path)
    (tmp_path / "metrics" / "manifest.json").write_bytes(
        orjson.dumps([records[0] | {"format": 99}])
    )
    with pytest.raises(NewerFormatError, match="format must be at most"):
        verify(tmp_path)


def test_the_journal(tmp_path):
    write(tmp_path, 0)
    journal = tmp_path / "runs.jsonl"
    text = journal.read_bytes()
    journal.write_bytes(text + b'{"format":1,"rec')
    report = verify(tmp_path)
    assert (report.damage, [one.path for one in report.notes]) == ([], ["runs.jsonl"])
    journal.write_bytes(b"\0" + text)
    ((path, what),) = damage(tmp_path)
    assert (path, what[:20]) == ("runs.jsonl", "runs.jsonl, line 1: ")


def test_a_pending_segment_is_told_and_no_damage(tmp_path):
    writer = ZstdSegmentWriter("metrics", tmp_path, clock=SetClock().clock)
    writer.write_line(line(0), 0)
    (note,) = verify(tmp_path).notes
    assert note.what == f"1 lines, process {os.getpid()} is writing"
    die(writer)
    (tmp_path / "writer.lock").write_bytes(b"")
    (note,) = verify(tmp_path).notes
    assert note.what == "1 lines, its writer has died"


def test_every_cut_of_a_pending_segment_is_no_damage_and_garbage_in_it_is(tmp_path):
    path = leave_pending(tmp_path)
    (tmp_path / "writer.lock").unlink()
    data = path.read_bytes()
    counts = set()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        report = verify(tmp_path)
        assert report.damage == [], cut
        counts.add(report.lines)
    assert counts >= {0, 1, 5, 40}
    path.write_bytes(data + b"\xff" * 50)
    assert len(damage(tmp_path)) == 1


BOMB = 2**30


def bomb(path: Path, text: bytes) -> None:
    """Compress a gigabyte of one piece of text, over and over."""
    with path.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as out:
        for _ in range(BOMB // len(text)):
            out.write(text)


@pytest.mark.parametrize(
    ("text", "line_number"),
    [(bytes(2**20), 1), (b"\n" * 2**20, 1), (b'{"type":"metric","t":1,\n' * 2**16, 1)],
)
def test_a_bomb_is_refused_at_its_first_block(tmp_path, text, line_number):
    path = tmp_path / "bomb"
    bomb(path, text)
    assert path.stat().st_size < 300_000
    tracemalloc.start()
    with path.open("rb") as file:
        content = check_segment(file, "metrics")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert content.json_bytes <= 2**17
    assert content.damage is not None
    assert content.damage.startswith(f"line {line_number} ")
    assert peak < 2_000_000


def test_a_line_without_end_is_refused_at_the_limit_with_flat_memory(tmp_path):
    path = tmp_path / "bomb"
    with path.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as out:
        out.write(b'{"type":"metric","t":1,"note":"')
        for _ in range(BOMB // 2**20):
            out.write(b" " * 2**20)
    tracemalloc.start()
    with path.open("rb") as file:
        content = check_segment(file, "metrics")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert content.damage == f"line 1 is longer than {MAX_LINE_BYTES} bytes"
    assert content.json_bytes <= MAX_LINE_BYTES + 2**18
    assert peak < 2_000_000


def test_a_window_beyond_the_limit_is_refused(tmp_path):
    path = tmp_path / "wide"
    path.write_bytes(bytes.fromhex("28b52ffd04a0") + b"\x01\0\0" + bytes(4))
    with path.open("rb") as file:
        content = check_segment(file, "metrics")
    assert content.damage is not None
    assert "window" in content.damage or "memory" in content.damage


def test_what_retention_removes_beside_a_check_is_no_damage(tmp_path, monkeypatch):
    with ZstdSegmentWriter("metrics", tmp_path, segment_bytes=1, clock=SetClock().clock) as writer:
        for t in range(4):
            writer.write_line(line(t), t)
        first, second, *_ = segment_files(tmp_path)
        first.unlink()
        report = verify(tmp_path)
        assert report.damage == []
        assert [(one.path, one.what) for one in report.notes] == [
            (
                f"metrics/{first.name}",
                f"its file is missing: process {os.getpid()} may be about to say why",
            )
        ]
        read_journal = verify_module._journal

        def go_on(*arguments: object) -> object:
            """Remove and record as retention does, and go on writing, while a check goes on."""
            second.unlink()
            gone = [entry for entry in folder.entries() if entry.start_t < 2]
            folder.append(entry.as_removed("age") for entry in gone)
            writer.write_line(line(4), 4)
            return read_journal(*arguments)

        folder = Manifest(tmp_path / "metrics")
        monkeypatch.setattr(verify_module, "_journal", go_on)
        report = verify(tmp_path)
        assert (report.damage, report.notes) == ([], [])
        assert report.segments == 2
    monkeypatch.undo()
    segment_files(tmp_path)[0].unlink()
    assert [what for _, what in damage(tmp_path)] == ["the manifest has it and its file is missing"]


def test_a_segment_begun_and_closed_beside_a_check_is_of_its_run(tmp_path, monkeypatch):
    """The journal is read after the manifests, so that it has what they have."""
    with ZstdSegmentWriter("metrics", tmp_path, segment_bytes=1, clock=SetClock().clock) as writer:
        writer.write_line(line(0), 0)
        list_names = verify_module.names_in

        def write_and_list(folder: Path) -> object:
            writer.write_line(line(1), 1)
            return list_names(folder)

        monkeypatch.setattr(verify_module, "names_in", write_and_list)
        assert damage(tmp_path) == []


def test_ticks_that_repeat_are_told_and_no_damage(tmp_path):
    """The camera writes none; who writes lines himself may, and readers read them."""
    with ZstdSegmentWriter("metrics", tmp_path, segment_bytes=200) as writer:
        for t in (0, 0, 1, 1, 1, 2):
            writer.write_line(line(t, "x" * 40), t)
    report = verify(tmp_path)
    assert report.damage == []
    assert sum("of the same tick" in one.what for one in report.notes) >= 1
    assert verify(tmp_path, parse=True) == report
    assert recover(tmp_path, thorough=True) == RecoveryReport()


def test_lines_too_long_to_be_parsed_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(segment_check_module, "MAX_PARSED_BYTES", 200_000)
    with ZstdSegmentWriter("metrics", tmp_path) as writer:
        for t, size in enumerate((10, 150_000, 300_000, 10, 300_000, 10)):
            writer.write_line(line(t, "x" * size), t)
    report = verify(tmp_path, parse=True)
    assert report.damage == []
    assert [one.what for one in report.notes] == ["2 lines are too long to be parsed"]
    assert verify(tmp_path).notes == []
