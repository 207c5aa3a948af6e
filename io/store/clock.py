"""The two clocks of a recorder, together so that tests can set both."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SYSTEM_CLOCK", "Clock", "parse_utc", "utc_text"]


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from.

    Attributes:
        wall: seconds since 1970 UTC. Names and dates segments; may be set back by its keeper.
        steady: seconds that never go back. Ages segments and paces flushes.
    """

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic


SYSTEM_CLOCK: Final = Clock()


def utc_text(seconds: float) -> str:
    """Return a moment as the manifest writes it: ISO 8601, UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> float:
    """Return a moment of the manifest in seconds since 1970.

    Raises:
        ValueError: it is not ISO 8601 with a time zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"moment must have a time zone, got {text!r}")
    return moment.timestamp()
