"""From the engine's thread to the event loop, without ever making the engine wait."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from marketcam.server.lanes import LaneLimits, Lanes
from marketcam.server.messages import Entry

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from marketcam.server.messages import Message

__all__ = ["HANDOVER_LIMITS", "Handover"]

HANDOVER_LIMITS: Final = LaneLimits(lane_bytes=32 * 2**20, metrics=1024, frames=8)
"""What may wait for the event loop. Reached only when the loop is behind by that much, or when
the source goes as fast as it can; then the older messages go, declared as ``"busy"``."""


class Handover:
    """A bounded mailbox with one wake-up of the loop a batch, not one a message.

    Attributes:
        batches: batches handed over so far.
        lag_seconds: total time these took from the wake-up to being picked up.
        last_lag_seconds: the same for the last batch.
        dropped: messages that had to go, by kind.
    """

    def __init__(
        self, deliver: Callable[[list[Entry]], None], limits: LaneLimits = HANDOVER_LIMITS
    ) -> None:
        """Call `deliver` on the loop with each batch, in the order of the ticks."""
        self.batches = 0
        self.lag_seconds = 0.0
        self.last_lag_seconds = 0.0
        self.dropped = {"metric": 0, "frame": 0}
        self._deliver = deliver
        self._lanes = Lanes(limits, "busy")
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken_at: float | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over to this loop from now on; what was put before went nowhere."""
        with self._lock:
            self._loop = loop

    def put(self, message: Message) -> None:
        """Leave a message for the loop. Thread-safe; never blocks for longer than a queue edit."""
        with self._lock:
            if self._loop is None:
                return
            self.dropped[message.kind] += self._lanes.push(Entry(None, message))
            if self._woken_at is None:
                self._woken_at = time.perf_counter()
                self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        with self._lock:
            batch = self._lanes.drain()
            if self._woken_at is not None:
                self.last_lag_seconds = time.perf_counter() - self._woken_at
                self.lag_seconds += self.last_lag_seconds
                self.batches += 1
            self._woken_at = None
        self._deliver(batch)
