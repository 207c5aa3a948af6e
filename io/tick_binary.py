"""Raw ticks as columns of numbers, for producers with many agents; the layout is in docs/ingest.md.

A tick is a header of fixed form and five columns, each as it lies in memory: nothing is parsed
on either side, and in JavaScript a typed array lies over each column.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from marketcam.engine import MarketCameraError, TickError
from marketcam.engine.checks import check_lengths
from marketcam.engine.tick import POOL, MarketState, Tick, finite_number, tick_number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    Buffer: TypeAlias = "bytes | bytearray | memoryview"

__all__ = [
    "ALIGNMENT",
    "HEADER_BYTES",
    "MAGIC",
    "MOST_ROWS",
    "TickBinaryError",
    "decode_tick_binary",
    "encode_tick_binary",
    "split_ticks",
]

MAGIC: Final = b"MCT\x01"
"""How a tick begins: three letters and the version."""
ALIGNMENT: Final = 8
MOST_ROWS: Final = 2**26
"""Agents, or matches, of a tick at most."""

HAS_STATE: Final = 1
NARROW_IDS: Final = 2
NARROW_PAIRS: Final = 4
_KNOWN_FLAGS: Final = HAS_STATE | NARROW_IDS | NARROW_PAIRS

_HEADER: Final = struct.Struct("<4sIIIqdII")
_STATE: Final = struct.Struct("<4d")
HEADER_BYTES: Final = _HEADER.size
"""Bytes before the state, or the first column."""

_MOST_NARROW_ID: Final = 2**32 - 1
_MOST_NARROW_PAIR: Final = 2**31 - 1


class TickBinaryError(MarketCameraError, ValueError):
    """Bytes are no binary tick: cut short, of another form or version, or damaged."""


class _Header(NamedTuple):
    """The header of a tick, in its order."""

    magic: bytes
    flags: int
    size: int
    agents: int
    t: int
    mid: float
    matches: int
    reserved: int


def encode_tick_binary(tick: Tick) -> bytes:
    """Return a tick in the binary form; ticks may be joined, one behind the other.

    Ids and matches are written with 4 bytes each where that holds all of them.

    Raises:
        TickError: there are more than `MOST_ROWS` agents or matches, or the columns have not one
            entry an agent each.

    Cost: about 0.1 ms for 10,000 agents.
    """
    ids, pairs = tick.agent_id, tick.matches
    for name, count in (("agents", len(ids)), ("matches", len(pairs))):
        if count > MOST_ROWS:
            raise TickError(f"must be {MOST_ROWS} at most", t=tick.t, field=name, value=count)
    check_lengths(tick.t, tick.columns)
    flags = 0 if tick.state is None else HAS_STATE
    if _lies_within(ids, 0, _MOST_NARROW_ID):
        flags |= NARROW_IDS
    if _lies_within(pairs, POOL, _MOST_NARROW_PAIR):
        flags |= NARROW_PAIRS
    columns = (
        ids.astype(_id_type(flags), copy=False),
        tick.experience.astype("<f8", copy=False),
        tick.price.astype("<f8", copy=False),
        pairs.astype(_pair_type(flags), copy=False),
        tick.side,
    )
    pieces: list[bytes | memoryview] = []
    for column in columns:
        pieces.append(np.ascontiguousarray(column).tobytes())
        pieces.append(bytes(-column.nbytes % ALIGNMENT))
    state = b"" if tick.state is None else _STATE.pack(*tick.state)
    size = _HEADER.size + len(state) + sum(map(len, pieces))
    mid = math.nan if tick.mid is None else tick.mid
    header = _HEADER.pack(MAGIC, flags, size, len(ids), tick.t, mid, len(pairs), 0)
    return b"".join((header, state, *pieces))


def _lies_within(column: NDArray[np.int64], least: int, greatest: int) -> bool:
    return not column.size or bool(column.min() >= least and column.max() <= greatest)


def split_ticks(data: Buffer) -> Iterator[memoryview]:
    """Yield the ticks of a message, each as the bytes it says it has.

    What is in a tick is for `decode_tick_binary` to judge. Here it is only found where the next
    one begins.

    Raises:
        TickBinaryError: at this place there is no tick, or it does not end within the message;
            so nobody knows where a next one would be.
    """
    view = memoryview(data)
    place = 0
    while place < len(view):
        rest = view[place:]
        if len(rest) < HEADER_BYTES:
            raise TickBinaryError(
                f"byte {place}: a tick's header has {HEADER_BYTES} bytes, got {len(rest)}"
            )
        if bytes(rest[:4]) != MAGIC:
            raise TickBinaryError(
                f"byte {place}: a tick must begin with {MAGIC!r}, got {bytes(rest[:4])!r}"
            )
        size = int.from_bytes(rest[8:12], "little")
        if size % ALIGNMENT or not HEADER_BYTES <= size <= len(rest):
            raise TickBinaryError(
                f"byte {place}: a tick's size must be a multiple of {ALIGNMENT},"
                f" {HEADER_BYTES} to the {len(rest)} bytes that are there, got {size}"
            )
        yield rest[:size]
        place += size


def decode_tick_binary(data: Buffer) -> Tick:
    """Read one tick.

    Its columns lie in `data` where that can be written to, as in a `bytearray`; else in one copy of
    it, since kernels take writable arrays only. Values that the camera checks (ids, experiences,
    sides, prices, matches) are left to it; all else is checked here.

    Raises:
        TickBinaryError: the bytes are not just one tick of this version.
        TickError: its number, mid or state are not what they must be.

    Cost: 10 µs, and the copy, if any; ids and matches of 4 bytes are widened.
    """
    view = memoryview(data)
    if view.readonly:
        view = memoryview(bytearray(view))
    header = _header(view)
    t = tick_number(header.t)
    mid = None if math.isnan(header.mid) else finite_number(header.mid, "mid", t=t)
    place = HEADER_BYTES
    state = None
    if header.flags & HAS_STATE:
        values = _STATE.unpack_from(view, place)
        state = MarketState(
            *(
                finite_number(value, f"s.{name}", t=t)
                for name, value in zip(MarketState._fields, values, strict=True)
            )
        )
        place += _STATE.size
    columns = []
    for dtype, count in _columns(header):
        columns.append(np.frombuffer(view, dtype, count, place))
        place += _padded(columns[-1].nbytes)
    ids, experience, price, pairs, side = columns
    return Tick(
        t,
        mid,
        _widened(ids),
        experience,
        side,
        price,
        _widened(pairs).reshape(-1, 2),
        state,
    )


def _header(view: memoryview) -> _Header:
    """Read the header of a tick, and see that its parts add up to its bytes."""
    if len(view) < HEADER_BYTES:
        raise TickBinaryError(f"a tick's header has {HEADER_BYTES} bytes, got {len(view)}")
    header = _Header(*_HEADER.unpack_from(view))
    if header.magic != MAGIC:
        raise TickBinaryError(f"a tick must begin with {MAGIC!r}, got {header.magic!r}")
    if header.flags & ~_KNOWN_FLAGS or header.reserved:
        raise TickBinaryError(
            f"flags must be 0 to {_KNOWN_FLAGS} and the last field 0,"
            f" got {header.flags} and {header.reserved}"
        )
    for name, count in (("agents", header.agents), ("matches", header.matches)):
        if count > MOST_ROWS:
            raise TickBinaryError(f"{name} must be {MOST_ROWS} at most, got {count}")
    state = _STATE.size if header.flags & HAS_STATE else 0
    columns = sum(_padded(dtype.itemsize * count) for dtype, count in _columns(header))
    needed = HEADER_BYTES + state + columns
    if not needed == header.size == len(view):
        raise TickBinaryError(
            f"{header.agents} agents and {header.matches} matches with flags {header.flags} take"
            f" {needed} bytes, got a size of {header.size} and {len(view)} bytes"
        )
    return header


def _columns(header: _Header) -> tuple[tuple[np.dtype[Any], int], ...]:
    """Return the types and lengths of the columns, in their order."""
    return (
        (_id_type(header.flags), header.agents),
        (np.dtype("<f8"), header.agents),
        (np.dtype("<f8"), header.agents),
        (_pair_type(header.flags), 2 * header.matches),
        (np.dtype("i1"), header.agents),
    )


def _id_type(flags: int) -> np.dtype[Any]:
    return np.dtype("<u4" if flags & NARROW_IDS else "<i8")


def _pair_type(flags: int) -> np.dtype[Any]:
    return np.dtype("<i4" if flags & NARROW_PAIRS else "<i8")


def _widened(column: NDArray[Any]) -> NDArray[np.int64]:
    return column.astype(np.int64, copy=False)


def _padded(size: int) -> int:
    return size + -size % ALIGNMENT
