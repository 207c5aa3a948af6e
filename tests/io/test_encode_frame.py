"""`encode_frame` writes, to the byte, what orjson makes of the frame's dict."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import example, given

from marketcam.engine import Edges, Events, Frame, Nodes, SlidingWindowCamera
from marketcam.io import encode_frame, frame_json
from marketcam.io.frame_kernels import LITERALS, write_frame
from tests.frame_strategies import figures, frames, rounded
from tests.raw_ticks import MAX_ID, crowd, tick

pytestmark = pytest.mark.kernel


modest = figures.filter(lambda figure: abs(figure) < 1e9)


@given(frames(modest))
def test_any_columns(frame):
    assert encode_frame(frame) == orjson.dumps(frame.to_dict())


@given(frames())
def test_any_columns_of_any_figures(frame):
    assert encode_frame(frame) == orjson.dumps(frame.to_dict())


def frame_of(agents, w, figure=0.0, t=10, count=0):
    """A frame of these agents, alike, with an edge of each weight from each to the next."""
    n = len(agents)
    nodes = Nodes(
        np.array(agents, dtype=np.int64),
        *(np.full(n, count, np.int32) for _ in range(4)),
        *(np.full(n, figure) for _ in range(7)),
        np.zeros(n, np.int8),
    )
    rows = np.arange(len(w)) % (n - 1)
    kind = (rows % 2).astype(np.int8)
    edges = Edges(nodes.agent_id[rows], nodes.agent_id[rows + 1], kind, np.array(w, dtype=float))
    none = Events(np.empty(0, np.int64), np.empty(0), np.empty(0))
    return Frame(t, 3, 1, nodes, edges, none, none)


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
    frame = frame_of([7, 9], w=[rounded(figure)], figure=rounded(figure))
    assert encode_frame(frame) == orjson.dumps(frame.to_dict())


def test_every_sixth_decimal_of_a_stretch():
    """All weights that a window of 997 ticks can give, and all micros around 1."""
    figures = [round(k / 997, 6) for k in range(998)] + [round(k * 1e-6, 6) for k in range(2000)]
    figures += [round(1 + k * 1e-6, 6) for k in range(-1000, 1000)]
    frame = frame_of(range(100), figures)
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


def test_an_edge_between_agents_that_are_no_nodes():
    frame = frame_of([3, 5, 8], w=[0.5, 0.25])
    for strangers in ([4, 5], [3, 9], [2, 2], [2**40, 0]):
        edges = replace(frame.edges, dst=np.array(strangers))
        odd = replace(frame, edges=edges)
        assert encode_frame(odd) == orjson.dumps(odd.to_dict())
        nobody = replace(odd, nodes=frame_of([1, 2], []).nodes)
        assert encode_frame(nobody) == orjson.dumps(nobody.to_dict())


@pytest.mark.parametrize("column", ["agent_id", "buy_count", "match_count"])
@pytest.mark.parametrize("number", [-1, -1001, -(2**31)])
def test_negative_numbers(column, number):
    frame = frame_of([3, 5], w=[0.5])
    there = getattr(frame.nodes, column)
    odd = replace(frame, nodes=replace(frame.nodes, **{column: np.full_like(there, number)}))
    assert encode_frame(odd) == orjson.dumps(odd.to_dict())


def test_codes_that_there_are_not():
    frame = frame_of([3, 5], w=[0.5])
    three = np.full(2, 3, np.int8)
    with pytest.raises(IndexError):
        encode_frame(replace(frame, nodes=replace(frame.nodes, dominant_side=three)))
    with pytest.raises(IndexError):
        encode_frame(replace(frame, edges=replace(frame.edges, kind=three[:1])))


def test_a_frame_of_the_camera_makes_no_dicts(monkeypatch):
    frame = frame_of([0, 1, MAX_ID], w=[1.0, 0.5, 0.5], figure=999_999_999.999999)
    expected = orjson.dumps(frame.to_dict())
    monkeypatch.delattr(Frame, "to_dict")
    assert encode_frame(frame) == expected


@pytest.mark.parametrize("edges", [0, 1, 50])
@pytest.mark.parametrize("agents", [2, 30])
def test_the_longest_text_has_room(agents, edges):
    """Nothing is written beyond what `frame_json` reserves, with the longest of all numbers."""
    ids = range(MAX_ID - agents + 1, MAX_ID + 1)
    weights = [-999_999_999.999999 + k for k in range(edges)]
    frame = frame_of(ids, weights, -999_999_999.999999, t=-MAX_ID, count=2**31 - 1)
    room = frame_json.Room.of(agents, edges)
    guard = np.full(room.text.size + 4096, 255, dtype=np.uint8)
    names = np.full(room.scratch[1].size + 4096, 255, dtype=np.uint8)
    stamp = np.full(room.scratch[0].size + 4096, 255, dtype=np.uint8)
    columns = frame_json.columns_of(frame)
    scratch = (stamp, names, room.scratch[2])
    assert write_frame(guard, scratch, LITERALS, frame.t0, frame.t, *columns) > 0
    assert (guard[room.text.size :] == 255).all()
    assert (names[room.scratch[1].size :] == 255).all()
    assert (stamp[room.scratch[0].size :] == 255).all()
    assert encode_frame(frame) == orjson.dumps(frame.to_dict())


def test_threads_do_not_share_a_buffer():
    made = [frame_of(range(n, 3 * n), [0.5] * n, figure=n + 0.5) for n in range(2, 60)]
    expected = [orjson.dumps(frame.to_dict()) for frame in made]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(encode_frame, made)) == expected


def test_a_huge_buffer_is_given_back(monkeypatch):
    frame = frame_of(range(50), [0.5] * 50)
    expected = orjson.dumps(frame.to_dict())
    monkeypatch.setattr(frame_json, "_KEPT_BYTES", 1000)
    monkeypatch.setattr(frame_json, "_ROOMS", frame_json.Rooms())
    assert encode_frame(frame) == expected
    assert frame_json._ROOMS.kept.text.size < 1000


def test_the_text_is_one_line_of_plain_json():
    camera = SlidingWindowCamera(W=2, stride=1)
    for raw in crowd(0, 4, agents=30, lifetime=20):
        camera.ingest(raw)
    text = encode_frame(camera.maybe_frame(3))
    assert type(text) is bytes
    assert b"\n" not in text
    assert b" " not in text
    assert json.loads(text) == camera.maybe_build_frame(3)
