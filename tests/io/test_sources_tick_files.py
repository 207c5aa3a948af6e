"""Tick files that are torn, damaged, or made to fill the memory."""

from __future__ import annotations

import tracemalloc

import pytest
import zstandard

from marketcam.engine import Tick
from marketcam.io import sources, store
from marketcam.io.sources import BadLine, SourceError, TickLines, TornEnd
from marketcam.io.sources.line_reader import LineReader
from tests.tick_text import (
    as_values,
    flushed_frame,
    line_of,
    raw_tick,
    read_leniently,
    text_of,
    ticks_of,
)

GOOD = line_of(0)


@pytest.mark.parametrize("compress", [bytes, zstandard.compress])
def test_a_line_that_is_too_long_is_a_bad_line(compress, tmp_path):
    exact = GOOD + b" " * (1000 - len(GOOD))
    data = exact + b"\n" + exact + b" \n" + b"x" * 300_000 + b"\n" + exact
    ts, bad = read_leniently(compress(data), tmp_path, max_line_bytes=1000)
    assert ts == [0, 0]
    assert [line.number for line in bad] == [2, 3]
    assert str(bad[0].error) == "longer than 1000 bytes"


@pytest.mark.parametrize("end", [b"", b"\n" + GOOD])
def test_memory_is_bounded_whatever_is_compressed(end, tmp_path):
    file = tmp_path / "bomb.zst"
    with zstandard.open(file, "wb") as bomb:
        for _ in range(256):
            bomb.write(bytes(2**20))
        bomb.write(end)
    bad: list[BadLine] = []
    tracemalloc.start()
    try:
        ticks = list(TickLines.open(file, on_bad=bad.append, max_line_bytes=2**20))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ticks) == (1 if end else 0)
    assert [line.number for line in bad] == [1]
    assert peak < 128 * 2**20


def test_a_torn_end_ends_the_ticks_after_the_last_whole_line_and_says_so(tmp_path):
    data, borders = flushed_frame(5)
    file = tmp_path / "pending.jsonl.zst"
    for length in range(1, len(data)):
        file.write_bytes(data[:length])
        told: list[TornEnd] = []
        source = TickLines.open(file, on_torn=told.append)
        whole = sum(border <= length for border in borders)
        assert [tick.t for tick in source] == list(range(whole))
        assert told == [source.torn_end]
        assert told[0].after_line == whole
    file.write_bytes(data)
    source = TickLines.open(file)
    assert [tick.t for tick in source] == list(range(5))
    assert source.torn_end is None


def test_a_torn_end_in_a_later_frame(tmp_path):
    file = tmp_path / "ticks.zst"
    file.write_bytes(zstandard.compress(text_of([0, 1])) + flushed_frame(2)[0][:-5])
    source = TickLines.open(file)
    assert [tick.t for tick in source] == [0, 1, 0, 1]
    assert source.torn_end == TornEnd(4, 0)


def test_a_torn_line_is_dropped_and_counted(tmp_path):
    compressor = zstandard.ZstdCompressor().compressobj()
    data = compressor.compress(GOOD + b"\n" + line_of(1)[:50])
    data += compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    told: list[TornEnd] = []
    assert ticks_of(data, tmp_path, on_torn=told.append) == [0]
    assert str(told[0]) == (
        "the zstd stream breaks off after line 1; 50 bytes of a further line were dropped"
    )


def test_damage_does_not_go_unsaid(tmp_path):
    data, _ = flushed_frame(5)
    expected = [as_values(Tick.from_dict(raw_tick(t))) for t in range(5)]
    file = tmp_path / "damaged.zst"
    said = 0
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        file.write_bytes(damaged)
        bad: list[BadLine] = []
        source = TickLines.open(file, on_bad=bad.append)
        try:
            seen = [as_values(tick) for tick in source]
        except SourceError:
            said += 1
        else:
            if bad or source.torn_end:
                said += 1
            else:
                assert seen == expected
    assert said > len(data) // 2


def test_damage_is_an_error_that_names_the_last_line(tmp_path):
    data, _ = flushed_frame(5)
    file = tmp_path / "damaged.zst"
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SourceError, match=r"damaged\.zst: after line \d: zstd decompressor error"):
        list(TickLines.open(file))


@pytest.mark.parametrize(("window_log", "is_read"), [(27, True), (28, False)])
def test_a_window_beyond_128_mib_is_refused(window_log, is_read, tmp_path):
    """What is asked for stands in the header; the block is small all the same."""
    text = line_of(0) + b"\n"
    header = bytes([0, (window_log - 10) << 3])  # no checksum, no content size, the window
    block = (len(text) << 3 | 1).to_bytes(3, "little") + text  # raw, and the last
    file = tmp_path / "wide.zst"
    file.write_bytes(zstandard.FRAME_HEADER + header + block)
    source = TickLines.open(file)
    if is_read:
        assert [tick.t for tick in source] == [0]
    else:
        with pytest.raises(SourceError, match=r"wide\.zst: after line 0: .*too much memory"):
            list(source)


def test_every_line_that_can_be_recorded_can_be_read():
    assert sources.MAX_LINE_BYTES is store.MAX_LINE_BYTES
    assert LineReader.__init__.__defaults__ == (store.MAX_LINE_BYTES,)


def test_what_follows_a_zstd_frame_must_be_one(tmp_path):
    file = tmp_path / "ticks.zst"
    file.write_bytes(zstandard.compress(text_of([0, 1])) + bytes(100))
    ticks = iter(TickLines.open(file))
    with pytest.raises(SourceError, match=r"after line 2: .*[Uu]nknown frame descriptor"):
        list(ticks)


def test_a_read_that_fails_names_the_last_line(tmp_path, monkeypatch):
    file = tmp_path / "ticks"
    file.write_bytes(text_of([0]))
    source = TickLines.open(file)

    class FailingDisk:
        closed = False
        answers = iter([text_of([0])])

        def read(self, _):
            for data in self.answers:
                return data
            raise OSError(5, "Input/output error")

        def close(self):
            pass

    source._source.close()
    monkeypatch.setattr(source._source, "_file", FailingDisk())
    ticks = iter(source)
    assert next(ticks).t == 0
    with pytest.raises(SourceError, match=r"ticks: after line 1: .*Input/output error"):
        next(ticks)


@pytest.mark.parametrize("compress", [bytes, zstandard.compress])
def test_a_byte_order_mark_at_the_start_is_no_part_of_the_first_line(compress, tmp_path):
    mark = "\ufeff".encode()
    data = mark + text_of([0, 1])
    assert ticks_of(compress(data), tmp_path) == [0, 1]
    assert ticks_of(compress(mark + line_of(0)), tmp_path) == [0]
    assert ticks_of(compress(mark + b"\n"), tmp_path) == []
    ts, bad = read_leniently(compress(text_of([0]) + mark + text_of([1, 2])), tmp_path)
    assert ts == [0, 2]
    assert str(bad[0].error) == "not JSON: expecting value at column 1"
