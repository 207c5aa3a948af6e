"""Raw ticks in the binary form: there and back, against a reader of its own, and refused."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import Tick, TickError
from marketcam.io import TickBinaryError, decode_tick_binary, encode_tick_binary
from marketcam.io.tick_binary import HEADER_BYTES, MOST_ROWS, split_ticks
from tests.raw_ticks import MAX_ID, STATE, tick
from tests.strategies import streams

COLUMNS = ("agent_id", "experience", "side", "price", "matches")


def some_tick(t: int = 7, **fields: object) -> Tick:
    raw = tick(t, buys={1: 99.5, 2**32: 100.0}, sells={3: 101.0}, agents={1: 0.5, 9: None})
    return Tick.from_dict(raw | {"matches": [[1, 3], [9, -1]], "s": STATE} | fields)


def assert_equal_ticks(ours: Tick, theirs: Tick) -> None:
    assert (ours.t, ours.mid, ours.state) == (theirs.t, theirs.mid, theirs.state)
    for name in COLUMNS:
        mine, others = getattr(ours, name), getattr(theirs, name)
        assert mine.dtype == others.dtype
        assert mine.shape == others.shape
        np.testing.assert_array_equal(mine, others)


def read_by_hand(data: bytes) -> dict[str, object]:
    """Read a tick as docs/ingest.md says it, number by number."""
    magic, version, flags, size, n = *struct.unpack_from("<3sBIII", data), *()
    t, mid, m, zero = struct.unpack_from("<qdII", data, 16)
    assert (magic, version, size, zero) == (b"MCT", 1, len(data), 0)
    at = 40
    state = struct.unpack_from("<4d", data, at) if flags & 1 else None
    at += 32 if flags & 1 else 0
    columns = []
    for count, letter in ((n, "qI"[flags >> 1 & 1]), (n, "d"), (n, "d"), (2 * m, "qi"[flags >> 2]),
                          (n, "b")):  # fmt: skip
        columns.append(struct.unpack_from(f"<{count}{letter}", data, at))
        at += struct.calcsize(f"<{count}{letter}")
        assert not any(data[at : at + -at % 8])
        at += -at % 8
    assert at == len(data)
    return {"t": t, "mid": mid, "state": state, "columns": columns}


@given(st.data())
def test_a_tick_comes_back_from_its_bytes(data):
    state = data.draw(st.sampled_from([None, STATE]))
    for raw in data.draw(streams(2, 0.003)):
        read = Tick.from_dict(raw | {"s": state})
        assert_equal_ticks(decode_tick_binary(encode_tick_binary(read)), read)


@given(st.data())
def test_the_bytes_are_those_of_the_documentation(data):
    for raw in data.draw(streams(1, 0.003)):
        read = Tick.from_dict(raw | {"s": data.draw(st.sampled_from([None, STATE]))})
        found = read_by_hand(encode_tick_binary(read))
        assert found["t"] == read.t
        assert math.isnan(found["mid"]) if read.mid is None else found["mid"] == read.mid
        assert found["state"] == (None if read.state is None else tuple(read.state))
        ids, experiences, prices, pairs, sides = found["columns"]
        np.testing.assert_array_equal(ids, read.agent_id)
        np.testing.assert_array_equal(experiences, read.experience)
        np.testing.assert_array_equal(prices, read.price)
        np.testing.assert_array_equal(np.reshape(pairs, (-1, 2)), read.matches)
        np.testing.assert_array_equal(sides, read.side)


@pytest.mark.parametrize(("largest", "flags"), [(2**31 - 1, 6), (2**32 - 1, 2), (2**32, 0)])
def test_ids_have_four_bytes_where_that_is_enough(largest, flags):
    read = Tick.from_dict({"t": 1, "mid": None, "agents": {largest: None, 0: 1.0},
                           "matches": [[largest, -1]]})  # fmt: skip
    data = encode_tick_binary(read)
    assert int.from_bytes(data[4:8], "little") == flags
    assert_equal_ticks(decode_tick_binary(data), read)


def test_columns_lie_in_what_can_be_written_to():
    data = bytearray(encode_tick_binary(some_tick()))
    read = decode_tick_binary(data)
    shared = [np.shares_memory(column, np.frombuffer(data, np.uint8)) for column in read.columns]
    assert shared == [True, True, True, True, False]  # the matches have 4 bytes each


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_kernels_can_take_the_columns_of_any_message(kind):
    read = decode_tick_binary(kind(encode_tick_binary(some_tick())))
    assert all(column.flags.carray for column in read.columns)


def test_a_message_is_split_where_its_ticks_end():
    ticks = [some_tick(t, **({"s": None} if t % 2 else {})) for t in range(5)]
    message = b"".join(map(encode_tick_binary, ticks))
    for piece, sent in zip(split_ticks(message), ticks, strict=True):
        assert_equal_ticks(decode_tick_binary(piece), sent)
    assert list(split_ticks(b"")) == []


def test_a_message_is_read_up_to_what_cannot_be_told_apart():
    data = encode_tick_binary(some_tick())
    for rest in (b"MCT\x01", b"MCT\x02" + data[4:], b"x" * 64, data[:-8]):
        pieces = split_ticks(data + rest)
        assert bytes(next(pieces)) == data
        with pytest.raises(TickBinaryError, match=f"byte {len(data)}: "):
            next(pieces)


@pytest.mark.parametrize("size", [0, 8, 32, 41, 2**31, 2**32 - 8])
def test_a_size_that_cannot_be_is_refused(size):
    data = bytearray(encode_tick_binary(some_tick()))
    data[8:12] = size.to_bytes(4, "little")
    with pytest.raises(TickBinaryError, match=rf"byte 0: a tick's size must be .*, got {size}$"):
        next(split_ticks(data))


def test_every_cut_is_noticed():
    data = encode_tick_binary(some_tick())
    for end in range(len(data)):
        with pytest.raises(TickBinaryError):
            decode_tick_binary(data[:end])
    with pytest.raises(TickBinaryError, match="take"):
        decode_tick_binary(data + bytes(8))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (4, 8, "flags must be 0 to 7"),
        (36, 1, "the last field 0, got 5 and 1"),
        (12, 5, "5 agents and 2 matches with flags 5 take"),
        (32, 3, "4 agents and 3 matches with flags 5 take"),
        (12, MOST_ROWS + 1, f"agents must be {MOST_ROWS} at most"),
        (32, 2**32 - 1, f"matches must be {MOST_ROWS} at most"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(place, value, message):
    data = bytearray(encode_tick_binary(some_tick()))
    data[place : place + 4] = value.to_bytes(4, "little")
    with pytest.raises(TickBinaryError, match=message):
        decode_tick_binary(data)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (16, struct.pack("<q", MAX_ID + 1), "t must lie within"),
        (24, struct.pack("<d", math.inf), "tick 7: mid must be finite, got inf"),
        (HEADER_BYTES + 8, struct.pack("<d", math.nan), "s.volatility must be finite, got nan"),
    ],
)
def test_values_that_the_camera_does_not_see_are_checked(place, value, message):
    data = bytearray(encode_tick_binary(some_tick()))
    data[place : place + 8] = value
    with pytest.raises(TickError, match=message):
        decode_tick_binary(data)


def test_columns_of_different_lengths_are_no_tick():
    fine = some_tick()
    short = Tick(fine.t, None, *fine.columns[:3], fine.price[:-1], fine.matches)
    with pytest.raises(TickError, match=r"tick 7: price must have as many entries as agent_id, 4"):
        encode_tick_binary(short)


def test_more_rows_than_fit_are_refused():
    many = np.broadcast_to(np.int64(1), (MOST_ROWS + 1, 2))
    fine = some_tick()
    with pytest.raises(TickError, match=f"matches must be {MOST_ROWS} at most"):
        encode_tick_binary(Tick(1, None, *fine.columns[:4], many))
