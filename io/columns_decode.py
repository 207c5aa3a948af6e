"""Frames from columns: what `encode_frame_columns` wrote, or an error that says what is wrong.

A message may come from anywhere. Every number in it is checked before it is used, and what is
allocated is bounded by the message's own length: columns do not overlap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from marketcam.engine import MAX_ID, Edges, Events, Frame, Nodes
from marketcam.io.columns_form import (
    ALIGNMENT,
    COUNTS,
    DTYPES,
    EDGE_VALUES,
    FIGURES,
    MAGIC,
    PREFIX_BYTES,
    SIDE_VALUES,
    VERSION,
    WHOLE,
    ColumnsError,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]
    Entry = dict[str, Any]

__all__ = ["decode_frame_columns"]

_MOST: Final = 2**53 - 1  # what JavaScript counts exactly
_MOST_W: Final = 65_535
_INT32: Final = 2**31 - 1


def decode_frame_columns(data: bytes | bytearray | memoryview) -> Frame:
    """Return the frame of a message that `encode_frame_columns` wrote.

    Its arrays are copies. Columns and header fields of other names are skipped.

    Raises:
        ColumnsError: it is cut short, of another form or version, or damaged.
    """
    view = memoryview(data).cast("B")
    header, begin = _header(view)
    size = _integer(header, "bytes", 0, _MOST)
    if len(view) - begin != size:
        raise ColumnsError(f"{size} bytes of columns announced, {len(view) - begin} are there")
    t = _integer(header, "t", -_MOST, _MOST)
    W, stride = _window(_member(header, "window", dict), t)
    columns = _Columns(view[begin:])
    nodes = _nodes(columns, _member(header, "nodes", dict))
    edges = _edges(columns, _member(header, "edges", dict), nodes.agent_id)
    events = _member(header, "events", dict)
    return Frame(
        t=t,
        W=W,
        stride=stride,
        nodes=nodes,
        edges=edges,
        bursts=_events(events, "bursts", np.int64),
        shocks=_events(events, "shocks", np.float64),
    )


def _header(view: memoryview) -> tuple[Entry, int]:
    if len(view) < PREFIX_BYTES:
        raise ColumnsError(f"{len(view)} bytes are no frame as columns, the prefix has 8")
    if (magic := bytes(view[:3])) != MAGIC:
        raise ColumnsError(f"not a frame as columns: it begins {magic!r}, not {MAGIC!r}")
    if view[3] != VERSION:
        raise ColumnsError(f"version {view[3]} of the columns, this decoder reads {VERSION}")
    begin = PREFIX_BYTES + int.from_bytes(view[4:8], "little")
    if begin > len(view) or begin % ALIGNMENT:
        raise ColumnsError(
            f"the header must end at a multiple of {ALIGNMENT} within the message's"
            f" {len(view)} bytes, not at {begin}"
        )
    try:
        header = orjson.loads(view[PREFIX_BYTES:begin])
    except orjson.JSONDecodeError as error:
        raise ColumnsError(f"the header is no JSON: {error}") from None
    if not isinstance(header, dict) or header.get("type") != "frame":
        raise ColumnsError("the header must be an object of type 'frame'")
    return header, begin


def _member(owner: Entry, name: str, kind: type) -> Any:
    """Return a field of the header, of its type exactly: true is no number."""
    value = owner.get(name)
    if type(value) is not kind:
        raise ColumnsError(f"{name} must be {_NAMES[kind]}, got {_shown(value)}")
    return value


_NAMES: Final = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}


def _integer(owner: Entry, name: str, least: int, most: int) -> int:
    value: int = _member(owner, name, int)
    if not least <= value <= most:
        raise ColumnsError(f"{name} must be within {least} to {most}, got {value}")
    return value


def _shown(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _window(window: Entry, t: int) -> tuple[int, int]:
    W, stride = _integer(window, "W", 1, _MOST_W), _integer(window, "stride", 1, _MOST)
    _integer(window, "t0", t - W + 1, t - W + 1)
    _integer(window, "t1", t, t)
    return W, stride


class _Columns:
    """Reads columns out of the data, each beyond the one before."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._end = 0

    def read(self, entry: Entry, count: int) -> Column:
        """Return a column as it is stored."""
        name, dtype = entry["name"], DTYPES.get(_member(entry, "dtype", str))
        if dtype is None:
            raise ColumnsError(f"{name}: unknown dtype {_shown(entry['dtype'])}")
        begin = _integer(entry, "offset", self._end, _MOST)
        self._end = begin + count * dtype.itemsize
        if begin % ALIGNMENT or self._end > len(self._data):
            raise ColumnsError(
                f"{name}: offset {begin} must be a multiple of {ALIGNMENT} with {count} values"
                f" behind it in the {len(self._data)} bytes of columns"
            )
        return np.frombuffer(self._data[begin : self._end], dtype=dtype)


def _entries(table: Entry, names: tuple[str, ...]) -> dict[str, Entry]:
    """Return the entries of the columns that are read here, by name, in the order of the header."""
    entries: dict[str, Entry] = {}
    seen: set[str] = set()
    for entry in _member(table, "columns", list):
        if not isinstance(entry, dict):
            raise ColumnsError(f"a column must be an object, got {_shown(entry)}")
        name = _member(entry, "name", str)
        if name in seen:
            raise ColumnsError(f"{name} is listed twice")
        seen.add(name)
        if name in names:
            entries[name] = entry
    if missing := set(names) - seen:
        raise ColumnsError(f"columns are missing: {', '.join(sorted(missing))}")
    return entries


def _nodes(columns: _Columns, table: Entry) -> Nodes:
    count = _integer(table, "count", 0, _MOST)
    read: dict[str, Column] = {}
    for name, entry in _entries(table, Nodes.__slots__).items():
        stored = columns.read(entry, count)
        if name == "agent_id":
            read[name] = _whole(name, stored, MAX_ID).astype(np.int64)
        elif name in COUNTS:
            read[name] = _whole(name, stored, _INT32).astype(np.int32)
        elif name in FIGURES:
            read[name] = _figures(entry, stored)
        else:
            read[name] = _codes(entry, stored, SIDE_VALUES)
    return Nodes(**read)


def _edges(columns: _Columns, table: Entry, agent_id: NDArray[np.int64]) -> Edges:
    count = _integer(table, "count", 0, _MOST)
    read: dict[str, Column] = {}
    for name, entry in _entries(table, ("src", "dst", "type", "w")).items():
        stored = columns.read(entry, count)
        if name == "type":
            read["kind"] = _codes(entry, stored, EDGE_VALUES)
        elif name == "w":
            read[name] = _figures(entry, stored)
        else:
            rows = _whole(name, stored, agent_id.size - 1).astype(np.int64)
            read[name] = agent_id[rows]
    return Edges(**read)


def _whole(name: str, stored: Column, most: int) -> Column:
    fine = (stored >= 0) & (stored <= most)
    if stored.dtype.kind == "f":
        fine &= stored == np.floor(stored)
    if not fine.all():
        wrong = stored[np.argmin(fine)]
        raise ColumnsError(f"{name} must be a whole number of 0 to {most}, got {wrong}")
    return stored


def _figures(entry: Entry, stored: Column) -> NDArray[np.float64]:
    if stored.dtype.name not in WHOLE:
        return stored.astype(np.float64)
    figures = np.divide(stored, _integer(entry, "per", 1, _MOST), dtype=np.float64)
    if "null" in entry:
        figures[stored == _integer(entry, "null", -_MOST, _MOST)] = np.nan
    return figures


def _codes(entry: Entry, stored: Column, known: list[str]) -> NDArray[np.int8]:
    """Return our own codes for what the column's codes stand for."""
    name, values = entry["name"], _member(entry, "values", list)
    codes = _whole(name, stored, len(values) - 1).astype(np.intp)
    used = values[: codes.max(initial=-1) + 1]
    if strange := [value for value in used if value not in known]:
        raise ColumnsError(f"{name}: unknown value {_shown(strange[0])}")
    return np.array([known.index(value) for value in used], dtype=np.int8)[codes]


def _events(events: Entry, name: str, dtype: type[np.int64 | np.float64]) -> Events:
    items = _member(events, name, list)
    whole = dtype is np.int64
    for item in items:
        if not isinstance(item, dict):
            raise ColumnsError(f"{name}: an event must be an object, got {_shown(item)}")
        _integer(item, "t", -_MOST, _MOST)
        _number(item, "value", whole=whole)
        _number(item, "score")
    values: NDArray[Any] = np.array([item["value"] for item in items], dtype=dtype)
    return Events(
        np.array([item["t"] for item in items], dtype=np.int64),
        values,
        np.array([item["score"] for item in items], dtype=np.float64),
    )


def _number(owner: Entry, name: str, *, whole: bool = False) -> None:
    value = owner.get(name)
    if whole:
        _integer(owner, name, -_MOST, _MOST)
    elif type(value) not in (int, float):
        raise ColumnsError(f"{name} must be a number, got {_shown(value)}")
