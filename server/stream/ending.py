"""How a connection ends, decided in one place and carried out in another."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

__all__ = ["FAULT", "GOING_AWAY", "NORMAL", "TOO_LARGE", "TRY_AGAIN_LATER", "Closing", "Ending"]

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
        closed: set together with `closing`.
    """

    def __init__(self) -> None:
        self.closing: Closing | None = None
        self.closed = asyncio.Event()

    def close(self, code: int, reason: str) -> None:
        """End the connection; what still waits is not sent. The first reason given counts."""
        if self.closing is None:
            self.closing = Closing(code, reason)
            self.closed.set()
