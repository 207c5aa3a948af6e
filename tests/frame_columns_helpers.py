"""Messages of columns taken apart, changed and put together again."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from marketcam.engine import SlidingWindowCamera
from marketcam.io import encode_frame_columns
from tests.raw_ticks import crowd

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.engine import Frame


@cache
def small_frame(agents: int = 6, W: int = 4) -> Frame:
    """A frame of the camera, with edges of both types and unknown experiences."""
    camera = SlidingWindowCamera(W=W, stride=1, eps_pct=0.05, burst_z=0.5, shock_z=0.5)
    for raw in crowd(3, 2 * W, agents=agents, lifetime=20):
        camera.ingest(raw)
    frame = camera.maybe_frame(2 * W - 1)
    assert frame is not None
    return frame


def split(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header and the columns."""
    begin = 8 + int.from_bytes(message[4:8], "little")
    return orjson.loads(message[8:begin]), message[begin:]


def joined(header: dict[str, Any] | bytes, columns: bytes, prefix: bytes = b"MCC\x01") -> bytes:
    """Return the message of a header and columns."""
    text = header if isinstance(header, bytes) else orjson.dumps(header)
    text += b" " * (-len(text) % 8)
    return prefix + len(text).to_bytes(4, "little") + text + columns


def column(header: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the entry of a column."""
    entries = header["nodes"]["columns"] + header["edges"]["columns"]
    return next(entry for entry in entries if entry["name"] == name)


def changed(message: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the message with its header changed."""
    header, columns = split(message)
    change(header)
    return joined(header, columns)


def with_number(message: bytes, name: str, row: int, number: float) -> bytes:
    """Return the message with one stored number of a column replaced."""
    header, columns = split(message)
    entry = column(header, name)
    data = bytearray(columns)
    dtype = np.dtype(entry["dtype"])
    at = entry["offset"] + row * dtype.itemsize
    data[at : at + dtype.itemsize] = np.array(number).astype(dtype).tobytes()
    return joined(header, bytes(data))


FAULTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _: b"", "0 bytes are no frame"),
    "a JSON frame": (lambda _: b'{"type":"frame","t":1}', "not a frame as columns"),
    "another magic": (lambda m: b"MCX" + m[3:], "not a frame as columns"),
    "another version": (lambda m: b"MCC\x02" + m[4:], "version 2 of the columns"),
    "a header beyond the end": (
        lambda m: m[:4] + (len(m) + 8 - len(m) % 8).to_bytes(4, "little") + m[8:],
        "the header must end",
    ),
    "a header of 4 GB": (lambda m: m[:4] + b"\xf8\xff\xff\xff" + m[8:], "the header must end"),
    "a header of odd length": (
        lambda m: m[:4] + (int.from_bytes(m[4:8], "little") - 1).to_bytes(4, "little") + m[8:],
        "the header must end",
    ),
    "no JSON": (lambda m: joined(b"{'type'}", split(m)[1]), "the header is no JSON"),
    "no UTF-8": (lambda m: joined(b'{"\xff": 1}', split(m)[1]), "the header is no JSON"),
    "deep JSON": (lambda m: joined(b"[" * 100_000, split(m)[1]), "the header is no JSON"),
    "a list": (lambda m: joined(b"[]", split(m)[1]), "the header must be an object"),
    "another type": (
        lambda m: changed(m, lambda h: h.update(type="metric")),
        "the header must be an object of type",
    ),
    "no t": (lambda m: changed(m, lambda h: h.pop("t")), "t must be a whole number"),
    "a t that is true": (lambda m: changed(m, lambda h: h.update(t=True)), "t must be a whole"),
    "a t beyond": (lambda m: changed(m, lambda h: h.update(t=2**53)), "t must be within"),
    "another t": (lambda m: changed(m, lambda h: h.update(t=h["t"] + 1)), "t0 must be within"),
    "no window": (lambda m: changed(m, lambda h: h.update(window=[])), "window must be an object"),
    "a window of 0": (lambda m: changed(m, lambda h: h["window"].update(W=0)), "W must be within"),
    "a window of 65536": (
        lambda m: changed(m, lambda h: h["window"].update(W=65_536)),
        "W must be within",
    ),
    "more bytes": (lambda m: m + bytes(8), "bytes of columns announced"),
    "fewer bytes": (lambda m: m[:-8], "bytes of columns announced"),
    "negative bytes": (lambda m: changed(m, lambda h: h.update(bytes=-1)), "bytes must be within"),
    "no nodes": (lambda m: changed(m, lambda h: h.pop("nodes")), "nodes must be an object"),
    "negative nodes": (
        lambda m: changed(m, lambda h: h["nodes"].update(count=-1)),
        "count must be within",
    ),
    "many nodes": (
        lambda m: changed(m, lambda h: h["nodes"].update(count=2**53 - 1)),
        "agent_id: offset 0 must",
    ),
    "no list of columns": (
        lambda m: changed(m, lambda h: h["nodes"].update(columns={})),
        "columns must be a list",
    ),
    "a column that is a text": (
        lambda m: changed(m, lambda h: h["edges"]["columns"].append("w")),
        "a column must be an object",
    ),
    "a column without a name": (
        lambda m: changed(m, lambda h: h["edges"]["columns"].append({})),
        "name must be a text",
    ),
    "a column twice": (
        lambda m: changed(m, lambda h: h["edges"]["columns"].append(column(h, "w"))),
        "w is listed twice",
    ),
    "columns missing": (
        lambda m: changed(m, lambda h: h["edges"]["columns"].pop()),
        "columns are missing: w",
    ),
    "an unknown dtype": (
        lambda m: changed(m, lambda h: column(h, "w").update(dtype="complex128")),
        "w: unknown dtype",
    ),
    "a dtype of another kind": (
        lambda m: changed(m, lambda h: column(h, "w").update(dtype=["uint8"])),
        "w: unknown dtype|dtype must be a text",
    ),
    "an offset between": (
        lambda m: changed(m, lambda h: column(h, "w").update(offset=column(h, "w")["offset"] + 1)),
        "w: offset",
    ),
    "an offset beyond": (
        lambda m: changed(m, lambda h: column(h, "w").update(offset=2**40)),
        "w: offset",
    ),
    "columns one over the other": (
        lambda m: changed(m, lambda h: column(h, "w").update(offset=0)),
        "offset must be within",
    ),
    "a negative offset": (
        lambda m: changed(m, lambda h: column(h, "agent_id").update(offset=-8)),
        "offset must be within",
    ),
    "no per": (
        lambda m: changed(m, lambda h: column(h, "match_rate").pop("per")),
        "per must be a whole number",
    ),
    "a per of 0": (
        lambda m: changed(m, lambda h: column(h, "match_rate").update(per=0)),
        "per must be within",
    ),
    "a null that is a text": (
        lambda m: changed(m, lambda h: column(h, "match_rate").update(null="")),
        "null must be a whole number",
    ),
    "no values": (
        lambda m: changed(m, lambda h: column(h, "type").pop("values")),
        "values must be a list",
    ),
    "a code beyond the values": (
        lambda m: with_number(m, "dominant_side", 0, 3),
        "dominant_side must be a whole number of 0 to 2, got 3",
    ),
    "an edge to nowhere": (lambda m: with_number(m, "src", 0, 200), "src must be a whole number"),
    "no events": (
        lambda m: changed(m, lambda h: h.update(events=None)),
        "events must be an object",
    ),
    "no bursts": (
        lambda m: changed(m, lambda h: h["events"].pop("bursts")),
        "bursts must be a list",
    ),
    "a burst that is a number": (
        lambda m: changed(m, lambda h: h["events"].update(bursts=[1])),
        "bursts",
    ),
    "a shock without a score": (
        lambda m: changed(m, lambda h: h["events"].update(shocks=[{"t": 1, "value": 0.5}])),
        "score",
    ),
}
"""What can be wrong with a message, and what the error must say, in Python and in JavaScript."""


def faulty(name: str) -> bytes:
    """Return a small message with a fault."""
    damage, _ = FAULTS[name]
    return damage(encode_frame_columns(small_frame()))
