"""A market's numbers in JSON, exact to the last bit: arrays and the state of a random generator."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.errors import LimitError
from marketcam.engine.limits import whole_number
from marketcam.engine.tick import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "array_from_text",
    "array_to_text",
    "generator_from_dict",
    "generator_to_dict",
    "population_from_dict",
]

_GENERATOR: Final = "PCG64"
_MOST_128: Final = 2**128 - 1
_MOST_32: Final = 2**32 - 1


def array_to_text(values: NDArray[Any], form: str) -> str:
    """Return an array as base64 of its numbers in a form such as ``<f8``."""
    return base64.b64encode(values.astype(form).tobytes()).decode()


def array_from_text(
    saved: Mapping[str, Any], name: str, form: str, dtype: type[np.generic], size: int | None = None
) -> NDArray[Any]:
    """Return the field `name` as an array, of `size` numbers where that is known.

    Raises:
        LimitError: it is missing or is not what it must be.
    """
    text = saved.get(name)
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
        values = None if data is None else np.frombuffer(data, form).astype(dtype)
    except (binascii.Error, ValueError):
        values = None
    if values is None or (size is not None and values.size != size):
        count = "" if size is None else f"{size} "
        raise LimitError(f"{name} must be base64 of {count}numbers {form}, got {text!r:.60}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise LimitError(f"{name} must hold finite numbers only")
    return values


def population_from_dict(saved: Mapping[str, Any]) -> tuple[NDArray[np.int64], int]:
    """Return the agents' numbers, and the one that the next to join is given.

    Raises:
        LimitError: a field is missing or is not what it must be.
    """
    agent_id = array_from_text(saved, "agent_id", "<i8", np.int64)
    newcomer = whole_number("newcomer", saved.get("newcomer"), 1, MAX_ID)
    ascending = bool((np.diff(agent_id) > 0).all())
    if not agent_id.size or not ascending or not 0 <= agent_id[0] <= agent_id[-1] < newcomer:
        raise LimitError("agent_id must be ascending numbers from 0 to below newcomer")
    return agent_id, newcomer


def generator_to_dict(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a generator's state, as NumPy's `PCG64` gives it, as what JSON can express."""
    inner = state["state"]
    return {
        "bit_generator": state["bit_generator"],
        "state": str(inner["state"]),  # 128 bits: as numbers, JSON readers would round
        "inc": str(inner["inc"]),
        "has_uint32": state["has_uint32"],
        "uinteger": state["uinteger"],
    }


def generator_from_dict(saved: Any) -> dict[str, Any]:
    """Return what `generator_to_dict` was given.

    Raises:
        LimitError: it is no such state.
    """
    if not isinstance(saved, dict) or saved.get("bit_generator") != _GENERATOR:
        raise LimitError(f"generator must be the state of a {_GENERATOR}, got {saved!r:.60}")
    return {
        "bit_generator": _GENERATOR,
        "state": {name: _large_number(saved, name) for name in ("state", "inc")},
        "has_uint32": whole_number("has_uint32", saved.get("has_uint32"), 0, 1),
        "uinteger": whole_number("uinteger", saved.get("uinteger"), 0, _MOST_32),
    }


def _large_number(saved: Mapping[str, Any], name: str) -> int:
    text = saved.get(name)
    # 39 digits hold 128 bits; more would only be a long time in `int`.
    number = int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 40 else -1
    if not 0 <= number <= _MOST_128:
        raise LimitError(f"generator {name} must be the digits of 128 bits, got {text!r:.60}")
    return number
