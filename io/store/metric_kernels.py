"""Kernels that read the numbers of recorded metrics, and draw many of them together.

A *row* is what metrics of some ticks come to: the tick of the last of them, and of each figure the
least, the greatest and the last value. That of one metric has its values in all three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FIGURES", "FORM", "FORM_STARTS", "NO_TICK", "fold_rows", "read_metrics", "thin_rows"]

FIGURES: Final = (
    "price_norm",
    "volatility",
    "liquidity",
    "imbalance",
    "N",
    "avg_exp",
    "matches_n",
)
"""The figures of a metric, in the order of its text."""

NO_TICK: Final = -(2**63)
"""In place of a tick, where a row is of none."""

_PARTS: Final = (
    b'{"type":"metric","t":',
    b',"s":{"price_norm":',
    b',"volatility":',
    b',"liquidity":',
    b',"imbalance":',
    b'},"N":',
    b',"avg_exp":',
    b',"matches_n":',
    b"}\n",
)
FORM: Final = np.frombuffer(b"".join(_PARTS), np.uint8)
"""uint8: what stands between the numbers of a metric's line, all of it joined."""

FORM_STARTS: Final = np.cumsum([0, *map(len, _PARTS)], dtype=np.int64)
"""int64[10]: where each part of it begins, and where the last ends."""

_ZERO, _NINE, _MINUS, _PLUS, _POINT = 48, 57, 45, 43, 46
_SMALL_E, _LARGE_E = 101, 69
_EXACT_DIGITS: Final = 15
_EXACT_POWER: Final = 22
_POWERS: Final = np.array([float(f"1e{n}") for n in range(_EXACT_POWER + 1)])


@kernel
def read_metrics(
    text: NDArray[np.uint8],
    at: int,
    form: NDArray[np.uint8],
    starts: NDArray[np.int64],
    t: NDArray[np.int64],
    values: NDArray[np.float64],
) -> tuple[int, int]:
    """Read whole lines of metrics from a place on; return how many, and where it stopped.

    It stops at the end, when `t` is full, and at a line in another form than the one in which the
    camera writes them: more digits than a float is exact for, spaces, another order.

    Args:
        text: uint8[n], lines with their ends.
        at: where to begin.
        form: `FORM`.
        starts: `FORM_STARTS`.
        t: int64[m], takes the ticks.
        values: float64[m, 7], takes the figures; each is the float that its text means, exactly.

    Cost: 0.3 µs a line.
    """
    count = 0
    last = starts.size - 2
    while at < text.size and count < t.size:
        k = at
        for part in range(last):
            k = _behind(text, k, form[starts[part] : starts[part + 1]])
            if k < 0:
                return count, at
            value, k, is_exact = _number(text, k)
            if not is_exact:
                return count, at
            if part == 0:
                t[count] = np.int64(value)
            else:
                values[count, part - 1] = value
        k = _behind(text, k, form[starts[last] : starts[last + 1]])
        if k < 0:
            return count, at
        at = k
        count += 1
    return count, at


@kernel
def _behind(text: NDArray[np.uint8], k: int, part: NDArray[np.uint8]) -> int:
    """Return the place behind a part of the form, -1 where that does not stand here."""
    if k + part.size > text.size:
        return -1
    here = text[k : k + part.size]
    differs = np.uint8(0)
    for j in range(part.size):  # to the end, so that it is compiled to vectors
        differs |= here[j] ^ part[j]
    return -1 if differs else k + part.size


@kernel
def _number(text: NDArray[np.uint8], k: int) -> tuple[float, int, bool]:
    """Read a number; return it, the place behind it, and whether it is exact.

    Up to 15 digits and a power of ten up to 22 are exact as floats, and so is, rounded once, their
    product or quotient.
    """
    is_negative = k < text.size and text[k] == _MINUS
    k += is_negative
    digits = 0
    whole = 0
    power = 0
    has_point = False
    while k < text.size and (_ZERO <= text[k] <= _NINE or (text[k] == _POINT and not has_point)):
        if text[k] == _POINT:
            has_point = True
        else:
            whole = 10 * whole + (int(text[k]) - _ZERO)
            digits += 1
            power -= has_point
            if digits > _EXACT_DIGITS:
                return 0.0, k, False
        k += 1
    if k < text.size and (text[k] == _SMALL_E or text[k] == _LARGE_E):
        exponent, k = _exponent(text, k + 1)
        power += exponent
    if digits == 0 or power > _EXACT_POWER or power < -_EXACT_POWER:
        return 0.0, k, False
    value = whole * _POWERS[power] if power >= 0 else whole / _POWERS[-power]
    return (-value if is_negative else value), k, True


@kernel
def _exponent(text: NDArray[np.uint8], k: int) -> tuple[int, int]:
    """Read the power of ten behind an e; one beyond use where there is none."""
    is_negative = k < text.size and text[k] == _MINUS
    k += is_negative or (k < text.size and text[k] == _PLUS)
    start = k
    power = 0
    while k < text.size and k - start < 4 and _ZERO <= text[k] <= _NINE:
        power = 10 * power + (int(text[k]) - _ZERO)
        k += 1
    if k == start:
        power = 10 * _EXACT_POWER
    return (-power if is_negative else power), k


@kernel
def thin_rows(t: NDArray[np.int64], rows: NDArray[np.float64], step: int) -> int:
    """Draw neighbouring rows of the same `step` ticks together, in place; return how many are left.

    Args:
        t: int64[n]; ticks of the rows.
        rows: float64[n, 3, 7]; their least, greatest and last values.
        step: ticks from a multiple of it on to the next are drawn together.

    Cost: 30 ns a row.
    """
    count = 0
    for row in range(t.size):
        if count and t[row] // step == t[count - 1] // step:
            _join(t, rows, row, t, rows, count - 1)
        else:
            _put(t, rows, row, t, rows, count)
            count += 1
    return count


@kernel
def fold_rows(
    t: NDArray[np.int64],
    rows: NDArray[np.float64],
    step: int,
    first: int,
    to_t: NDArray[np.int64],
    to_rows: NDArray[np.float64],
) -> None:
    """Draw rows into buckets of `step` ticks; what lies before or behind them is left out.

    Args:
        t: int64[n]; ticks of the rows.
        rows: float64[n, 3, 7]; their least, greatest and last values.
        step: ticks of a bucket.
        first: number of the first bucket: that of tick x is ``x // step``.
        to_t: int64[m]; of the buckets, `NO_TICK` where there is nothing yet.
        to_rows: float64[m, 3, 7].

    Cost: 30 ns a row.
    """
    for row in range(t.size):
        bucket = t[row] // step - first
        if bucket < 0 or bucket >= to_t.size:
            continue
        if to_t[bucket] == NO_TICK:
            _put(t, rows, row, to_t, to_rows, bucket)
        else:
            _join(t, rows, row, to_t, to_rows, bucket)


@kernel
def _put(
    t: NDArray[np.int64],
    rows: NDArray[np.float64],
    row: int,
    to_t: NDArray[np.int64],
    to_rows: NDArray[np.float64],
    to: int,
) -> None:
    to_t[to] = t[row]
    for extreme in range(3):
        for j in range(rows.shape[2]):
            to_rows[to, extreme, j] = rows[row, extreme, j]


@kernel
def _join(
    t: NDArray[np.int64],
    rows: NDArray[np.float64],
    row: int,
    to_t: NDArray[np.int64],
    to_rows: NDArray[np.float64],
    to: int,
) -> None:
    """Join a row to another; NaN, a figure that is not known, gives way to any."""
    is_later = t[row] >= to_t[to]
    if is_later:
        to_t[to] = t[row]
    for j in range(rows.shape[2]):
        low, high, last = rows[row, 0, j], rows[row, 1, j], rows[row, 2, j]
        if not np.isnan(low) and not to_rows[to, 0, j] <= low:
            to_rows[to, 0, j] = low
        if not np.isnan(high) and not to_rows[to, 1, j] >= high:
            to_rows[to, 1, j] = high
        if not np.isnan(last) and (is_later or np.isnan(to_rows[to, 2, j])):
            to_rows[to, 2, j] = last
