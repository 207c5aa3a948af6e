"""A camera under a service manager: it says when it is ready, how it is, and that it is alive.

Signs of life come from the event loop, so that a loop that hangs gives none, and only while the
engine does not hang either. What hangs for as long as the watchdog allows is then ended by the
service manager, and started anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from marketcam.server.operators.judging import Reason
    from marketcam.server.operators.service_manager import ServiceManager
    from marketcam.server.running.lag import CallLater, Timer
    from marketcam.server.settings import Settings
    from marketcam.server.stream.hub import Hub

__all__ = ["BEATS", "STATUS_SECONDS", "Supervised", "Supervision"]

BEATS: Final = 4
"""Signs of life in the time that the watchdog allows: three may be late or lost."""

STATUS_SECONDS: Final = 15.0
"""Longest time from one status to the next."""

log = get_logger(__name__)


class Judged(Protocol):
    """Knows what is amiss."""

    def reasons(self) -> list[Reason]:
        """Return it, the worst first."""


class Supervised(Protocol):
    """What a service manager is told of: a camera, or an edge."""

    @property
    def settings(self) -> Settings:
        """What it was made from."""

    @property
    def hub(self) -> Hub:
        """It serves the viewers."""

    @property
    def condition(self) -> Judged:
        """It says whether all is as it should be."""

    @property
    def stuck_seconds(self) -> float:
        """How long the work in hand has taken; 0 where there is none."""

    @property
    def progress(self) -> str:
        """How far it is, in words."""

    @property
    def last_t(self) -> int | None:
        """The last tick taken in."""


class Supervision:
    """Tells a service manager of a rig; without one does nothing.

    A tick that has been in hand for half the watchdog's time is taken for one that hangs. The last
    beat is then at least a quarter of that time old, so that a tick may take as long as the
    watchdog's whole time, and is not waited for longer than one and a half of it.
    """

    def __init__(self, rig: Supervised, manager: ServiceManager | None) -> None:
        """Be ready to tell."""
        self._rig = rig
        self._manager = manager
        self._call_later: CallLater | None = None
        self._timer: Timer | None = None

    def begin(self, call_later: CallLater | None = None) -> None:
        """Say that the camera is ready, and go on to say how it is.

        `call_later` sets timers; those of the running loop by default.
        """
        manager = self._manager
        if manager is None:
            return
        stall = self._rig.settings.record_stall_seconds
        if 0 < manager.watchdog_seconds <= stall:
            note = "a disk that stalls would have the camera ended; WatchdogSec should be longer"
            log.warning(
                "watchdog_short",
                WatchdogSec=manager.watchdog_seconds,
                IG_CAM_RECORD_STALL_SECONDS=stall,
                note=note,
            )
        self._call_later = call_later or asyncio.get_running_loop().call_later
        self._tell(manager)

    def end(self) -> None:
        """Say that the camera stops, and nothing after that."""
        if self._timer is not None:
            self._timer.cancel()
        if self._manager is not None and self._call_later is not None:
            self._manager.tell("STOPPING=1", status="stopping")
            self._call_later = None

    def _tell(self, manager: ServiceManager) -> None:
        if self._call_later is None:
            return
        watchdog = manager.watchdog_seconds
        interval = min(STATUS_SECONDS, watchdog / BEATS) if watchdog else STATUS_SECONDS
        self._timer = self._call_later(interval, lambda: self._tell(manager))
        stuck = self._rig.stuck_seconds
        if 0 < watchdog < 2 * stuck:
            log.error("engine_hangs", seconds=round(stuck, 1), last_t=self._rig.last_t)
            manager.tell("READY=1", status=f"hangs: a tick has been in hand for {stuck:.1f} s")
        else:
            beat = ("WATCHDOG=1",) if watchdog else ()
            manager.tell("READY=1", *beat, status=self._status())

    def _status(self) -> str:
        rig = self._rig
        reasons = [reason.message for reason in rig.condition.reasons()]
        how = f"degraded: {'; '.join(reasons)}" if reasons else "ready"
        return f"{how}; {rig.progress}, {len(rig.hub)} clients"
