"""How a connection ends, decided in one place and carried out in another."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Final, NamedTuple

__all__ = [
    "FAULT",
    "GOING_AWAY",
    "NORMAL",
    "TOO_LARGE",
    "TRY_AGAIN_LATER",
    "Closing",
    "Ending",
    "stalled",
]

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
TOO_LARGE: Final = 1009
FAULT: Final = 1011
TRY_AGAIN_LATER: Final = 1013


class Closing(NamedTuple):
    """How a connection is to end: a WebSocket close code and a reason for people."""

    code: int
    reason: str


class Ending:
    """Whether a connection is to end, and how.

    Attributes:
        closing: how it is to end, None while it is to go on.
    """

    def __init__(self) -> None:
        self.closing: Closing | None = None

    @cached_property
    def closed(self) -> asyncio.Event:
        """Set together with `closing`; made for who asks, since most never do."""
        closed = asyncio.Event()
        if self.closing is not None:
            closed.set()
        return closed

    def close(self, code: int, reason: str) -> None:
        """End the connection; what still waits is not sent. The first reason given counts."""
        if self.closing is None:
            self.closing = Closing(code, reason)
            self.closed.set()


def stalled(limit: float) -> str:
    """Say why a connection is ended whose peer does not read."""
    return f"too slow: nothing read for {limit:g} s"
