import io
import tracemalloc

import orjson
import pytest
import zstandard

from marketcam.io.store import DamagedSegmentError, TornSegmentError, tick_of_line
from marketcam.io.store import decode as decode_module
from marketcam.io.store.decode import blocks, read_lines, summary_of
from tests.store_helpers import line, lines

TEXT = b"".join(text + b"\n" for text in lines(0, 5000))


def compressed(text: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(text)


def lines_of(data: bytes) -> list[bytes]:
    return list(read_lines(io.BytesIO(data)))


def as_far_as_it_goes(data: bytes) -> tuple[list[bytes], Exception | None]:
    found: list[bytes] = []
    try:
        found.extend(read_lines(io.BytesIO(data)))  # a list keeps what came before the error
    except DamagedSegmentError as error:
        return found, error
    return found, None


def hostile_block(kind: int, size: int, body: bytes, *, last: bool = False) -> bytes:
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + body


HEADER = bytes.fromhex("28b52ffd0058")  # no checksum, no size, a window of 2 MiB


def test_frames_of_other_encoders_are_read():
    expected = lines(0, 5000)
    streaming = zstandard.ZstdCompressor().compressobj()
    assert lines_of(streaming.compress(TEXT) + streaming.flush()) == expected
    assert lines_of(compressed(TEXT)) == expected
    half = len(TEXT) // 2
    skippable = bytes.fromhex("502a4d18") + (300_000).to_bytes(4, "little") + bytes(300_000)
    several = compressed(TEXT[:half]) + skippable + compressed(b"") + compressed(TEXT[half:])
    assert lines_of(several) == expected


def test_the_empty_rest_and_empty_lines_are_skipped():
    assert lines_of(b"") == []
    assert lines_of(compressed(b"")) == []
    assert lines_of(compressed(b"\n")) == []
    assert lines_of(compressed(b"\n\n{}\n\n\n[]\n\n")) == [b"{}", b"[]"]


def test_a_line_may_stretch_over_many_blocks():
    long = [bytes([65 + number]) * (300_000 * number + 131_072) for number in range(4)]
    assert lines_of(compressed(b"\n".join([*long, b""]))) == long


def test_a_last_line_without_an_end_is_torn():
    with pytest.raises(TornSegmentError, match="last line has no end after 3 bytes"):
        lines_of(compressed(b"{}\n{}\nabc"))


@pytest.mark.parametrize("skip", [1, 7])
def test_a_cut_segment_gives_its_whole_lines_and_says_so(skip):
    data = compressed(TEXT)
    expected = lines(0, 5000)
    last_seen = 0
    for cut in range(1, len(data), skip * 97):
        found, error = as_far_as_it_goes(data[:cut])
        assert found == expected[: len(found)]
        assert isinstance(error, TornSegmentError), cut
        assert len(found) >= last_seen
        last_seen = len(found)
    assert last_seen > 0, "the cuts must have left something"


def test_no_flipped_bit_changes_a_line_unseen():
    expected = lines(0, 30)
    data = compressed(b"".join(text + b"\n" for text in expected))
    unseen = []
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            found, error = as_far_as_it_goes(bytes(flipped))
            if error is None:
                unseen.append((position, bit))
                assert found == expected
    # The format leaves a few bits unused, such as one in the frame's descriptor.
    assert (4, 4) in unseen
    assert len(unseen) < len(data) * 8 / 100


def test_bytes_after_the_end_are_damage():
    with pytest.raises(DamagedSegmentError, match="must start with 28b52ffd, got 67617262"):
        lines_of(compressed(TEXT) + b"garbage")
    with pytest.raises(TornSegmentError, match="within a zstd frame's header"):
        lines_of(compressed(TEXT) + b"\x28\xb5")


def test_a_bomb_unfolds_a_block_at_a_time():
    full = zstandard.BLOCKSIZE_MAX
    bomb = HEADER + hostile_block(1, full, b"x") * 8_000  # 32 kB that stand for a gigabyte
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in take(blocks(io.BytesIO(bomb)), 2_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 2_000 * full
    assert peak < 4 * 1024 * 1024


def test_a_line_without_an_end_stops_at_the_limit(monkeypatch):
    monkeypatch.setattr(decode_module, "MAX_LINE_BYTES", 500_000)
    bomb = HEADER + hostile_block(1, zstandard.BLOCKSIZE_MAX, b"x") * 8_000
    with pytest.raises(DamagedSegmentError, match="a line is longer than 500000 bytes"):
        lines_of(bomb)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00" * 100, "must start with 28b52ffd, got 00000000"),
        (b'{"t":1}\n', "must start with 28b52ffd"),
        (HEADER + hostile_block(0, 200_000, bytes(200_000)), "at most 131072 bytes, got 200000"),
        (HEADER + hostile_block(3, 5, b"12345"), "decompress"),
        (HEADER + hostile_block(2, 5, b"12345"), "decompress"),
        (bytes.fromhex("28b52ffd00f8"), "memory|decompress"),
    ],
)
def test_hostile_bytes_are_damage(data, message):
    with pytest.raises(DamagedSegmentError, match=message):
        lines_of(data)


@pytest.mark.parametrize(
    ("text", "t"),
    [
        (b'{"type":"metric","t":5,"s":{}}', 5),
        (b'{"type":"frame","t":12340}', 12340),
        (b'{"t":-7,"mid":null}', -7),
        (b'{"t": 5}', 5),
        (b'{"mid":1.5,"t":9}', 9),
        (b'{"s":{"t":1},"t":2}', 2),
        (b'{"note":"\\"t\\":3","t":4}', 4),
        (b'{"t":1.5}', None),
        (b'{"t":1e3}', None),
        (b'{"t":true}', None),
        (b'{"t":"1"}', None),
        (b'{"x":1}', None),
        (b"[1]", None),
        (b"5", None),
        (b'{"t":', None),
        (b"", None),
    ],
)
def test_the_tick_number_of_a_line(text, t):
    assert tick_of_line(text) == t


def test_the_quick_way_and_json_agree_on_our_lines():
    assert [tick_of_line(line(t)) for t in range(-3, 3)] == list(range(-3, 3))
    assert [orjson.loads(line(t))["t"] for t in range(-3, 3)] == list(range(-3, 3))


def test_a_summary_counts_and_takes_the_last_tick():
    summary = summary_of(lines(3, 12))
    assert (summary.lines, summary.end_t) == (9, 11)
    assert (summary_of([]).lines, summary_of([]).end_t) == (0, None)
    assert summary_of([b"{}"]).end_t is None


def take(pieces, count):
    for _ in range(count):
        yield next(pieces)
