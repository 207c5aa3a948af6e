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
from marketcam.io.columns_kernels import extent, to_units
from marketcam.io.frame_kernels import rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.engine import Frame, Nodes

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

    def add(self, name: str, stored: NDArray[Any], dtype: str, **reading: Any) -> Entry:
        """Append a column in a type that holds it; return its entry in the header."""
        column = np.ascontiguousarray(stored, dtype=DTYPES[dtype])
        gap = -column.nbytes % ALIGNMENT
        entry = {"name": name, "dtype": dtype, "offset": self.size, **reading}
        self.pieces += (column.data, bytes(gap))
        self.size += column.nbytes + gap
        return entry


def _add_nodes(data: _Data, nodes: Nodes) -> list[Entry]:
    scratch = np.empty(len(nodes))
    return [
        _add_whole(data, "agent_id", nodes.agent_id),
        *(_add_whole(data, name, getattr(nodes, name)) for name in COUNTS),
        *(_add_figures(data, name, getattr(nodes, name), scratch) for name in FIGURES),
        data.add("dominant_side", nodes.dominant_side, "uint8", values=SIDE_VALUES),
    ]


def _add_edges(data: _Data, frame: Frame) -> list[Entry]:
    edges = frame.edges
    return [
        _add_whole(data, "src", _rows(frame, "src", edges.src)),
        _add_whole(data, "dst", _rows(frame, "dst", edges.dst)),
        data.add("type", edges.kind, "uint8", values=EDGE_VALUES),
        _add_figures(data, "w", edges.w, np.empty(len(edges))),
    ]


def _rows(frame: Frame, name: str, ids: NDArray[np.int64]) -> NDArray[np.int32]:
    rows = np.empty(ids.size, dtype=np.int32)
    lost = rows_of(frame.nodes.agent_id, ids, rows)
    if lost >= 0:
        raise ValueError(f"edge {lost}: {name} {ids[lost]} is no node of the frame")
    return rows


def _add_whole(data: _Data, name: str, values: NDArray[np.int64] | NDArray[np.int32]) -> Entry:
    """Store whole numbers; beyond 32 bits as float64, which holds all up to 2**53."""
    return data.add(name, values, _smallest(*extent(values)) or "float64")


def _add_figures(
    data: _Data, name: str, values: NDArray[np.float64], scratch: NDArray[np.float64]
) -> Entry:
    """Store figures as whole millionths if that is exact; otherwise as they are."""
    least, greatest, nulls = to_units(values, scratch)
    dtype = _smallest(int(least), int(greatest), null=nulls > 0) if least <= greatest else None
    if dtype is None:
        return data.add(name, values, "float64")
    if not nulls:
        return data.add(name, scratch, dtype, per=UNITS)
    null = _null_of(dtype)
    scratch[np.isnan(values)] = null
    return data.add(name, scratch, dtype, per=UNITS, null=null)


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
