"""Frames as columns: one array a feature in place of one JSON object a node.

A message is a short prefix, a JSON header that says where each column lies and how to read it, and
the columns. The layout is described in docs/columns.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from marketcam.io.columns_form import (
    ALIGNMENT,
    COUNTS,
    DTYPES,
    EDGE_VALUES,
    FIGURES,
    MAGIC,
    SIDE_VALUES,
    UNITS,
    VERSION,
    WHOLE,
)
from marketcam.io.frame_kernels import rows_of, to_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine import Frame, Nodes

    Column = NDArray[Any]
    Entry = dict[str, Any]

__all__ = ["encode_frame_columns"]

_RANGES = {name: (int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in WHOLE}


def encode_frame_columns(frame: Frame) -> bytes:
    """Return a frame as columns, in the layout of docs/columns.md.

    It holds exactly the numbers of the frame: `decode_frame_columns` gives them back to the bit.

    Raises:
        ValueError: an edge leads to an agent that is no node of the frame.
    """
    data = _Data()
    nodes = {"count": len(frame.nodes), "columns": _add_nodes(data, frame.nodes)}
    edges = {"count": len(frame.edges), "columns": _add_edges(data, frame)}
    header = orjson.dumps({
        "type": "frame",
        "t": frame.t,
        "window": {"W": frame.W, "t0": frame.t0, "t1": frame.t1, "stride": frame.stride},
        "bytes": data.size,
        "nodes": nodes,
        "edges": edges,
        "events": {"bursts": frame.bursts.to_list(), "shocks": frame.shocks.to_list()},
    })  # fmt: skip
    header += b" " * (-len(header) % ALIGNMENT)
    prefix = MAGIC + bytes([VERSION]) + len(header).to_bytes(4, "little")
    return b"".join((prefix, header, *data.pieces))


class _Data:
    """The columns of a message, one after the other."""

    def __init__(self) -> None:
        self.pieces: list[memoryview | bytes] = []
        self.size = 0

    def add(self, name: str, column: Column, **reading: Any) -> Entry:
        """Append a column; return its entry in the header."""
        entry = {"name": name, "dtype": column.dtype.name, "offset": self.size, **reading}
        self.pieces += (column.data, bytes(-column.nbytes % ALIGNMENT))
        self.size += column.nbytes + -column.nbytes % ALIGNMENT
        return entry


def _add_nodes(data: _Data, nodes: Nodes) -> list[Entry]:
    n = len(nodes)
    scratch = np.empty(n)
    return [
        data.add("agent_id", _whole(nodes.agent_id)),
        *(data.add(name, _whole(getattr(nodes, name))) for name in COUNTS),
        *(_add_figures(data, name, getattr(nodes, name), scratch) for name in FIGURES),
        data.add("dominant_side", _as(nodes.dominant_side, "uint8"), values=SIDE_VALUES),
    ]


def _add_edges(data: _Data, frame: Frame) -> list[Entry]:
    edges = frame.edges
    return [
        data.add("src", _whole(_rows(frame, "src", edges.src))),
        data.add("dst", _whole(_rows(frame, "dst", edges.dst))),
        data.add("type", _as(edges.kind, "uint8"), values=EDGE_VALUES),
        _add_figures(data, "w", edges.w, np.empty(len(edges))),
    ]


def _rows(frame: Frame, name: str, ids: NDArray[np.int64]) -> NDArray[np.int32]:
    rows = np.empty(ids.size, dtype=np.int32)
    lost = rows_of(frame.nodes.agent_id, ids, rows)
    if lost >= 0:
        raise ValueError(f"edge {lost}: {name} {ids[lost]} is no node of the frame")
    return rows


def _add_figures(
    data: _Data, name: str, values: NDArray[np.float64], scratch: NDArray[np.float64]
) -> Entry:
    least, greatest, nulls = to_units(values, scratch)
    dtype = _smallest(int(least), int(greatest), null=nulls > 0) if least <= greatest else None
    if dtype is None:
        return data.add(name, _as(values, "float64"))
    if not nulls:
        return data.add(name, _as(scratch, dtype), per=UNITS)
    null = _null_of(dtype)
    scratch[np.isnan(values)] = null
    return data.add(name, _as(scratch, dtype), per=UNITS, null=null)


def _whole(values: NDArray[np.int64] | NDArray[np.int32]) -> Column:
    """Return whole numbers in the smallest type that holds them; beyond 32 bits as float64."""
    if values.size == 0:
        return _as(values, "uint8")
    return _as(values, _smallest(int(values.min()), int(values.max())) or "float64")


def _smallest(least: int, greatest: int, *, null: bool = False) -> str | None:
    """Return the smallest whole type for a range of numbers, and for null beside them."""
    for name, (lowest, highest) in _RANGES.items():
        room_below = null and lowest < 0
        room_above = null and lowest == 0
        if lowest + room_below <= least and greatest <= highest - room_above:
            return name
    return None


def _null_of(dtype: str) -> int:
    lowest, highest = _RANGES[dtype]
    return lowest or highest


def _as(values: Column, dtype: str) -> Column:
    return np.ascontiguousarray(values, dtype=DTYPES[dtype])
