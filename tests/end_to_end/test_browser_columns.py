"""Frames as columns in a real browser: the numbers of the JSON message, and errors that say why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.engine import Frame, SlidingWindowCamera
from marketcam.io import encode_frame, encode_frame_columns
from tests.browsers import chromium
from tests.frame_columns_helpers import FAULTS, changed, column, faulty, small_frame
from tests.raw_ticks import MAX_ID, crowd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

DECODER = Path(__file__).parents[2] / "server" / "viewer" / "columns.js"
ORIGIN = "http://camera.test"

# Node by node and edge by edge; numbers are compared with Object.is, so that -0 is not 0.
DIFFERENCES = """async ([bytes, text]) => {
    const { decodeFrame, frameObject, nodeObject, edgeObject } = await import("/viewer/columns.js");
    const frame = decodeFrame(new Uint8Array(bytes).buffer);
    const message = JSON.parse(text);
    const found = [];
    const compare = (mine, theirs, path) => {
        if (typeof theirs !== "object" || theirs === null) {
            if (!Object.is(mine, theirs)) found.push(`${path}: ${mine} is not ${theirs}`);
            return;
        }
        const names = Object.keys(theirs);
        if (String(Object.keys(mine)) !== String(names)) found.push(`${path}: other fields`);
        for (const name of names) compare(mine[name], theirs[name], `${path}.${name}`);
    };
    compare(frameObject(frame), message, "frame");
    message.nodes.forEach((node, row) => compare(nodeObject(frame, row), node, `node ${row}`));
    message.edges.forEach((edge, row) => compare(edgeObject(frame, row), edge, `edge ${row}`));
    if (JSON.stringify(frameObject(frame)) !== JSON.stringify(message)) found.push("text");
    return { found, nodes: frame.nodes.count, edges: frame.edges.count };
}"""

ERRORS = """async (messages) => {
    const { decodeFrame, ColumnsError } = await import("/viewer/columns.js");
    return messages.map((bytes) => {
        try {
            decodeFrame(new Uint8Array(bytes).buffer);
        } catch (error) {
            return error instanceof ColumnsError ? error.message : `unexpected ${error}`;
        }
        return null;
    });
}"""

TYPES = """async (bytes) => {
    const { decodeFrame, nodeObject } = await import("/viewer/columns.js");
    const { nodes, edges } = decodeFrame(new Uint8Array(bytes).buffer);
    const outside = [];
    for (const row of [-1, nodes.count, 0.5]) {
        try { nodeObject({ nodes }, row); } catch (error) { outside.push(error.name); }
    }
    const kind = (column) => column.constructor.name;
    return [kind(nodes.agent_id), kind(nodes.match_rate), kind(edges.src), kind(edges.w), outside];
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of an origin that serves the decoder and nothing else."""
    with chromium() as browser:
        page = browser.new_page()
        page.route(f"{ORIGIN}/", lambda route: route.fulfill(body="", content_type="text/html"))
        page.route(f"{ORIGIN}/viewer/columns.js", lambda route: route.fulfill(path=DECODER))
        page.goto(f"{ORIGIN}/")
        yield page


def developed(agents: int, **settings: Any) -> Frame:
    camera = SlidingWindowCamera(W=20, stride=5, burst_z=1.0, shock_z=1.0, **settings)
    for raw in crowd(1, 41, agents=agents, lifetime=20):
        camera.ingest(raw)
    frame = camera.maybe_frame(40)
    assert frame is not None
    return frame


def with_large_ids() -> Frame:
    camera = SlidingWindowCamera(W=1, stride=1)
    ids = [0, 2**32, MAX_ID]
    camera.ingest({"t": 1, "agents": {"0": -0.25, str(2**32): 1e9, str(MAX_ID): None},
                   "matches": [ids[:2], ids[1:]]})  # fmt: skip
    frame = camera.maybe_frame(1)
    assert frame is not None
    return frame


def empty() -> Frame:
    camera = SlidingWindowCamera(W=1, stride=1)
    camera.ingest({"t": 1})
    frame = camera.maybe_frame(1)
    assert frame is not None
    return frame


@pytest.mark.parametrize(
    "make",
    [
        lambda: developed(400),
        lambda: developed(90, proximity="neighbors"),
        lambda: developed(40, edge_cap=0),
        small_frame,
        with_large_ids,
        empty,
    ],
    ids=["pairs", "neighbors", "no edges", "small", "large ids", "empty"],
)
def test_the_decoded_frame_is_the_json_message(page, make):
    frame = make()
    arguments = [list(encode_frame_columns(frame)), encode_frame(frame).decode()]
    told = page.evaluate(DIFFERENCES, arguments)
    assert told == {"found": [], "nodes": len(frame.nodes), "edges": len(frame.edges)}


def test_faults_are_told(page):
    messages = [list(faulty(name)) for name in FAULTS]
    told = dict(zip(FAULTS, page.evaluate(ERRORS, messages), strict=True))
    for name, (_, expected) in FAULTS.items():
        assert told[name] is not None, name
        assert any(part in told[name] for part in expected.split("|")), (name, told[name])


def test_every_cut_is_told(page):
    message = list(encode_frame_columns(small_frame()))
    told = page.evaluate(
        ERRORS.replace("messages.map((bytes)", "messages[0].map((_, size)").replace(
            "new Uint8Array(bytes)", "new Uint8Array(messages[0].slice(0, size))"
        ),
        [message],
    )
    assert len(told) == len(message)
    assert None not in told
    assert not [text for text in told if text.startswith("unexpected")]


def test_damage_is_told_or_harmless(page):
    message = encode_frame_columns(small_frame())
    damaged = []
    for place in range(0, len(message), 3):
        flipped = bytearray(message)
        flipped[place] ^= 1 << place % 8
        damaged.append(list(flipped))
    told = [text for text in page.evaluate(ERRORS, damaged) if text is not None]
    assert told
    assert not [text for text in told if text.startswith("unexpected")]


def test_what_is_unknown_is_skipped(page):
    frame = small_frame()

    def extend(header: dict[str, Any]) -> None:
        header["mood"] = "calm"
        header["nodes"]["columns"].insert(0, {"name": "degree", "dtype": "uint128", "offset": 1})
        column(header, "type")["values"].append("friendship")

    message = changed(encode_frame_columns(frame), extend)
    told = page.evaluate(DIFFERENCES, [list(message), encode_frame(frame).decode()])
    assert told["found"] == []


def test_columns_are_typed_arrays(page):
    message = list(encode_frame_columns(small_frame()))
    assert page.evaluate(TYPES, message) == [
        "Float64Array",  # some ids need more than 32 bits
        "Float64Array",
        "Uint8Array",
        "Float64Array",
        ["RangeError"] * 3,
    ]


def test_a_blob_is_no_array_buffer(page):
    program = """async () => {
        const { decodeFrame } = await import("/viewer/columns.js");
        try { decodeFrame(new Blob([])); } catch (error) { return `${error}`; }
    }"""
    assert "binaryType to 'arraybuffer'" in page.evaluate(program)


def test_numbers_of_the_header_are_those_of_the_message(page):
    """What is not in columns goes through the browser's own JSON."""
    frame = small_frame()
    program = """async (bytes) => {
        const { decodeFrame } = await import("/viewer/columns.js");
        const { t, window, events } = decodeFrame(new Uint8Array(bytes).buffer);
        return JSON.stringify({ t, window, events });
    }"""
    told = orjson.loads(page.evaluate(program, list(encode_frame_columns(frame))))
    plain = frame.to_dict()
    assert told == {name: plain[name] for name in ("t", "window", "events")}
