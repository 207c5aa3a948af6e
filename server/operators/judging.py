"""Judging how a server is: rules that look at it, by how it is and by what has happened of late.

Each reason has a code, which stays, and a sentence with the figures. Most are of the last minute,
so that who asks rarely still hears of what has just been. None names a path or an address: whoever
may read may read these.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar, cast

from marketcam.server.operators.recent import (
    LATE_SECONDS,
    RECENT_SECONDS,
    VERY_LATE_SECONDS,
    Counts,
    Recent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from marketcam.server.operators.queues import Queue
    from marketcam.server.running.lag import CallLater, Timer
    from marketcam.server.settings import Settings
    from marketcam.server.stream.hub import Hub

__all__ = [
    "MANY",
    "OF_LATE",
    "Judge",
    "Reason",
    "Served",
    "View",
    "clients_full",
    "clients_sent_away",
    "connections_refused",
    "full_queues",
    "loop_late",
    "stopping",
    "told",
]

_SAMPLE_SECONDS: Final = 1.0
_ALMOST_FULL: Final = 0.8

MANY: Final = 0.01
"""Share of ticks, of clients and of the probe's looks from which there is something amiss."""

OF_LATE: Final = f"in the last {RECENT_SECONDS} s"
"""How a rule says so."""


class Reason(NamedTuple):
    """Why a server is degraded."""

    code: str
    message: str


class Served(Protocol):
    """What the rules of all servers look at."""

    settings: Settings
    hub: Hub
    stopping: bool


class View(Protocol):
    """What a rule sees: a server, and what has happened in so many seconds."""

    @property
    def rig(self) -> Served:
        """The server."""

    @property
    def recent(self) -> Counts:
        """What has happened of late."""


Seen = TypeVar("Seen")


class Judge(Generic[Seen]):
    """Judges a server by rules.

    Args:
        rules: each looks at a view, and says in a sentence what is amiss, or None.
        view: makes that of what has happened in so many seconds.
        counts: reads the counters.
        clock: gives seconds.
    """

    def __init__(
        self,
        rules: Mapping[str, Callable[[Seen], str | None]],
        view: Callable[[Counts, float], Seen],
        counts: Callable[[], Counts],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._view = view
        self._recent = Recent(counts, clock)
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to take samples, on the running loop."""
        self._sample(cast("CallLater", asyncio.get_running_loop().call_later))

    def stop(self) -> None:
        """Take no more samples."""
        if self._timer is not None:
            self._timer.cancel()

    def reasons(self) -> list[Reason]:
        """Return why it is degraded; nothing where it is ready.

        Cost: 0.1 ms, and what the hub takes to count what waits for its clients.
        """
        view = self._view(self._recent.counts(), self._recent.seconds)
        judged = ((code, rule(view)) for code, rule in self._rules.items())
        return [Reason(code, message) for code, message in judged if message is not None]

    def _sample(self, call_later: CallLater) -> None:
        self._recent.sample()
        self._timer = call_later(_SAMPLE_SECONDS, lambda: self._sample(call_later))


def stopping(view: View) -> str | None:
    """Judge whether it is about to end."""
    return "the server is shutting down" if view.rig.stopping else None


def clients_full(view: View) -> str | None:
    """Judge whether there is a place for one more client."""
    limit = view.rig.settings.max_clients
    is_full = len(view.rig.hub) >= limit
    return f"all {limit} places for clients are taken" if is_full else None


def loop_late(view: View) -> str | None:
    """Judge how late the event loop is."""
    recent = view.recent
    if not recent.very_late and recent.late <= MANY * recent.looks:
        return None
    return (
        f"the event loop was late by more than {LATE_SECONDS:g} s {recent.late} of "
        f"{recent.looks} times, {recent.very_late} of them by more than {VERY_LATE_SECONDS:g} s, "
        f"{OF_LATE}"
    )


def clients_sent_away(view: View) -> str | None:
    """Judge how many clients could not follow."""
    gone, there = view.recent.sent_away, len(view.rig.hub)
    is_many = gone and gone >= MANY * (gone + there)
    return f"{gone} clients closed for being too slow {OF_LATE}" if is_many else None


def connections_refused(view: View) -> str | None:
    """Judge whether everyone found a place."""
    count = view.recent.turned_away
    return f"{count} connections found no place {OF_LATE}" if count else None


def full_queues(queues: Iterable[Queue]) -> str | None:
    """Judge queues that lose something once they are full."""
    full = [queue for queue in queues if queue.loses and queue.fill >= _ALMOST_FULL]
    names = ", ".join(f"{queue.name} {100 * queue.fill:.0f} %" for queue in full)
    return f"queues almost full: {names}" if full else None


def told(reasons: list[Reason]) -> dict[str, object]:
    """Return what `/health` says of them."""
    return {
        "status": "degraded" if reasons else "ready",
        "reasons": [reason._asdict() for reason in reasons],
    }
