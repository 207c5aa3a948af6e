"""One timer for all clients, in place of timers and tasks of each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.server.stream.hub import Hub

__all__ = ["SWEEP_SECONDS", "Sweeper"]

SWEEP_SECONDS: Final = 0.25
"""How late a heartbeat, or the end of a client that is too slow, may come."""


class Sweeper:
    """Sweeps a hub now and then, so long as there are clients."""

    def __init__(
        self, hub: Hub, heartbeat_seconds: float, last_t: Callable[[], int | None]
    ) -> None:
        """Sweep `hub`; `last_t` gives what heartbeats tell."""
        self._hub = hub
        self._heartbeat_seconds = heartbeat_seconds
        self._last_t = last_t
        self._timer: asyncio.TimerHandle | None = None

    def go_on(self) -> None:
        """See to it that the next sweep comes."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        if len(self._hub):
            self.go_on()
            self._hub.sweep(self._heartbeat_seconds, self._last_t())
