"""From the threads of the pipeline to the event loop, without ever making them wait."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from marketcam.server.stream.lanes import LaneLimits, Lanes
from marketcam.server.stream.messages import Entry

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from marketcam.server.stream.messages import Message

__all__ = ["HANDOVER_LIMITS", "Handover"]

HANDOVER_LIMITS: Final = LaneLimits(lane_bytes=32 * 2**20, messages=4096)
"""What may wait for the event loop. Reached only when the loop is behind by that much, or when
the source goes as fast as it can; then the older messages go, declared as ``"busy"``. The bytes are
those of the JSON texts; beside its text a frame holds its columns, up to a third as many again."""

_BATCH: Final = 64
"""Messages handed over at a time. Each costs the loop some µs a client; between two batches it
sees to other things."""

_REST_SECONDS: Final = 0.001
"""Least time from one hand-over to the next. Waking the loop for each message of a flood would
cost the engine more than making it: the two then take the interpreter lock from each other."""


class Handover:
    """A bounded mailbox with one wake-up of the loop a batch, not one a message.

    Attributes:
        batches: batches handed over so far.
        lag_seconds: total time the first message of each had waited.
        dropped: messages that had to go, by kind.
    """

    def __init__(
        self, deliver: Callable[[list[Entry]], None], limits: LaneLimits = HANDOVER_LIMITS
    ) -> None:
        """Call `deliver` on the loop with each batch, in the order of the ticks."""
        self.batches = 0
        self.lag_seconds = 0.0
        self.dropped = {"metric": 0, "frame": 0}
        self._deliver = deliver
        self._lanes = Lanes(limits, "busy")
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting_since: float | None = None
        self._is_coming = False  # the loop, of itself or woken

    @property
    def waiting(self) -> int:
        """Messages that wait for the loop."""
        return len(self._lanes)

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1."""
        return self._lanes.fill

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
            if self._waiting_since is None:
                self._waiting_since = time.perf_counter()
            if not self._is_coming:
                self._is_coming = True
                self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        """Hand over what waits, and come again after a rest, until nothing has come meanwhile."""
        with self._lock:
            assert self._loop is not None  # noqa: S101 - it is what runs this
            batch = self._lanes.drain(_BATCH)
            there_is_more = bool(self._lanes)
            self._is_coming = bool(batch)
            now = time.perf_counter()
            if self._waiting_since is not None:
                self.lag_seconds += now - self._waiting_since
                self.batches += 1
            self._waiting_since = now if there_is_more else None
        if there_is_more:
            self._loop.call_soon(self._hand_over)
        elif batch:
            self._loop.call_later(_REST_SECONDS, self._hand_over)
        if batch:
            self._deliver(batch)
