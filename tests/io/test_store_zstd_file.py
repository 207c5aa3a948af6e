import io
import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard

from marketcam.io.store import StoreError
from marketcam.io.store.zstd_file import ZstdFrameFile
from tests.store_helpers import lines, one_call, streamed

UNKNOWN = (2**64 - 1).to_bytes(8, "little")
SHAPES = [1, 2, 40, 3000]


def written(path: Path, count: int, level: int = 3, flush_every: int = 7) -> ZstdFrameFile:
    with path.open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, level)
        for number, text in enumerate(lines(0, count), 1):
            frame.write_line(text)
            if number % flush_every == 0:
                frame.flush()
        frame.finish()
    return frame


@pytest.mark.parametrize("count", SHAPES)
def test_the_header_tells_size_and_checksum(tmp_path, count):
    path = tmp_path / "x.zst"
    frame = written(path, count)
    data = path.read_bytes()
    size = sum(len(text) + 1 for text in lines(0, count))
    assert (frame.lines, frame.json_bytes, frame.file_bytes) == (count, size, len(data))
    parameters = zstandard.get_frame_parameters(data)
    assert parameters.content_size == size
    assert parameters.has_checksum
    assert zstandard.frame_header_size(data) == 14
    assert data[4] == 0xC4


@pytest.mark.parametrize("count", SHAPES)
@pytest.mark.parametrize("level", [1, 3, 19])
def test_every_decoder_reads_a_finished_file(tmp_path, count, level):
    path = tmp_path / "x.zst"
    written(path, count, level)
    expected = lines(0, count)
    text = b"".join(line + b"\n" for line in expected)
    data = path.read_bytes()
    assert one_call(path) == expected
    assert streamed(path) == text
    assert zstandard.decompress(data) == text
    assert zstandard.ZstdDecompressor().decompressobj().decompress(data) == text
    assert b"".join(zstandard.ZstdDecompressor().read_to_iter(io.BytesIO(data))) == text
    multiple = zstandard.ZstdDecompressor().multi_decompress_to_buffer([data, data])
    assert [piece.tobytes() for piece in multiple] == [text, text]


@pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd command is not installed")
@pytest.mark.parametrize("count", SHAPES)
def test_the_zstd_command_reads_a_finished_file(tmp_path, count):
    path = tmp_path / "x.zst"
    written(path, count)
    subprocess.run(["zstd", "-tq", path], check=True)
    shown = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout
    assert shown.splitlines() == lines(0, count)
    listed = subprocess.run(["zstd", "-l", path], check=True, capture_output=True, text=True)
    assert "XXH64" in listed.stdout
    pending = tmp_path / "pending.zst"
    pending.write_bytes(path.read_bytes()[:-7])
    torn = subprocess.run(["zstd", "-dc", pending], check=False, capture_output=True)
    assert shown.startswith(torn.stdout)


@pytest.mark.parametrize("count", SHAPES)
def test_arrow_reads_a_finished_file(tmp_path, count):
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / "x.zst"
    written(path, count)
    with pyarrow.input_stream(path, compression="zstd") as stream:
        assert stream.read().splitlines() == lines(0, count)


@pytest.mark.parametrize("level", range(1, 23))
def test_no_level_asks_more_of_a_decoder_than_all_have(tmp_path, level):
    path = tmp_path / "x.zst"
    written(path, 20, level)
    assert zstandard.get_frame_parameters(path.read_bytes()).window_size <= 8 * 1024 * 1024
    assert one_call(path) == lines(0, 20)


def test_a_growing_file_is_readable_up_to_the_last_flush(tmp_path):
    path = tmp_path / "x.zst"
    expected = lines(0, 50)
    with path.open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, 3)
        for number, text in enumerate(expected, 1):
            frame.write_line(text)
            if number % 5 == 0:
                frame.flush()
                assert streamed(path).splitlines() == expected[:number]
                assert path.read_bytes()[6:14] == UNKNOWN
                assert frame.file_bytes == path.stat().st_size


def test_a_flush_without_new_lines_writes_nothing(tmp_path):
    path = tmp_path / "x.zst"
    with path.open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, 3)
        frame.flush()
        assert path.stat().st_size == 0
        frame.write_line(b"{}")
        frame.flush()
        size = path.stat().st_size
        frame.flush()
        assert path.stat().st_size == size


def test_lines_larger_than_any_buffer(tmp_path):
    path = tmp_path / "x.zst"
    expected = [bytes([65 + number]) * (2**20 + number) for number in range(3)]
    with path.open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, 3)
        for text in expected:
            frame.write_line(text)
        frame.finish()
    assert one_call(path) == expected


def test_nothing_can_follow_the_end(tmp_path):
    with (tmp_path / "x.zst").open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, 3)
        frame.write_line(b"{}")
        frame.finish()
        frame.write_line(b"{}")
        with pytest.raises(StoreError, match="ended, or an earlier write to it failed"):
            frame.flush()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_after_a_failed_write_nothing_is_written_any_more():
    with Path("/dev/full").open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, 3)
        frame.write_line(b"{}")
        with pytest.raises(OSError, match="No space left"):
            frame.flush()
        with pytest.raises(StoreError, match="an earlier write to it failed"):
            frame.finish()


def test_an_unexpected_header_is_refused(tmp_path, monkeypatch):
    class OtherObject:
        def compress(self, data):
            return b"\x28\xb5\x2f\xfd\x24\x00" + data

    class OtherCompressor:
        def compressobj(self):
            return OtherObject()

    monkeypatch.setattr(zstandard, "ZstdCompressor", lambda **_: OtherCompressor())
    with (tmp_path / "x.zst").open("wb", buffering=0) as file:
        frame = ZstdFrameFile(file, 3)
        frame.write_line(b"{}")
        with pytest.raises(StoreError, match="header must start with 28b52ffd04, got 28b52ffd2400"):
            frame.flush()
