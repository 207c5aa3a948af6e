"""What every embedded market is at the end of a tick, and its JSON form, exact to the last bit."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.engine.errors import LimitError
from marketcam.engine.limits import whole_number
from marketcam.engine.market_kernels import DIFFERENCES
from marketcam.engine.tick import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["SavedState", "array_from_text", "array_to_text"]

_GENERATOR: Final = "PCG64"
_MOST_128: Final = 2**128 - 1
_MOST_32: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """All that the ticks to come depend on, beside the market's arguments.

    Holding one costs no copy of the agents: a market makes new arrays of them, it never changes
    those it has handed out.

    Attributes:
        t: the next tick.
        generator: the random generator's state, as NumPy's `PCG64` gives it.
        differences: float64[19], the ring of price changes.
        agent_id: int64[N].
        newcomer: the number that the next agent to join is given.
    """

    t: int
    generator: Mapping[str, Any]
    differences: NDArray[np.float64]
    agent_id: NDArray[np.int64]
    newcomer: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as what JSON can express: arrays as base64 of little-endian numbers.

        Cost: about 5 ns an agent; the text has 22 bytes an agent.
        """
        inner = self.generator["state"]
        return {
            "t": self.t,
            "generator": {
                "bit_generator": self.generator["bit_generator"],
                "state": str(inner["state"]),  # 128 bits: as numbers, JSON readers would round
                "inc": str(inner["inc"]),
                "has_uint32": self.generator["has_uint32"],
                "uinteger": self.generator["uinteger"],
            },
            "differences": array_to_text(self.differences, "<f8"),
            "agent_id": array_to_text(self.agent_id, "<i8"),
            "newcomer": self.newcomer,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> SavedState:
        """Read what `to_dict` returned; a market's own numbers are left out.

        Raises:
            LimitError: a field is missing or is not what it must be; names it.
        """
        agent_id = array_from_text(saved, "agent_id", "<i8", np.int64)
        newcomer = whole_number("newcomer", saved.get("newcomer"), 1, MAX_ID)
        ascending = bool((np.diff(agent_id) > 0).all())
        if not agent_id.size or not ascending or not 0 <= agent_id[0] <= agent_id[-1] < newcomer:
            raise LimitError("agent_id must be ascending numbers from 0 to below newcomer")
        return SavedState(
            t=whole_number("t", saved.get("t"), 0, MAX_ID),
            generator=_generator(saved.get("generator")),
            differences=array_from_text(saved, "differences", "<f8", np.float64, DIFFERENCES),
            agent_id=agent_id,
            newcomer=newcomer,
        )

    def fields(self) -> dict[str, Any]:
        """Return what all markets have, by name."""
        return {name: getattr(self, name) for name in SavedState.__slots__}


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


def _generator(saved: Any) -> dict[str, Any]:
    """Return a generator's state as NumPy takes it."""
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
