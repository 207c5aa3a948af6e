"""What recorded metrics come to, many of them drawn together into rows (see `metric_kernels`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson

from marketcam.io.store import metric_kernels as kernels
from marketcam.io.store.decode import MAX_PARSED_BYTES, tick_of_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Buckets", "Rows", "warm_up_rows"]

_NO_FIGURES = (np.nan,) * len(kernels.FIGURES)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some ticks each, in order.

    Attributes:
        t: int64[n]; the last tick of each.
        values: float64[n, 3, 7]; of each figure the least, the greatest and the last value, NaN
            where it is not known.
    """

    t: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Read whole lines of metrics, a row each; lines without a tick are left out.

        Cost: 0.5 µs a line that is written as the camera does, 3 µs any other.
        """
        most = text.count(b"\n")
        t, figures = np.empty(most, np.int64), np.empty((most, len(kernels.FIGURES)))
        data = np.frombuffer(text, np.uint8)
        count = at = 0
        while True:
            done, at = kernels.read_metrics(
                data, at, kernels.FORM, kernels.FORM_STARTS, t[count:], figures[count:]
            )
            count += done
            if at == data.size:
                break
            end = text.index(b"\n", at)
            tick = tick_of_line(text[at:end])
            if tick is not None:
                t[count], figures[count] = tick, _figures(text[at:end])
                count += 1
            at = end + 1
        return cls(t[:count], np.repeat(figures[:count, np.newaxis], 3, axis=1))

    @classmethod
    def joined(cls, parts: Iterable[Self]) -> Self:
        """Return these rows, one after the other."""
        there = list(parts)
        if not there:
            return cls(np.empty(0, np.int64), np.empty((0, 3, len(kernels.FIGURES))))
        return cls(
            np.concatenate([each.t for each in there]),
            np.concatenate([each.values for each in there]),
        )

    def thinned(self, step: int) -> Rows:
        """Draw together what lies within the same `step` ticks."""
        t, values = self.t.copy(), self.values.copy()
        count = kernels.thin_rows(t, values, step)
        return Rows(t[:count].copy(), values[:count].copy())

    @property
    def bytes(self) -> int:
        """Memory that they take."""
        return self.t.nbytes + self.values.nbytes


class Buckets:
    """A span of ticks, cut into buckets of as many ticks each, into which rows are drawn.

    Attributes:
        step: ticks of a bucket; they begin at its multiples.
        start_t: the first tick of the first bucket.
        values: float64[n, 3, 7], as those of `Rows`; NaN where nothing is known.

    Args:
        from_t, to_t: ticks in the first bucket and in the last.
        step: ticks of a bucket.
    """

    def __init__(self, from_t: int, to_t: int, step: int) -> None:
        self.step = step
        self._first = from_t // step
        count = to_t // step - self._first + 1
        self.start_t = self._first * step
        self._t = np.full(count, kernels.NO_TICK, np.int64)
        self.values = np.full((count, 3, len(kernels.FIGURES)), np.nan)

    @property
    def end_t(self) -> int:
        """The last tick of the last bucket."""
        return self.start_t + self.step * len(self._t) - 1

    def take(self, rows: Rows) -> None:
        """Draw rows in; those that lie outside are left out."""
        kernels.fold_rows(rows.t, rows.values, self.step, self._first, self._t, self.values)


def warm_up_rows() -> None:
    """Compile the kernels, or load them. Cost: 6 s, then a fraction of one."""
    rows = Rows.of(
        b'{"type":"metric","t":0,"s":{"price_norm":0.5,"volatility":0.3,"liquidity":1.0,'
        b'"imbalance":0.0},"N":2,"avg_exp":0.5,"matches_n":1}\n'
    )
    Buckets(0, 1, 1).take(rows.thinned(16))


def _figures(line: bytes) -> tuple[float, ...]:
    """Read a line that is not as the camera writes it."""
    if len(line) > MAX_PARSED_BYTES:
        return _NO_FIGURES
    try:
        message: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _NO_FIGURES
    state = message.get("s")
    found = {**message, **state} if isinstance(state, dict) else message
    return tuple(_number(found.get(name)) for name in kernels.FIGURES)


def _number(value: Any) -> float:
    return float(value) if type(value) in {int, float} else np.nan
