"""Steps of 64 bytes or 64 counts at once, spelled out in LLVM's vector types.

From plain loops LLVM keeps one running sum in a register, not a row of them, and loads and stores
the sums again at every tick. Each step here has a plain twin beside it, which runs where kernels
are interpreted. None checks bounds.

`change_row` takes about 19 instructions a tick and 192 pairs (for each 64: a subtraction, a
comparison, the mask turned into bytes, another subtraction) where registers have 512 bits: 13 to
15 ps a pair and tick at 2.6 GHz. Making LLVM add under the mask instead, one instruction less for
each 64 pairs, was tried and no faster. Nor is memory the limit: of the 17 to 22 ms that 20 ticks
take at 10,000 agents, reading and writing the 100 MB of counts takes 5 to 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from marketcam.engine.jit import INTERPRETED

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FEW_LANES",
    "LANES",
    "SIDE",
    "change_close",
    "change_row",
    "fill_block",
    "lanes_from",
    "lowest_lane",
]

LANES: Final = 64
"""Bytes to an AVX-512 register; LLVM cuts them in two or four where registers are narrower."""

SIDE: Final = 3 * LANES
"""Counts to a row of a tile: the most lanes whose ranks, and one value more, fit into a byte."""

FEW_LANES: Final = 16
"""Prices that are compared at once: two registers of doubles, so that few are compared in vain."""

# Without types of their own: numba's helpers for code generation have none.
_helpers: Any = cgutils
_types: Any = types

_VECTORS: Final = SIDE // LANES

_BYTE = ir.IntType(8)
_WORD = ir.IntType(16)
_BYTES = ir.VectorType(_BYTE, LANES)
_WORDS = ir.VectorType(_WORD, LANES)
_FEW_WORDS = ir.VectorType(_WORD, FEW_LANES)
_PRICE = ir.DoubleType()
_PRICES = ir.VectorType(_PRICE, FEW_LANES)


def _address(context: Any, builder: Any, array: tuple[Any, Any], index: Any, pointee: Any) -> Any:
    """Return the address of the element of a C-contiguous array at a flat index."""
    value, array_type = array
    data = context.make_array(array_type)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [index]), pointee.as_pointer())


def _splat(builder: Any, scalar: Any, vector: Any) -> Any:
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, _int32(0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), lanes)


def _greatest(builder: Any, words: Any) -> Any:
    reduction = ir.FunctionType(_WORD, [words.type])
    name = f"llvm.vector.reduce.umax.v{words.type.count}i16"
    reduce = _helpers.get_or_insert_function(builder.module, reduction, name)
    return builder.call(reduce, [words])


def _int32(value: int) -> Any:
    return ir.Constant(ir.IntType(32), value)


def _int64(value: int) -> Any:
    return ir.Constant(ir.IntType(64), value)


def _all(vector: Any, value: int) -> Any:
    return ir.Constant(vector, [value] * vector.count)


# ---- filling -------------------------------------------------------------------------------------


@intrinsic
def _fill_block(typing_context, target, at, value):  # type: ignore[no-untyped-def]
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _address(context, builder, (args[0], signature.args[0]), args[1], _BYTES)
        byte = builder.trunc(args[2], _BYTE)
        builder.store(_splat(builder, byte, _BYTES), place, align=1)
        return context.get_dummy_value()

    return types.void(target, types.int64, types.int64), generate


def _fill_block_plainly(target: NDArray[np.uint8], at: int, value: int) -> None:
    target[at : at + LANES] = value


# ---- counting ------------------------------------------------------------------------------------


@intrinsic
def _change_row(typing_context, counts, row, place, reach, ticks):  # type: ignore[no-untyped-def]
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table, places, reaches = ((args[k], signature.args[k]) for k in (0, 2, 3))
        at, first, column = (builder.extract_value(args[1], k) for k in range(3))
        n_added, n = (builder.extract_value(args[4], k) for k in range(2))
        strides = context.make_array(reaches[1])(context, builder, reaches[0]).strides
        stride = builder.extract_value(strides, 0)
        sums = [_helpers.alloca_once_value(builder, _all(_BYTES, 0)) for _ in range(_VECTORS)]

        def count(begin: Any, end: Any, step: int) -> None:
            with _helpers.for_range_slice(builder, begin, end, _int64(1)) as (k, _):
                pair = builder.add(builder.mul(k, stride), builder.shl(column, _int64(1)))
                low = _address(context, builder, reaches, pair, _BYTE)
                lows = _splat(builder, builder.load(low), _BYTES)
                highs = _splat(builder, builder.load(builder.gep(low, [_int64(1)])), _BYTES)
                width = builder.sub(highs, lows)
                for vector, total in enumerate(sums):
                    lane = builder.add(builder.mul(k, _int64(SIDE)), _int64(vector * LANES))
                    lanes = _address(context, builder, places, lane, _BYTES)
                    below = builder.sub(highs, builder.load(lanes, align=1))
                    within = builder.icmp_unsigned("<", below, width)
                    before = builder.load(total)
                    after = builder.add(before, _all(_BYTES, step))
                    builder.store(builder.select(within, after, before), total)

        count(_int64(0), n_added, 1)
        count(n_added, n, 0xFF)
        greatest = _all(_WORDS, 0)
        begin = _splat(builder, builder.trunc(first, _BYTE), _BYTES)
        for vector, total in enumerate(sums):
            lane = builder.add(at, _int64(vector * LANES))
            address = _address(context, builder, table, lane, _WORDS)
            change = builder.sext(builder.load(total), _WORDS)
            changed = builder.add(builder.load(address, align=2), change)
            numbers = ir.Constant(_BYTES, [*range(vector * LANES, (vector + 1) * LANES)])
            kept = builder.icmp_unsigned(">=", numbers, begin)
            changed = builder.select(kept, changed, _all(_WORDS, 0))
            builder.store(changed, address, align=2)
            more = builder.icmp_unsigned(">", changed, greatest)
            greatest = builder.select(more, changed, greatest)
        return builder.zext(_greatest(builder, greatest), ir.IntType(64))

    three, two = _types.UniTuple(types.int64, 3), _types.UniTuple(types.int64, 2)
    return types.int64(counts, three, place, reach, two), generate


def _change_row_plainly(
    counts: NDArray[np.uint16],
    row: tuple[int, int, int],
    place: NDArray[np.uint8],
    reach: NDArray[np.uint8],
    ticks: tuple[int, int],
) -> int:
    at, first, column = row
    n_added, n = ticks
    lanes = counts[at : at + SIDE]
    for k in range(n):
        low, high = reach[k, 2 * column], reach[k, 2 * column + 1]
        within = (high - place[k]) < high - low
        lanes += within if k < n_added else within * np.uint16(0xFFFF)
    lanes[:first] = 0
    return int(lanes.max())


@intrinsic
def _change_close(typing_context, counts, row, prices, eps, ticks):  # type: ignore[no-untyped-def]
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table, by_tick, reach = ((args[k], signature.args[k]) for k in (0, 2, 3))
        at, left, column, first = (builder.extract_value(args[1], k) for k in range(4))
        n_added, n = (builder.extract_value(args[4], k) for k in range(2))
        strides = context.make_array(by_tick[1])(context, builder, by_tick[0]).strides
        stride = builder.sdiv(builder.extract_value(strides, 0), _int64(8))
        unary = ir.FunctionType(_PRICES, [_PRICES])
        name = f"llvm.fabs.v{FEW_LANES}f64"
        size = _helpers.get_or_insert_function(builder.module, unary, name)
        total = _helpers.alloca_once_value(builder, _all(_FEW_WORDS, 0))

        def count(begin: Any, end: Any, step: int) -> None:
            with _helpers.for_range_slice(builder, begin, end, _int64(1)) as (k, _):
                tick = builder.mul(k, stride)
                mine = _address(context, builder, by_tick, builder.add(tick, column), _PRICE)
                lanes = _address(context, builder, by_tick, builder.add(tick, left), _PRICES)
                within = _address(context, builder, reach, k, _PRICE)
                price = _splat(builder, builder.load(mine), _PRICES)
                apart = builder.fsub(builder.load(lanes, align=8), price)
                limit = _splat(builder, builder.load(within), _PRICES)
                close = builder.fcmp_ordered("<=", builder.call(size, [apart]), limit)
                before = builder.load(total)
                after = builder.add(before, _all(_FEW_WORDS, step))
                builder.store(builder.select(close, after, before), total)

        count(_int64(0), n_added, 1)
        count(n_added, n, 0xFFFF)
        address = _address(context, builder, table, at, _FEW_WORDS)
        changed = builder.add(builder.load(address, align=2), builder.load(total))
        numbers = ir.Constant(_FEW_WORDS, [*range(FEW_LANES)])
        begin = _splat(builder, builder.trunc(first, _WORD), _FEW_WORDS)
        kept = builder.icmp_signed(">=", numbers, begin)
        changed = builder.select(kept, changed, _all(_FEW_WORDS, 0))
        builder.store(changed, address, align=2)
        return builder.zext(_greatest(builder, changed), ir.IntType(64))

    four, two = _types.UniTuple(types.int64, 4), _types.UniTuple(types.int64, 2)
    return types.int64(counts, four, prices, eps, two), generate


def _change_close_plainly(
    counts: NDArray[np.uint16],
    row: tuple[int, int, int, int],
    prices: NDArray[np.float64],
    eps: NDArray[np.float64],
    ticks: tuple[int, int],
) -> int:
    at, left, column, first = row
    n_added, n = ticks
    lanes = counts[at : at + FEW_LANES]
    for k in range(n):
        close = np.abs(prices[k, left : left + FEW_LANES] - prices[k, column]) <= eps[k]
        lanes += close if k < n_added else close * np.uint16(0xFFFF)
    lanes[: max(0, first)] = 0
    return int(lanes.max())


# ---- finding -------------------------------------------------------------------------------------


@intrinsic
def _lanes_from(typing_context, counts, at, least):  # type: ignore[no-untyped-def]
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _address(context, builder, (args[0], signature.args[0]), args[1], _WORDS)
        least = _splat(builder, builder.trunc(args[2], _WORD), _WORDS)
        reached = builder.icmp_unsigned(">=", builder.load(place, align=2), least)
        return builder.bitcast(reached, ir.IntType(64))

    return types.uint64(counts, types.int64, types.int64), generate


def _lanes_from_plainly(counts: NDArray[np.uint16], at: int, least: int) -> np.uint64:
    reached = counts.reshape(-1)[at : at + LANES] >= least
    return np.packbits(reached, bitorder="little").view(np.uint64)[0]  # type: ignore[no-any-return]


@intrinsic
def _lowest_lane(typing_context, lanes):  # type: ignore[no-untyped-def]
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


def _lowest_lane_plainly(lanes: np.uint64) -> int:
    return (int(lanes) & -int(lanes)).bit_length() - 1


fill_block: Any = _fill_block_plainly if INTERPRETED else _fill_block
change_close: Any = _change_close_plainly if INTERPRETED else _change_close
change_row: Any = _change_row_plainly if INTERPRETED else _change_row
lanes_from: Any = _lanes_from_plainly if INTERPRETED else _lanes_from
lowest_lane: Any = _lowest_lane_plainly if INTERPRETED else _lowest_lane
