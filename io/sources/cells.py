"""Columns of Arrow as arrays of numbers, and what of them is missing or cannot be read.

Text is read here cell by cell only where some cell of a column is at fault: to find it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketcam.engine import SIDES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Cells", "Fault", "numbers", "sides", "whole_numbers"]

_SIDE_TEXTS: Final = (*SIDES, "0", "1", "2")
_SIDE_RULE: Final = "must be " + ", ".join(repr(side) for side in SIDES)


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell that holds what its column must not.

    Attributes:
        problem: the rule it breaks.
        value: what stands there.
    """

    problem: str
    value: object


@dataclass(frozen=True, slots=True)
class Cells:
    """A column as numbers.

    Attributes:
        values: int64, float64 or int8; writable. NaN or 0 where there is no value.
        missing: bool, where there is none.
        faults: the cells at fault, by their place; their values are as if missing.
    """

    values: NDArray[Any]
    missing: NDArray[np.bool_]
    faults: dict[int, Fault] = field(default_factory=dict)

    def fault_within(self, start: int, stop: int) -> tuple[int, Fault] | None:
        """Return the first cell at fault within a range, with its place."""
        places = [place for place in self.faults if start <= place < stop] if self.faults else ()
        return (min(places), self.faults[min(places)]) if places else None


def whole_numbers(array: Any) -> Cells | None:
    """Read integers, of any width, or as text; None where the column holds something else."""
    if not (_is_text(array) or pa.types.is_integer(array.type) or pa.types.is_null(array.type)):
        return None
    return _cast(array, pa.int64(), np.dtype(np.int64), "must be an integer")


def numbers(array: Any) -> Cells | None:
    """Read integers or floats, or either as text; NaN is a missing number."""
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    if not (_is_text(array) or any(is_kind(array.type) for is_kind in kinds)):
        return None
    cells = _cast(array, pa.float64(), np.dtype(np.float64), "must be a number")
    cells.values[cells.missing] = np.nan
    return Cells(cells.values, np.isnan(cells.values), cells.faults)


def sides(array: Any) -> Cells | None:
    """Read sides by their names or codes; a missing one is none."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if _is_text(array):
        codes = pc.index_in(array, value_set=pa.array(_SIDE_TEXTS, array.type))
        places = codes.fill_null(-1).to_numpy(zero_copy_only=False)
        known = np.where(places < 0, places, places % len(SIDES))
    else:
        cells = whole_numbers(array)
        if cells is None:
            return None
        known = np.where((cells.values >= 0) & (cells.values < len(SIDES)), cells.values, -1)
    missing = array.is_null().to_numpy(zero_copy_only=False)
    at_fault = np.flatnonzero((known < 0) & ~missing).tolist()
    faults = {place: Fault(_SIDE_RULE, array[place].as_py()) for place in at_fault}
    return Cells(np.maximum(known, 0).astype(np.int8), missing, faults)


def _is_text(array: Any) -> bool:
    return bool(pa.types.is_string(array.type) or pa.types.is_large_string(array.type))


def _cast(array: Any, to: Any, dtype: np.dtype[Any], problem: str) -> Cells:
    faults: dict[int, Fault] = {}
    try:
        # Integers become floats as Python's float() makes them, whatever is lost of the largest.
        converted = array.cast(to, safe=to == pa.int64())
    except pa.ArrowInvalid:
        converted, faults = _cast_singly(array, to, problem)
    missing = converted.is_null().to_numpy(zero_copy_only=False)
    filled = converted.fill_null(0).to_numpy(zero_copy_only=False)
    # A copy: what Arrow hands out is not writable, and kernels take nothing else.
    return Cells(np.array(filled, dtype=dtype, order="C"), missing, faults)


def _cast_singly(array: Any, to: Any, problem: str) -> tuple[Any, dict[int, Fault]]:
    """Find the cells that cannot be cast, and cast the others."""
    faults: dict[int, Fault] = {}
    cells: list[object] = []
    for place, cell in enumerate(array):
        try:
            cells.append(cell.cast(to).as_py())
        except pa.ArrowInvalid:
            faults[place] = Fault(problem, cell.as_py())
            cells.append(None)
    return pa.array(cells, to), faults
