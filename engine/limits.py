"""What a setting may be: one rule for whole numbers and one for finite ones, for every room."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Final

from marketcam.engine.errors import LimitError

__all__ = ["finite_number_in", "whole_number"]

_UNLIMITED: Final = 2**53
"""No whole number that a setting may be is larger: beyond it a float skips some."""


def whole_number(name: str, value: object, least: int, most: int = _UNLIMITED) -> int:
    """Return `value` as an int: any integer but a boolean, NumPy's included.

    Raises:
        LimitError: it is none, or not within `least`..`most`; names the setting and its range.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= most:  # type: ignore[operator]
        raise LimitError(f"{name} must be a whole number {_range(least, most)}, got {value!r}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def finite_number_in(name: str, value: object, least: float, most: float = math.inf) -> float:
    """Return `value` as a float: any finite real number but a boolean, NumPy's included.

    Raises:
        LimitError: it is none, or not within `least`..`most`; names the setting and its range.
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not least <= value <= most or not math.isfinite(value):  # type: ignore[arg-type, operator]
        raise LimitError(f"{name} must be a finite number {_range(least, most)}, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def _range(least: float, most: float) -> str:
    return f"from {least}" if most in (_UNLIMITED, math.inf) else f"of {least} to {most}"
