"""The one place that says how kernels are compiled."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numba
from numba.core.dispatcher import Dispatcher

from marketcam.engine.kernel_cache import KernelCache

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["INTERPRETED", "kernel", "loaded_kernels"]

INTERPRETED: Final = bool(getattr(numba.config, "DISABLE_JIT"))  # noqa: B009 - mypy does not see it
"""Whether numba was told not to compile: intrinsics then have to give way to plain functions."""

F = TypeVar("F", bound="Callable[..., Any]")


def kernel(function: F) -> F:
    """Compile `function` on first call, without the GIL, and keep the result on disk.

    It may call kernels of other files: the cache knows all sources that a module draws on.
    `fastmath` stays off: kernels rely on NaN and on the order of operations. The error model is
    numpy's: a division that can raise keeps a loop from being vectorized.
    """
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if dispatcher is not function:  # numba can be told not to compile
        dispatcher._cache = KernelCache(function)  # noqa: SLF001 - what cache=True sets, to numba's
    return cast("F", dispatcher)


def loaded_kernels() -> dict[str, Any]:
    """Return the numba dispatchers of all modules of ours that are loaded, by full name."""
    return {
        f"{name}.{attribute}": value
        for name, module in list(sys.modules.items())
        if name.startswith("marketcam.")
        for attribute, value in list(vars(module).items())
        if isinstance(value, Dispatcher) and value.py_func.__module__ == name
    }
