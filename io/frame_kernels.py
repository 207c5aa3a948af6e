"""Kernels that write the text of a frame, and find the rows of its edges.

Text is written in blocks that reach beyond what they are needed for; what is too much is
overwritten by what follows. So every target needs room for a block behind its end.
"""

from __future__ import annotations

import ctypes
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from marketcam.engine import EDGE_TYPES
from marketcam.engine.jit import INTERPRETED, kernel
from marketcam.engine.tick import SIDES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

__all__ = [
    "BLOCK",
    "LITERALS",
    "NAME_BYTES",
    "NO_ROW",
    "STAMP_BYTES",
    "UNWRITABLE",
    "rows_of",
    "write_frame",
]

BLOCK: Final = 64
NAME_BYTES: Final = 2 * BLOCK
STAMP_BYTES: Final = 5 * BLOCK
UNWRITABLE: Final = -1
NO_ROW: Final = -1

_PLAIN_BELOW: Final = 1e9
"""Up to here a double rounded to 6 decimals has at most 15 digits, which are its shortest text."""

_UNITS: Final = 1e6


# ---- memory ------------------------------------------------------------------------------------
# Text is written by address: handing arrays down to the smallest kernels counts references at every
# step, which took longer than the copying. frame_json.py says how much room a text may need, and a
# test holds that against the longest.


@intrinsic
def _copy_block(typing_context, target, source):  # type: ignore[no-untyped-def]
    """Copy 64 bytes between addresses as one load and one store."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = ir.VectorType(ir.IntType(8), BLOCK).as_pointer()
        copied = builder.load(builder.inttoptr(args[1], block), align=1)
        builder.store(copied, builder.inttoptr(args[0], block), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def _put_word(typing_context, target, word):  # type: ignore[no-untyped-def]
    """Write the low four bytes of a number, the lowest first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        low = ir.IntType(32)
        place = builder.inttoptr(args[0], low.as_pointer())
        builder.store(builder.trunc(args[1], low), place, align=1)
        return context.get_dummy_value()

    return types.void(types.intp, types.int64), generate


@intrinsic
def _address_of(typing_context, array):  # type: ignore[no-untyped-def]
    """Return where an array's values begin."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, context.get_value_type(types.intp))

    return types.intp(array), generate


def _copy_block_plainly(target: int, source: int) -> None:
    ctypes.memmove(int(target), int(source), BLOCK)


def _put_word_plainly(target: int, word: int) -> None:
    ctypes.memmove(int(target), int(word).to_bytes(8, "little"), 4)


def _address_plainly(array: NDArray[Any]) -> int:
    return array.ctypes.data


copy_block: Any = _copy_block_plainly if INTERPRETED else _copy_block
put_word: Any = _put_word_plainly if INTERPRETED else _put_word
address_of: Any = _address_plainly if INTERPRETED else _address_of


@kernel
def put_text(at: int, text: int, size: int) -> int:
    """Write a text of up to two blocks; return where it ends."""
    copy_block(at, text)
    if size > BLOCK:
        copy_block(at + BLOCK, text + BLOCK)
    return at + size


# ---- numbers -----------------------------------------------------------------------------------


def _groups() -> NDArray[np.int32]:
    """Return four bytes for each number below 1000: its three digits, and two lengths.

    The low half of the last byte is the length without leading zeros, the high half the length
    without trailing zeros; one digit stays in either.
    """
    table = np.empty((1000, 4), dtype=np.uint8)
    for number in range(1000):
        text = f"{number:03}"
        lengths = 16 * max(len(text.rstrip("0")), 1) + len(str(number))
        table[number] = (*text.encode(), lengths)
    return table.view("<i4").ravel().astype(np.int32)


_GROUPS: Final = _groups()
_MINUS, _POINT = (ord(sign) for sign in "-.")
_NULL, _MILLIONTH = (int.from_bytes(text, "little") for text in (b"null", b"0e-6"))


@kernel
def put_leading(at: int, number: int) -> int:
    """Write a number below 1000 without leading zeros; return where it ends."""
    group = int(_GROUPS[number])
    size = (group >> 24) & 15
    put_word(at, group >> (8 * (3 - size)))
    return at + size


@kernel
def put_integer(at: int, value: int) -> int:
    """Write a whole number from 0; return where it ends."""
    if value < 1000:
        return put_leading(at, value)
    if value < 1000000:
        at = put_leading(at, value // 1000)
        put_word(at, _GROUPS[value % 1000])
        return at + 3
    power = 1000000
    while value // power >= 1000:
        power *= 1000
    at = put_leading(at, value // power)
    while power > 1:
        power //= 1000
        put_word(at, _GROUPS[value // power % 1000])
        at += 3
    return at


@kernel
def put_signed(at: int, value: int) -> int:
    """Write a whole number; return where it ends."""
    if value < 0:
        put_word(at, _MINUS)
        return put_integer(at + 1, -value)
    return put_integer(at, value)


@kernel
def put_millionths(at: int, value: float) -> int:
    """Write a number rounded to 6 decimals as its shortest text; return where it ends."""
    if value < 0.0:
        put_word(at, _MINUS)
        at += 1
        value = -value
    millionths = int(np.rint(value * _UNITS))
    whole = millionths // 1000000
    fraction = millionths - 1000000 * whole
    if whole == 0 and 0 < fraction < 10:  # orjson turns to exponents below 1e-5
        put_word(at, _MILLIONTH + fraction)
        return at + 4
    at = put_integer(at, whole)
    put_word(at, _POINT)
    upper = fraction // 1000
    lower = fraction - 1000 * upper
    put_word(at + 1, _GROUPS[upper])
    if lower == 0:
        return at + 1 + (int(_GROUPS[upper]) >> 28)
    put_word(at + 4, _GROUPS[lower])
    return at + 4 + (int(_GROUPS[lower]) >> 28)


@kernel
def put_figure(at: int, value: float) -> int:
    """Write a figure, NaN as null; return where it ends."""
    if math.isnan(value):
        put_word(at, _NULL)
        return at + 4
    return put_millionths(at, value)


# ---- a frame -----------------------------------------------------------------------------------


def _slots(texts: tuple[str, ...]) -> tuple[Bytes, NDArray[np.int64]]:
    """Return texts at the beginnings of blocks, and their lengths."""
    joined = "".join(text.ljust(BLOCK, "\0") for text in texts).encode()
    return np.frombuffer(joined, dtype=np.uint8), np.array([len(text) for text in texts])


LITERALS: Final = _slots((
    '{"node_id":"agent:',
    '","agent_id":',
    ',"sell_count":',
    ',"none_count":',
    ',"match_count":',
    ',"match_rate":',
    ',"quote_price_mean":',
    ',"quote_price_std":',
    ',"quote_dist_to_mid_mean":',
    ',"experience_start":',
    ',"experience_end":',
    ',"experience_delta":',
    *(f',"dominant_side":"{side}"}}}},' for side in SIDES),
    '","dst":"agent:',
    *(f'","type":"{name}","w":' for name in EDGE_TYPES),
    '},{"src":"agent:',
    '],"edges":[{"src":"agent:',
    ',"t0":',
    ',"t1":',
    ',"features":{"buy_count":',
))  # fmt: skip
"""What a frame's text repeats, in the order in which a node and then an edge need it."""

_NODE_ID, _AGENT_ID, _SELL, _NONE, _MATCH, _RATE = range(6)
_MEAN, _STD, _DIST, _START, _END, _DELTA = range(6, 12)
_MOST: Final = 2**63 - 1
_AT_T: Final = int.from_bytes(b"@t:", "little")
_DOMINANT: Final = 12
_SIDES, _TYPES = len(SIDES), len(EDGE_TYPES)
_DST: Final = _DOMINANT + _SIDES
_KIND: Final = _DST + 1
_NEXT: Final = _KIND + _TYPES
_EDGES, _T0, _T1, _FEATURES = range(_NEXT + 1, _NEXT + 5)


@kernel
def write_frame(
    text: Bytes,
    scratch: tuple[Bytes, Bytes, NDArray[np.int32]],
    literals: tuple[Bytes, NDArray[np.int64]],
    t0: int,
    t1: int,
    nodes: tuple[Any, ...],
    edges: tuple[Any, ...],
) -> int:
    """Write the nodes and edges of a frame, from inside the list of nodes to inside that of edges.

    Args:
        text: uint8, where to write, with room for everything and a block more.
        scratch: uint8[`STAMP_BYTES`]; uint8[nodes * `NAME_BYTES` + a block] and int32[nodes], for
            the node names that edges repeat.
        literals: `LITERALS`.
        t0: first tick of the window.
        t1: last tick of the window.
        nodes: the columns of `Nodes`, in their order; figures NaN where null.
        edges: the columns of `Edges`, in their order.

    Returns:
        The length of the text, or -1: a figure is too large, a whole number negative, a code none
        that there is, or an edge leads to no node.
    """
    if not writable(nodes, edges):
        return UNWRITABLE
    begin = address_of(text)
    lengths = write_stamps(address_of(scratch[0]), literals, t0, t1)
    at = write_nodes(begin, scratch, literals, lengths, nodes)
    if at > begin:
        at -= 1  # the comma after the last
    at = write_edges(at, scratch, literals, nodes[0], edges)
    return UNWRITABLE if at == UNWRITABLE else at - begin


@kernel
def writable(nodes: tuple[Any, ...], edges: tuple[Any, ...]) -> bool:
    """Tell whether all numbers are such as can be written, and all codes such as there are."""
    agent_id, buys, sells, nones, matches = nodes[:5]
    for counts in (buys, sells, nones, matches):
        if any_outside(counts, _MOST):
            return False
    for figures in nodes[5:12]:
        if any_beyond(figures):
            return False
    return not (
        any_outside(agent_id, _MOST)
        or any_outside(nodes[12], _SIDES)
        or any_outside(edges[2], _TYPES)
        or any_beyond(edges[3])
    )


@kernel
def any_outside(values: NDArray[Any], limit: int) -> bool:
    """Tell whether a whole number is negative, or no less than a limit."""
    outside = False
    for k in range(values.size):
        outside |= (values[k] < 0) | (values[k] >= limit)
    return outside


@kernel
def any_beyond(figures: NDArray[np.float64]) -> bool:
    """Tell whether a figure is too large for `put_figure`."""
    beyond = False
    for k in range(figures.size):
        beyond |= abs(figures[k]) >= _PLAIN_BELOW
    return beyond


@kernel
def write_stamps(
    stamp: int, literals: tuple[Bytes, NDArray[np.int64]], t0: int, t1: int
) -> tuple[int, int, int]:
    """Write what follows an id: in a node's name and behind it, and where it stands as a number.

    Each gets two blocks. Returns the length of the first up to the end of the name, its whole
    length, and the length of the second.
    """
    text, size = address_of(literals[0]), literals[1]
    put_word(stamp, _AT_T)
    at = put_signed(stamp + 3, t0)
    put_word(at, _MINUS)
    name_end = put_signed(at + 1, t1)
    end = put_text(name_end, text + _AGENT_ID * BLOCK, size[_AGENT_ID])
    second = stamp + 2 * BLOCK
    at = put_text(second, text + _T0 * BLOCK, size[_T0])
    at = put_text(put_signed(at, t0), text + _T1 * BLOCK, size[_T1])
    at = put_text(put_signed(at, t1), text + _FEATURES * BLOCK, size[_FEATURES])
    return name_end - stamp, end - stamp, at - second


@kernel
def write_nodes(
    at: int,
    scratch: tuple[Bytes, Bytes, NDArray[np.int32]],
    literals: tuple[Bytes, NDArray[np.int64]],
    stamp_lengths: tuple[int, int, int],
    nodes: tuple[Any, ...],
) -> int:
    """Write the nodes, each followed by a comma; return where they end."""
    text, size = address_of(literals[0]), literals[1]
    stamp, name, name_length = address_of(scratch[0]), address_of(scratch[1]), scratch[2]
    stamp_name, stamp_id, stamp_features = stamp_lengths
    agent_id, buys, sells, nones, matches, rate, mean, std, dist, start, end, delta, side = nodes
    for k in range(agent_id.size):
        begin = put_text(at, text + _NODE_ID * BLOCK, size[_NODE_ID])
        at = put_integer(begin, agent_id[k])
        digits = at - begin
        at = put_text(at, stamp, stamp_id)
        name_length[k] = digits + stamp_name
        behind = put_text(name, begin, digits + stamp_name)
        put_text(behind, text + _DST * BLOCK, size[_DST])
        name += NAME_BYTES
        copy_block(at, begin)  # the id once more
        at = put_text(at + digits, stamp + 2 * BLOCK, stamp_features)
        at = put_integer(at, int(buys[k]))
        at = put_integer(put_text(at, text + _SELL * BLOCK, size[_SELL]), int(sells[k]))
        at = put_integer(put_text(at, text + _NONE * BLOCK, size[_NONE]), int(nones[k]))
        at = put_integer(put_text(at, text + _MATCH * BLOCK, size[_MATCH]), int(matches[k]))
        at = put_figure(put_text(at, text + _RATE * BLOCK, size[_RATE]), rate[k])
        at = put_figure(put_text(at, text + _MEAN * BLOCK, size[_MEAN]), mean[k])
        at = put_figure(put_text(at, text + _STD * BLOCK, size[_STD]), std[k])
        at = put_figure(put_text(at, text + _DIST * BLOCK, size[_DIST]), dist[k])
        at = put_figure(put_text(at, text + _START * BLOCK, size[_START]), start[k])
        at = put_figure(put_text(at, text + _END * BLOCK, size[_END]), end[k])
        at = put_figure(put_text(at, text + _DELTA * BLOCK, size[_DELTA]), delta[k])
        which = _DOMINANT + int(side[k])
        at = put_text(at, text + which * BLOCK, size[which])
    return at


@kernel
def write_edges(
    at: int,
    scratch: tuple[Bytes, Bytes, NDArray[np.int32]],
    literals: tuple[Bytes, NDArray[np.int64]],
    agent_id: NDArray[np.int64],
    edges: tuple[Any, ...],
) -> int:
    """Write the edges, from the end of the nodes on; return where they end, or -1."""
    text, size = address_of(literals[0]), literals[1]
    names, name_length = address_of(scratch[1]), scratch[2]
    src, dst, kind, w = edges
    at = put_text(at, text + _EDGES * BLOCK, size[_EDGES])
    if src.size == 0:
        return int(at + 2 - size[_NEXT])
    to_dst, to_next, next_edge = size[_DST], size[_NEXT], text + _NEXT * BLOCK
    weight_at = weight_size = 0
    weight = math.nan
    for k in range(src.size):
        row = row_of(agent_id, src[k])
        other = row_of(agent_id, dst[k])
        if row < 0 or other < 0:
            return UNWRITABLE
        at = put_text(at, names + row * NAME_BYTES, int(name_length[row]) + to_dst)
        at = put_text(at, names + other * NAME_BYTES, int(name_length[other]))
        which = _KIND + int(kind[k])
        at = put_text(at, text + which * BLOCK, size[which])
        if w[k] == weight:  # as most are, listed by weight
            copy_block(at, weight_at)
            at += weight_size
        else:
            weight_at, weight = at, w[k]
            at = put_text(put_figure(at, weight), next_edge, to_next)
            weight_size = at - weight_at
    return int(at + 1 - to_next)


# ---- rows ----------------------------------------------------------------------------------------


@kernel
def rows_of(agent_id: NDArray[np.int64], ids: NDArray[np.int64], rows: NDArray[np.int32]) -> int:
    """Write the row of each id among ascending distinct ids; return the first without one, or -1.

    Cost: O(1) an id where ids are nearly without holes, O(log n) where they are sparse.
    """
    for k in range(ids.size):
        row = row_of(agent_id, ids[k])
        if row == NO_ROW:
            return k
        rows[k] = row
    return -1


@kernel
def row_of(agent_id: NDArray[np.int64], wanted: int) -> int:
    """Return the row of an id, or -1."""
    high = agent_id.size - 1
    if high < 0 or wanted < agent_id[0] or wanted > agent_id[high]:
        return NO_ROW
    # Distinct whole numbers: row k holds agent_id[0] + k at least.
    furthest = wanted - agent_id[0]
    high = min(high, furthest)
    if agent_id[high] == wanted:
        return int(high)
    low = 0
    while low < high:
        middle = (low + high) // 2
        if agent_id[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return int(low) if agent_id[low] == wanted else NO_ROW
