"""The array form of a raw tick, checked as strictly as the dict form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.errors import TickError
from marketcam.engine.jit import kernel
from marketcam.engine.tick import MAX_ID, POOL, SIDES, Tick, finite_number, tick_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ArrayChecker"]

_INT64: Final = np.dtype(np.int64)
_INT8: Final = np.dtype(np.int8)
_FLOAT64: Final = np.dtype(np.float64)
_NO_PAIRS: Final = np.empty((0, 2), dtype=np.int64)

_MAX_ID: Final = MAX_ID
_POOL: Final = POOL

_FINE: Final = -1
_MAYBE_REPEATED: Final = -2
_ID: Final = 0
_EXPERIENCE: Final = 1
_SIDE: Final = 2
_PRICE: Final = 3
_MATCH: Final = 4
_RULES: Final = (
    ("agent_id", f"must be 0..{MAX_ID}"),
    ("experience", "must be finite, or NaN where unknown"),
    ("side", f"must be 0..{len(SIDES) - 1}"),
    ("price", "must be finite where the agent quotes"),
)
_MATCH_RULES: Final = (
    f"must have a first agent of 0..{MAX_ID}",
    f"must have a second agent of 0..{MAX_ID}, or {POOL} for the pool",
    "must be of two agents",
)


class ArrayChecker:
    """Makes `Tick`s of arrays from outside; remembers the last ids, which rarely change."""

    def __init__(self) -> None:
        self._unique = np.empty(0, dtype=np.int64)

    def tick(
        self,
        t: int,
        mid: float | None,
        agent_id: ArrayLike,
        experience: ArrayLike,
        side: ArrayLike,
        price: ArrayLike,
        matches: ArrayLike,
    ) -> Tick:
        """Return the tick, its arrays not copied where they have the right dtype already.

        Raises:
            TickError: names the tick, the agent, the column and the value.

        Cost: one pass over the agents; a sort where the ids are neither ascending nor those of
        the tick before.
        """
        t = tick_number(t)
        tick = Tick(
            t,
            None if mid is None else finite_number(mid, "mid", t=t),
            _column(agent_id, _INT64, "agent_id", t),
            _column(experience, _FLOAT64, "experience", t),
            _column(side, _INT8, "side", t),
            _column(price, _FLOAT64, "price", t),
            _pairs(matches, t),
        )
        self._check_lengths(tick)
        self._check_values(tick)
        return tick

    def _check_lengths(self, tick: Tick) -> None:
        expected = tick.agent_id.size
        if tick.experience.size == tick.side.size == tick.price.size == expected:
            return
        for name in ("experience", "side", "price"):
            size = getattr(tick, name).size
            if size != expected:
                problem = f"must have as many entries as agent_id, {expected}"
                raise TickError(problem, t=tick.t, field=name, value=f"{size} entries")

    def _check_values(self, tick: Tick) -> None:
        rule, k = first_fault(
            tick.agent_id, tick.experience, tick.side, tick.price, tick.matches, self._unique
        )
        if rule == _FINE:
            return
        if rule == _MAYBE_REPEATED:
            self._check_unique(tick)
        elif rule < len(_RULES):
            name, problem = _RULES[rule]
            agent, value = int(tick.agent_id[k]), getattr(tick, name)[k].item()
            raise TickError(problem, t=tick.t, agent=agent, field=name, value=value)
        else:
            problem, pair = _MATCH_RULES[rule - len(_RULES)], tick.matches[k].tolist()
            raise TickError(problem, t=tick.t, agent=pair[0], field=f"matches[{k}]", value=pair)

    def _check_unique(self, tick: Tick) -> None:
        ids = tick.agent_id
        ordered = np.sort(ids)
        repeated = ordered[1:][ordered[1:] == ordered[:-1]]
        if repeated.size:
            agent = int(repeated[0])
            problem = "must name each agent once"
            raise TickError(problem, t=tick.t, agent=agent, field="agent_id", value=agent)
        self._unique = ids.copy()


def _column(values: ArrayLike, dtype: np.dtype[Any], name: str, t: int) -> NDArray[Any]:
    if type(values) is np.ndarray and values.ndim == 1 and _is_ready(values, dtype):
        return values
    array = np.asarray(values)
    if array.ndim != 1:
        problem = "must be one-dimensional"
        raise TickError(problem, t=t, field=name, value=f"shape {array.shape}")
    return _converted(array, dtype, name, t)


def _is_ready(array: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Tell whether kernels take the array as it is: they are compiled for writable ones only."""
    flags = array.flags
    return array.dtype is dtype and flags.c_contiguous and flags.writeable


def _pairs(values: ArrayLike, t: int) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.size == 0:
        return _NO_PAIRS
    if array.ndim != 2 or array.shape[1] != 2:
        problem = "must have the shape (M, 2)"
        raise TickError(problem, t=t, field="matches", value=f"shape {array.shape}")
    return array if _is_ready(array, _INT64) else _converted(array, _INT64, "matches", t)


def _converted(array: NDArray[Any], dtype: np.dtype[Any], name: str, t: int) -> NDArray[Any]:
    """Copy without loss: integers to integers that hold them, numbers to float64."""
    fits = array.size == 0 or array.dtype == dtype
    if np.issubdtype(array.dtype, np.integer):
        fits = fits or dtype.kind == "f" or np.array_equal(array.astype(dtype), array)
    elif np.issubdtype(array.dtype, np.floating):
        fits = fits or dtype.kind == "f"
    if not fits:
        raise TickError(f"must hold {dtype.name}", t=t, field=name, value=_misfit(array, dtype))
    return array.astype(dtype, order="C")


def _misfit(array: NDArray[Any], dtype: np.dtype[Any]) -> object:
    """Return what to show of an array that does not convert: a value, or its own dtype."""
    if np.issubdtype(array.dtype, np.integer):
        return array[array.astype(dtype) != array][0].item()
    return f"dtype {array.dtype}"


@kernel
def first_fault(  # noqa: PLR0911 - one return a rule
    agent_id: NDArray[np.int64],
    experience: NDArray[np.float64],
    side: NDArray[np.int8],
    price: NDArray[np.float64],
    matches: NDArray[np.int64],
    unique: NDArray[np.int64],
) -> tuple[int, int]:
    """Return the rule that is broken first and the row, `_FINE`, or `_MAYBE_REPEATED`.

    Ids cannot repeat where they ascend, or are the `unique` ones of an earlier tick.
    """
    same = agent_id.size == unique.size
    ascending = True
    for k in range(agent_id.size):
        if agent_id[k] < 0 or agent_id[k] > _MAX_ID:
            return _ID, k
        if np.isinf(experience[k]):
            return _EXPERIENCE, k
        if side[k] < 0 or side[k] > 2:
            return _SIDE, k
        if side[k] != 0 and not np.isfinite(price[k]):
            return _PRICE, k
        same = same and agent_id[k] == unique[k]
        ascending = ascending and (k == 0 or agent_id[k] > agent_id[k - 1])
    for k in range(matches.shape[0]):
        if matches[k, 0] < 0 or matches[k, 0] > _MAX_ID:
            return _MATCH, k
        if matches[k, 1] < _POOL or matches[k, 1] > _MAX_ID:
            return _MATCH + 1, k
        if matches[k, 0] == matches[k, 1]:
            return _MATCH + 2, k
    return (_FINE if same or ascending else _MAYBE_REPEATED), -1
