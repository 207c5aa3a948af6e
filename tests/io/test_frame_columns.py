"""Frames as columns: to the bit what went in, and a clear error for anything else."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import Frame, MarketCameraError, SlidingWindowCamera
from marketcam.io import ColumnsError, decode_frame_columns, encode_frame, encode_frame_columns
from tests.frame_columns_helpers import (
    FAULTS,
    changed,
    column,
    faulty,
    joined,
    small_frame,
    split,
    with_number,
)
from tests.frame_strategies import frames
from tests.raw_ticks import MAX_ID, crowd

pytestmark = pytest.mark.kernel

DOCS = Path(__file__).parents[2] / "docs" / "columns.md"


def assert_same(back: Frame, frame: Frame) -> None:
    """All columns alike, to the type and the sign of zero."""
    assert (back.t, back.W, back.stride) == (frame.t, frame.W, frame.stride)
    for mine, theirs in (
        (back.nodes, frame.nodes),
        (back.edges, frame.edges),
        (back.bursts, frame.bursts),
        (back.shocks, frame.shocks),
    ):
        for name in mine.__slots__:
            column, expected = getattr(mine, name), getattr(theirs, name)
            assert column.dtype == expected.dtype, name
            np.testing.assert_array_equal(column, expected, err_msg=name)
            assert (np.signbit(column) == np.signbit(expected)).all(), name


def entry(frame: Frame, name: str) -> dict[str, object]:
    return column(split(encode_frame_columns(frame))[0], name)


def with_figures(*figures: float) -> Frame:
    """A frame whose figures are these, one a node."""
    frame = small_frame(len(figures))
    numbers = {name: np.array(figures) for name in frame.nodes.__slots__[5:12]}
    return replace(frame, nodes=replace(frame.nodes, **numbers))


def with_counts(*counts: int) -> Frame:
    frame = small_frame(len(counts))
    numbers = {name: np.array(counts, np.int32) for name in frame.nodes.__slots__[1:5]}
    return replace(frame, nodes=replace(frame.nodes, **numbers))


@given(frames())
def test_any_frame_comes_back(frame):
    back = decode_frame_columns(encode_frame_columns(frame))
    assert_same(back, frame)
    assert encode_frame(back) == encode_frame(frame)


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
def test_a_frame_of_the_camera_comes_back(proximity):
    camera = SlidingWindowCamera(W=20, stride=5, proximity=proximity, burst_z=1.0, shock_z=1.0)
    for raw in crowd(1, 41, agents=90, lifetime=20):
        camera.ingest(raw)
    frame = camera.maybe_frame(40)
    back = decode_frame_columns(encode_frame_columns(frame))
    assert_same(back, frame)
    assert back.to_dict() == camera.maybe_build_frame(40)


@pytest.mark.parametrize(
    "figures",
    [
        (0.0, 1e-6, 0.999999),
        (-1e-6, 2147.483647, -2147.483648),
        (4294.967295, 0.0),
        (4294.967296, 0.0),
        (-0.0, 0.5),
        (1e308, -1e308, 5e-324),
        (math.nan, math.nan),
        (math.nan, 0.000254, 0.0),
        (math.nan, 0.000255, 0.0),
        (math.nan, -0.000127, 0.0),
        (math.nan, -0.000128, 0.0),
        (math.nan, 4294.967294),
        (math.nan, 4294.967295),
        (math.nan, 1e9),
        (math.nan, -0.0),
        (0.1234567, 0.5),
        (math.inf, -math.inf),
    ],
)
def test_figures_come_back_to_the_bit(figures):
    frame = with_figures(*figures)
    assert_same(decode_frame_columns(encode_frame_columns(frame)), frame)


@pytest.mark.parametrize(
    ("figures", "dtype", "null"),
    [
        ((0.0, 0.000255), "uint8", None),
        ((0.0, 0.000256), "uint16", None),
        ((0.0, 0.065536), "uint32", None),
        ((-0.000001, 0.000127), "int8", None),
        ((-0.000001, 1.0), "int32", None),
        ((4294.967295, 0.0), "uint32", None),
        ((4294.967296, 0.0), "float64", None),
        ((-0.0, 0.5), "float64", None),
        ((0.1234567, 0.5), "float64", None),
        ((math.nan, 0.000254), "uint8", 255),
        ((math.nan, 0.000255), "uint16", 65535),
        ((math.nan, -0.000127), "int8", -128),
        ((math.nan, -0.000128), "int16", -32768),
        ((math.nan, 4294.967295), "float64", None),
    ],
)
def test_the_smallest_type_that_is_exact(figures, dtype, null):
    stored = entry(with_figures(*figures), "experience_start")
    assert stored["dtype"] == dtype
    assert stored.get("null") == null
    assert stored.get("per") == (None if dtype == "float64" else 1_000_000)


@pytest.mark.parametrize(
    ("most", "dtype"),
    [(0, "uint8"), (255, "uint8"), (256, "uint16"), (65_535, "uint16"), (65_536, "uint32")],
)
def test_counts_take_the_smallest_type(most, dtype):
    frame = with_counts(0, most)
    assert entry(frame, "match_count")["dtype"] == dtype
    assert_same(decode_frame_columns(encode_frame_columns(frame)), frame)


@pytest.mark.parametrize(
    ("ids", "dtype"),
    [
        ([0, 255], "uint8"),
        ([256, 2**16], "uint32"),
        ([0, 2**32 - 1], "uint32"),
        ([1, 2**32], "float64"),
        ([MAX_ID - 1, MAX_ID], "float64"),
    ],
)
def test_ids_to_the_largest(ids, dtype):
    camera = SlidingWindowCamera(W=1, stride=1)
    camera.ingest({"t": 1, "agents": dict.fromkeys(map(str, ids)), "matches": [ids]})
    frame = camera.maybe_frame(1)
    assert entry(frame, "agent_id")["dtype"] == dtype
    assert entry(frame, "src")["dtype"] == "uint8"
    assert_same(decode_frame_columns(encode_frame_columns(frame)), frame)


def test_the_widest_window():
    frame = replace(small_frame(), W=65_535)
    assert_same(decode_frame_columns(encode_frame_columns(frame)), frame)


def test_a_frame_without_anybody():
    camera = SlidingWindowCamera(W=1, stride=1)
    camera.ingest({"t": 1})
    frame = camera.maybe_frame(1)
    message = encode_frame_columns(frame)
    assert split(message)[1] == b""
    assert_same(decode_frame_columns(message), frame)


def test_an_edge_to_an_agent_that_is_no_node():
    frame = small_frame()
    ids = frame.edges.dst.copy()
    ids[2] = MAX_ID
    with pytest.raises(ValueError, match=f"edge 2: dst {MAX_ID} is no node of the frame"):
        encode_frame_columns(replace(frame, edges=replace(frame.edges, dst=ids)))


def test_columns_are_aligned_and_the_message_is_not_longer_than_it_says():
    message = encode_frame_columns(small_frame())
    header, columns = split(message)
    assert header["bytes"] == len(columns)
    assert (len(message) - len(columns)) % 8 == 0
    entries = header["nodes"]["columns"] + header["edges"]["columns"]
    assert all(entry["offset"] % 8 == 0 for entry in entries)


def test_it_is_a_quarter_of_the_json_and_less():
    camera = SlidingWindowCamera(W=20, stride=1, edge_cap=300)
    for raw in crowd(5, 21, agents=300, lifetime=20):
        camera.ingest(raw)
    frame = camera.maybe_frame(20)
    assert len(encode_frame(frame)) > 4 * len(encode_frame_columns(frame))


# ---- what comes from elsewhere -----------------------------------------------------------------


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_told(name):
    with pytest.raises(ColumnsError, match=FAULTS[name][1]):
        decode_frame_columns(faulty(name))


def test_the_error_is_one_of_the_family():
    with pytest.raises(MarketCameraError):
        decode_frame_columns(b"no")


def test_every_cut_is_told():
    message = encode_frame_columns(small_frame())
    for size in range(len(message)):
        with pytest.raises(ColumnsError):
            decode_frame_columns(message[:size])


@given(st.data())
def test_damage_is_told_or_harmless(data):
    message = bytearray(encode_frame_columns(small_frame()))
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(ColumnsError):
        assert isinstance(decode_frame_columns(bytes(message)), Frame)


def test_every_flipped_bit_of_the_header_is_told_or_harmless():
    message = encode_frame_columns(small_frame())
    told = 0
    for place in range(len(message) - len(split(message)[1])):
        for bit in (1, 16, 128):
            flipped = bytearray(message)
            flipped[place] ^= bit
            try:
                decode_frame_columns(flipped)
            except ColumnsError:
                told += 1
    assert told > len(message)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data):
    with pytest.raises(ColumnsError):
        decode_frame_columns(data)
    with pytest.raises(ColumnsError):
        decode_frame_columns(joined(data, b""))


def test_what_is_unknown_is_skipped():
    frame = small_frame()

    def extend(header):
        header["mood"] = "calm"
        header["nodes"]["columns"].insert(0, {"name": "degree", "dtype": "uint128", "offset": 1})
        header["edges"]["columns"].append({"name": "age", "dtype": "uint8", "offset": 0})
        column(header, "type")["values"].append("friendship")
        column(header, "w")["unit"] = "share"

    assert_same(decode_frame_columns(changed(encode_frame_columns(frame), extend)), frame)


def test_codes_are_read_by_the_message_s_own_values():
    message = encode_frame_columns(small_frame())
    turned = changed(message, lambda header: column(header, "type")["values"].reverse())
    kind = decode_frame_columns(message).edges.kind
    np.testing.assert_array_equal(decode_frame_columns(turned).edges.kind, 1 - kind)
    strange = changed(message, lambda header: column(header, "type").update(values=["a", "b"]))
    with pytest.raises(ColumnsError, match=r"type: unknown value '[ab]'"):
        decode_frame_columns(strange)


def test_an_id_that_is_no_whole_number():
    camera = SlidingWindowCamera(W=1, stride=1)
    camera.ingest({"t": 1, "agents": {"1": None, str(2**40): None}})
    message = encode_frame_columns(camera.maybe_frame(1))
    for number in (0.5, -1.0, 2.0**53, math.nan, math.inf):
        with pytest.raises(ColumnsError, match="agent_id must be a whole number"):
            decode_frame_columns(with_number(message, "agent_id", 1, number))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_will_do(kind):
    frame = small_frame()
    assert_same(decode_frame_columns(kind(encode_frame_columns(frame))), frame)


def test_the_header_is_json_with_the_events():
    frame = small_frame()
    header, _ = split(encode_frame_columns(frame))
    plain = orjson.loads(encode_frame(frame))
    assert {name: header[name] for name in ("type", "t", "window", "events")} == {
        name: plain[name] for name in ("type", "t", "window", "events")
    }


def test_the_reader_of_the_docs():
    """The lines of docs/columns.md that read a message with numpy alone."""
    frame = small_frame()
    (lines,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict[str, object] = {"message": encode_frame_columns(frame)}
    exec(lines, names)
    read = names["frame"]
    for name in frame.nodes.__slots__:
        np.testing.assert_array_equal(read["nodes"][name], getattr(frame.nodes, name))
    np.testing.assert_array_equal(read["edges"]["w"], frame.edges.w)
    np.testing.assert_array_equal(names["source"], frame.edges.src)
    assert names["mean"] == dict(
        zip(frame.nodes.agent_id, frame.nodes.quote_price_mean, strict=True)
    )
