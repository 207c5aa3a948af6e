"""`encode_frame` writes, to the byte, what orjson makes of the frame's dict."""

from __future__ import annotations

import json
import math

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from marketcam.engine import Edges, Events, Frame, Nodes, SlidingWindowCamera
from marketcam.io import encode_frame
from tests.raw_ticks import MAX_ID, crowd, tick

pytestmark = pytest.mark.kernel


def rounded(value):
    return round(value, 6) + 0.0


micros = st.integers(-(10**12), 10**12).map(lambda units: rounded(units * 1e-6))
powers = st.builds(lambda sign, k: sign * 10.0**k, st.sampled_from([-1, 1]), st.integers(-6, 22))
rims = powers.flatmap(
    lambda power: st.sampled_from(
        [power, math.nextafter(power, math.inf), math.nextafter(power, -math.inf), power * 0.999999]
    )
)
figures = st.one_of(
    micros,
    rims,
    st.floats(0.0, 1.0),
    st.floats(-1e5, 1e5),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.integers(-(2**53), 2**53).map(float),
).map(rounded)
ids = st.one_of(st.integers(0, 12), st.integers(0, MAX_ID), st.just(MAX_ID))
counts = st.one_of(st.integers(0, 300), st.integers(0, 2**31 - 1))
ticks = st.one_of(st.integers(0, 10**6), st.integers(2**17, MAX_ID))


def column(dtype, size, elements):
    return hnp.arrays(dtype, size, elements=elements, fill=st.nothing())


@st.composite
def nodes(draw):
    n = draw(st.integers(0, 6))
    agents = sorted(draw(st.sets(ids, min_size=n, max_size=n)))
    unknown = st.one_of(figures, st.just(math.nan))
    return Nodes(
        np.array(agents, dtype=np.int64),
        *(draw(column(np.int32, n, counts)) for _ in range(4)),
        *(draw(column(np.float64, n, figures)) for _ in range(4)),
        *(draw(column(np.float64, n, unknown)) for _ in range(2)),
        draw(column(np.float64, n, figures)),
        draw(column(np.int8, n, st.integers(0, 2))),
    )


@st.composite
def edges(draw):
    n = draw(st.integers(0, 6))
    return Edges(
        draw(column(np.int64, n, ids)),
        draw(column(np.int64, n, ids)),
        draw(column(np.int8, n, st.integers(0, 1))),
        draw(column(np.float64, n, st.one_of(st.floats(0.0, 1.0).map(rounded), micros))),
    )


@st.composite
def events(draw, dtype, values):
    n = draw(st.integers(0, 3))
    return Events(
        draw(column(np.int64, n, ticks)),
        draw(column(dtype, n, values)),
        draw(column(np.float64, n, figures)),
    )


frames = st.builds(
    Frame,
    t=ticks,
    W=st.integers(1, 65_535),
    stride=st.integers(1, 10**6),
    nodes=nodes(),
    edges=edges(),
    bursts=events(np.int64, counts),
    shocks=events(np.float64, figures),
)


@given(frames)
def test_any_columns(frame):
    assert encode_frame(frame) == orjson.dumps(frame.to_dict())


def with_figure(figure):
    """A frame of one node, every float of which is this figure."""
    one = np.full(1, rounded(figure))
    zero = np.zeros(1, np.int32)
    node = Nodes(np.array([7]), *(zero,) * 4, *(one,) * 7, np.zeros(1, np.int8))
    nobody = np.empty(0, np.int64)
    weightless = np.empty(0)
    edge = Edges(np.array([1]), np.array([2]), np.zeros(1, np.int8), one)
    none = Events(nobody, weightless, weightless)
    return Frame(10, 3, 1, node, edge, none, none)


@given(figures)
@example(0.0)
@example(1e-6)
@example(9.9e-5)
@example(1e-5)
@example(0.0001)
@example(0.1)
@example(0.3)
@example(1.0)
@example(0.999999)
@example(-0.999999)
@example(999_999.999999)
@example(99_999_999.999999)
@example(999_999_999.999999)
@example(1e9)
@example(1_000_000_000.000001)
@example(1e15)
@example(1e16)
@example(123456789012345680.0)
@example(1e17)
@example(1e21)
@example(1e22)
@example(1e308)
@example(-1e308)
@example(4503599627.370497)
@example(8589934591.999999)
def test_any_figure(figure):
    frame = with_figure(figure)
    assert encode_frame(frame) == orjson.dumps(frame.to_dict())


def test_every_sixth_decimal_of_a_stretch():
    """All weights that a window of 997 ticks can give, and all micros around 1."""
    figures = [round(k / 997, 6) for k in range(998)] + [round(k * 1e-6, 6) for k in range(2000)]
    figures += [round(1 + k * 1e-6, 6) for k in range(-1000, 1000)]
    n = len(figures)
    frame = with_figure(0.0)
    ids = np.arange(n)
    edges = Edges(ids, ids + 1, (ids % 2).astype(np.int8), np.array(figures))
    frame = Frame(10**6, 997, 1, frame.nodes, edges, frame.bursts, frame.shocks)
    assert encode_frame(frame) == orjson.dumps(frame.to_dict())


@pytest.mark.parametrize("t", [1, 9, 10, 99_999, 100_000, 2**31, 2**32, MAX_ID])
def test_any_tick_number(t):
    camera = SlidingWindowCamera(W=1, stride=1)
    camera.ingest(tick(t, buys={0: 1.0, MAX_ID: 1.0}, matches=[[0, MAX_ID]]))
    frame = camera.maybe_frame(t)
    assert encode_frame(frame) == orjson.dumps(frame.to_dict())
    assert json.loads(encode_frame(frame))["nodes"][1]["node_id"] == f"agent:{MAX_ID}@t:{t}-{t}"


def test_a_frame_without_anybody():
    camera = SlidingWindowCamera(W=1, stride=1)
    camera.ingest({"t": 1})
    assert encode_frame(camera.maybe_frame(1)) == (
        b'{"type":"frame","t":1,"window":{"W":1,"t0":1,"t1":1,"stride":1},'
        b'"nodes":[],"edges":[],"events":{"bursts":[],"shocks":[]}}'
    )


def test_frames_of_every_size():
    """Texts longer and shorter than the one before, in one process, with nothing left over."""
    for agents in (1, 2, 40, 3, 90, 5, 150, 1):
        camera = SlidingWindowCamera(W=4, stride=2, edge_cap=agents * 9)
        for raw in crowd(agents, 5, agents=agents, lifetime=20):
            camera.ingest(raw)
        frame = camera.maybe_frame(4)
        assert encode_frame(frame) == orjson.dumps(frame.to_dict())


def test_the_text_is_one_line_of_plain_json():
    camera = SlidingWindowCamera(W=2, stride=1)
    for raw in crowd(0, 4, agents=30, lifetime=20):
        camera.ingest(raw)
    text = encode_frame(camera.maybe_frame(3))
    assert type(text) is bytes
    assert b"\n" not in text
    assert b" " not in text
    assert json.loads(text) == camera.maybe_build_frame(3)
