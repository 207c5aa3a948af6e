"""The array form of a raw tick, checked as strictly as the dict form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.errors import TickError
from marketcam.engine.jit import kernel
from marketcam.engine.tick import MAX_ID, POOL, SIDES

if TYPE_CHECKING:
    from typing import TypeGuard

    from numpy.typing import ArrayLike, NDArray

    from marketcam.engine.tick import Columns

__all__ = ["FINE", "are_ready", "as_columns", "check_columns", "check_lengths", "first_fault"]

_Array: Final = np.ndarray
_INT64: Final = np.dtype(np.int64)
_INT8: Final = np.dtype(np.int8)
_FLOAT64: Final = np.dtype(np.float64)
_NO_PAIRS: Final = np.empty((0, 2), dtype=np.int64)

_MAX_ID: Final = MAX_ID
_POOL: Final = POOL

FINE: Final = -1
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


def are_ready(columns: tuple[ArrayLike, ...]) -> TypeGuard[Columns]:
    """Tell whether kernels, which are compiled for writable arrays only, take the columns as is."""
    agent_id, experience, side, price, matches = columns
    return (
        type(agent_id) is type(experience) is type(side) is type(price) is type(matches) is _Array
        and agent_id.dtype is matches.dtype is _INT64
        and experience.dtype is price.dtype is _FLOAT64
        and side.dtype is _INT8
        and agent_id.ndim == experience.ndim == side.ndim == price.ndim == 1
        and matches.ndim == 2
        and matches.shape[1] == 2
        and agent_id.flags.carray
        and experience.flags.carray
        and side.flags.carray
        and price.flags.carray
        and matches.flags.carray
    )


def as_columns(t: int, columns: tuple[ArrayLike, ...]) -> Columns:
    """Return the columns of tick `t` as arrays of the right dtypes, copied where they are not.

    Raises:
        TickError: names the tick, the column, and the shape, dtype or value that does not fit.
    """
    agent_id, experience, side, price, matches = columns
    return (
        _column(agent_id, _INT64, "agent_id", t),
        _column(experience, _FLOAT64, "experience", t),
        _column(side, _INT8, "side", t),
        _column(price, _FLOAT64, "price", t),
        _pairs(matches, t),
    )


def check_columns(t: int, columns: Columns, unique: NDArray[np.int64]) -> None:
    """Check the values of tick `t`; `unique` are ids that are known not to repeat.

    Raises:
        TickError: names the tick, the agent, the column and the value.

    Cost: one pass over the agents; a sort where the ids neither ascend nor are the unique ones.
    """
    check_lengths(t, columns)
    rule, k = first_fault(*columns, unique)
    if rule == FINE:
        return
    if rule == _MAYBE_REPEATED:
        _check_unique(t, columns[0])
    elif rule < len(_RULES):
        name, problem = _RULES[rule]
        agent, value = int(columns[0][k]), columns[rule][k].item()
        raise TickError(problem, t=t, agent=agent, field=name, value=value)
    else:
        problem, pair = _MATCH_RULES[rule - len(_RULES)], columns[_MATCH][k].tolist()
        raise TickError(problem, t=t, agent=pair[0], field=f"matches[{k}]", value=pair)


def check_lengths(t: int, columns: Columns) -> None:
    """Check that the columns of tick `t` have one entry an agent each.

    Raises:
        TickError: names the tick and the column.
    """
    agent_id, experience, side, price, _ = columns
    sizes = {"experience": experience.size, "side": side.size, "price": price.size}
    for name, size in sizes.items():
        if size != agent_id.size:
            problem = f"must have as many entries as agent_id, {agent_id.size}"
            raise TickError(problem, t=t, field=name, value=f"{size} entries")


def _check_unique(t: int, ids: NDArray[np.int64]) -> None:
    ordered = np.sort(ids)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if repeated.size:
        agent = int(repeated[0])
        problem = "must name each agent once"
        raise TickError(problem, t=t, agent=agent, field="agent_id", value=agent)


def _column(values: ArrayLike, dtype: np.dtype[Any], name: str, t: int) -> NDArray[Any]:
    array = _array(values, name, t)
    if array.ndim != 1:
        problem = "must be one-dimensional"
        raise TickError(problem, t=t, field=name, value=f"shape {array.shape}")
    return _converted(array, dtype, name, t)


def _array(values: ArrayLike, name: str, t: int) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        problem = "must be an array"
        raise TickError(problem, t=t, field=name, value="rows of different lengths") from error


def _pairs(values: ArrayLike, t: int) -> NDArray[np.int64]:
    array = _array(values, "matches", t)
    if array.size == 0:
        return _NO_PAIRS
    if array.ndim != 2 or array.shape[1] != 2:
        problem = "must have the shape (M, 2)"
        raise TickError(problem, t=t, field="matches", value=f"shape {array.shape}")
    return _converted(array, _INT64, "matches", t)


def _converted(array: NDArray[Any], dtype: np.dtype[Any], name: str, t: int) -> NDArray[Any]:
    """Copy, if need be, without loss: integers to integers that hold them, numbers to float64."""
    if type(array) is _Array and array.dtype is dtype and array.flags.carray:
        return array
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
    """Return the rule that is broken first and the row, `FINE`, or `_MAYBE_REPEATED`.

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
    return (FINE if same or ascending else _MAYBE_REPEATED), -1
