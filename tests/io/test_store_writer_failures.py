import os
import shutil

import pytest

from marketcam.engine import LimitError
from marketcam.io.store import (
    ManifestError,
    UnknownSegmentError,
)
from marketcam.io.store import ZstdSegmentWriter as Writer
from marketcam.io.store import writer as writer_module
from tests.store_helpers import (
    SetClock,
    files,
    lines,
    manifest,
    segment_files,
    streamed,
)


def write(writer: Writer, start: int, stop: int) -> None:
    for number, text in enumerate(lines(start, stop), start):
        writer.write_line(text, number)


@pytest.mark.parametrize(
    ("text", "t", "message"),
    [
        (b"", 5, "line of tick 5 must not be empty"),
        (b"{}\n", 5, r"line of tick 5 must not hold a line end, got b'\{\}\\n'"),
        (b"12345678", 5, "line of tick 5 must have at most 7 bytes, got 8"),
        (b"{}", 5.0, "tick number must be an integer within .*, got 5.0"),
        (b"{}", True, "tick number must be an integer within .*, got True"),
        (b"{}", None, "tick number must be an integer within .*, got None"),
        (b"{}", 2**53, "tick number must be an integer within .*, got 9007199254740992"),
        (b"{}", -(2**53), "tick number must be an integer within .*, got -9007199254740992"),
    ],
)
def test_a_bad_line_is_refused_and_leaves_nothing(tmp_path, monkeypatch, text, t, message):
    monkeypatch.setattr(writer_module, "MAX_LINE_BYTES", 7)
    writer = Writer("metrics", tmp_path)
    with pytest.raises(LimitError, match=message):
        writer.write_line(text, t)
    writer.close()
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("segment_seconds", 0, "segment_seconds must be above 0 and finite, got 0"),
        ("segment_seconds", float("nan"), "segment_seconds must be above 0 and finite, got nan"),
        ("flush_seconds", float("inf"), "flush_seconds must be above 0 and finite, got inf"),
        ("segment_bytes", 0, "segment_bytes must be at least 1, got 0"),
        ("level", 0, "zstd level must be 1-22, got 0"),
        ("level", 23, "zstd level must be 1-22, got 23"),
    ],
)
def test_a_bad_option_is_refused(tmp_path, option, value, message):
    with pytest.raises(LimitError, match=message):
        Writer("metrics", tmp_path, **{option: value})
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(UnknownSegmentError, match="kind must be one of"):
        Writer("../elsewhere", tmp_path)


def test_a_write_after_the_folder_is_gone_fails_and_the_next_start_is_clean(tmp_path):
    writer = Writer("metrics", tmp_path, clock=SetClock().clock)
    write(writer, 0, 3)
    shutil.rmtree(tmp_path / "metrics")
    with pytest.raises(FileNotFoundError):
        writer.close()
    writer.close()
    with Writer("metrics", tmp_path, clock=SetClock().clock) as writer:
        write(writer, 0, 3)
    assert [entry["lines"] for entry in manifest(tmp_path)] == [3]


def test_a_full_disk_leaves_what_was_flushed(tmp_path, monkeypatch):
    writer = Writer("metrics", tmp_path, clock=SetClock().clock)
    write(writer, 0, 10)
    writer.flush()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        write(writer, 10, 20)
        with pytest.raises(OSError, match="No space left"):
            writer.flush()
    (pending,) = segment_files(tmp_path)
    assert streamed(pending).splitlines() == lines(0, 10)
    write(writer, 20, 30)
    writer.close()
    assert len(segment_files(tmp_path)) == 2
    assert [entry["start_t"] for entry in manifest(tmp_path)] == [20]


def test_a_full_disk_in_the_middle_of_a_chunk(tmp_path, monkeypatch):
    writer = Writer("metrics", tmp_path, clock=SetClock().clock)
    write(writer, 0, 10)
    writer.flush()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        writer.write_line(os.urandom(500_000).replace(b"\n", b"x"), 10)
        with pytest.raises(OSError, match="No space left"):
            writer.flush()
    totals = writer.totals()
    assert (totals.lines, totals.lost_lines) == (11, 1)
    writer.close()
    assert files(tmp_path) == ["segment_20260124_120000_0_pending.jsonl.zst"]
    assert streamed(segment_files(tmp_path)[0]).splitlines() == lines(0, 10)


def test_a_damaged_manifest_is_not_written_over(tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "manifest.json").write_bytes(b"[{")
    with pytest.raises(ManifestError, match=r"manifest.json must be JSON"):
        Writer("metrics", tmp_path)
    assert (tmp_path / "metrics" / "manifest.json").read_bytes() == b"[{"


def test_what_json_cannot_express_is_refused(tmp_path):
    with Writer("metrics", tmp_path) as writer, pytest.raises(TypeError):
        writer.write_jsonline({"t": {1, 2}}, 1)
    assert files(tmp_path) == []
