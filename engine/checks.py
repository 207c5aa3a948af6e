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

_MAX_ID: Final = MAX_ID
_POOL: Final = POOL

_FINE: Final = -1
_ID: Final = 0
_EXPERIENCE: Final = 1
_SIDE: Final = 2
_PRICE: Final = 3
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
            _column(agent_id, np.int64, "agent_id", t),
            _column(experience, np.float64, "experience", t),
            _column(side, np.int8, "side", t),
            _column(price, np.float64, "price", t),
            _pairs(matches, t),
        )
        self._check_lengths(tick)
        self._check_values(tick)
        self._check_unique(tick)
        return tick

    def _check_lengths(self, tick: Tick) -> None:
        for name in ("experience", "side", "price"):
            size = getattr(tick, name).size
            if size != tick.agent_id.size:
                problem = f"must have as many entries as agent_id, {tick.agent_id.size}"
                raise TickError(problem, t=tick.t, field=name, value=f"{size} entries")

    def _check_values(self, tick: Tick) -> None:
        rule, k = first_bad_value(tick.agent_id, tick.experience, tick.side, tick.price)
        if rule != _FINE:
            name, problem = _RULES[rule]
            agent, value = int(tick.agent_id[k]), getattr(tick, name)[k].item()
            raise TickError(problem, t=tick.t, agent=agent, field=name, value=value)
        rule, k = first_bad_match(tick.matches)
        if rule != _FINE:
            problem, value = _MATCH_RULES[rule], tick.matches[k].tolist()
            raise TickError(problem, t=tick.t, agent=value[0], field=f"matches[{k}]", value=value)

    def _check_unique(self, tick: Tick) -> None:
        ids = tick.agent_id
        if unchanged_or_ascending(ids, self._unique):
            return
        ordered = np.sort(ids)
        repeated = ordered[1:][ordered[1:] == ordered[:-1]]
        if repeated.size:
            agent = int(repeated[0])
            problem = "must name each agent once"
            raise TickError(problem, t=tick.t, agent=agent, field="agent_id", value=agent)
        self._unique = ids.copy()


def _column(values: ArrayLike, dtype: type[np.generic], name: str, t: int) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        problem = "must be one-dimensional"
        raise TickError(problem, t=t, field=name, value=f"shape {array.shape}")
    return _converted(array, dtype, name, t)


def _pairs(values: ArrayLike, t: int) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.size == 0:
        array = array.reshape(0, 2).astype(np.int64)
    if array.ndim != 2 or array.shape[1] != 2:
        problem = "must have the shape (M, 2)"
        raise TickError(problem, t=t, field="matches", value=f"shape {array.shape}")
    return _converted(array, np.int64, "matches", t)


def _converted(array: NDArray[Any], dtype: type[np.generic], name: str, t: int) -> NDArray[Any]:
    """Convert without loss: integers to integers that hold them, numbers to float64."""
    if array.dtype == dtype:
        return np.ascontiguousarray(array)
    if array.size == 0:
        return array.astype(dtype)
    converted: NDArray[Any] | None = None
    if np.issubdtype(array.dtype, np.integer):
        converted = array.astype(dtype)
        if np.issubdtype(dtype, np.integer) and not np.array_equal(converted, array):
            converted = None
    elif np.issubdtype(array.dtype, np.floating) and np.issubdtype(dtype, np.floating):
        converted = array.astype(dtype)
    if converted is None:
        problem = f"must hold {np.dtype(dtype).name}"
        raise TickError(problem, t=t, field=name, value=f"dtype {array.dtype}")
    return converted


@kernel
def first_bad_value(
    agent_id: NDArray[np.int64],
    experience: NDArray[np.float64],
    side: NDArray[np.int8],
    price: NDArray[np.float64],
) -> tuple[int, int]:
    """Return the rule that the first bad agent breaks and its row, or (-1, -1)."""
    for k in range(agent_id.size):
        if agent_id[k] < 0 or agent_id[k] > _MAX_ID:
            return _ID, k
        if np.isinf(experience[k]):
            return _EXPERIENCE, k
        if side[k] < 0 or side[k] > 2:
            return _SIDE, k
        if side[k] != 0 and not np.isfinite(price[k]):
            return _PRICE, k
    return _FINE, -1


@kernel
def first_bad_match(matches: NDArray[np.int64]) -> tuple[int, int]:
    """Return the rule that the first bad match breaks and its row, or (-1, -1)."""
    for k in range(matches.shape[0]):
        if matches[k, 0] < 0 or matches[k, 0] > _MAX_ID:
            return 0, k
        if matches[k, 1] < _POOL or matches[k, 1] > _MAX_ID:
            return 1, k
        if matches[k, 0] == matches[k, 1]:
            return 2, k
    return _FINE, -1


@kernel
def unchanged_or_ascending(ids: NDArray[np.int64], before: NDArray[np.int64]) -> bool:
    """Tell whether no id can stand twice, because they ascend or are known to be unique."""
    same = ids.size == before.size
    ascending = True
    for k in range(ids.size):
        same = same and ids[k] == before[k]
        ascending = ascending and (k == 0 or ids[k] > ids[k - 1])
        if not (same or ascending):
            return False
    return True
