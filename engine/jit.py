"""The one place that says how kernels are compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["kernel"]

F = TypeVar("F", bound="Callable[..., Any]")


def kernel(function: F) -> F:
    """Compile `function` on first call, without the GIL, and keep the result on disk.

    `fastmath` stays off: kernels rely on NaN and on the order of operations. The error model is
    numpy's: a division that can raise keeps a loop from being vectorized.
    """
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
