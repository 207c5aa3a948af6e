"""How the camera is: ready, or degraded and why.

Each reason has a code, which stays, and a sentence with the figures. Most are of the last minute,
so that who asks rarely still hears of what has just been. None names a path or an address: whoever
may read may read these.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from marketcam.server.operators.queues import queues_of
from marketcam.server.operators.recent import (
    LATE_SECONDS,
    RECENT_SECONDS,
    VERY_LATE_SECONDS,
    Counts,
    Recent,
    counts_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from marketcam.io.store import RecorderStatus
    from marketcam.server.running.lag import CallLater, Timer
    from marketcam.server.running.rig import Rig

__all__ = ["CODES", "TURNING_AWAY", "Condition", "Reason", "told"]

_SAMPLE_SECONDS: Final = 1.0
_ALMOST_FULL: Final = 0.8
_MANY: Final = 0.01
"""Share of ticks, of clients and of the probe's looks from which there is something amiss."""
_SLOW: Final = 0.9
_LONG_ENOUGH: Final = 10.0
"""Share of the ticks that were due from which all is well, and the seconds it takes to tell."""
_DISK_FULL_PCT: Final = 95.0

_OF_LATE: Final = f"in the last {RECENT_SECONDS} s"


class Reason(NamedTuple):
    """Why a camera is degraded."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class _View:
    """What the rules look at: how things are, and what has happened in so many seconds."""

    rig: Rig
    recorder: RecorderStatus
    recent: Counts
    seconds: float


def _run_failed(view: _View) -> str | None:
    return None if view.rig.pipeline.error is None else "the run has failed: see `error`"


def _stopping(view: _View) -> str | None:
    return "the camera is shutting down" if view.rig.stopping else None


def _clients_full(view: _View) -> str | None:
    limit = view.rig.settings.max_clients
    is_full = len(view.rig.hub) >= limit
    return f"all {limit} places for clients are taken" if is_full else None


def _recording_stopped(view: _View) -> str | None:
    if view.recorder.recording:
        return None
    return f"nothing is recorded, {view.recorder.dropped_lines} lines are missing: see `recorder`"


def _recording_holes(view: _View) -> str | None:
    holes = view.recent.holes
    return f"{holes} holes in the recording {_OF_LATE}" if holes else None


def _producer_gone(view: _View) -> str | None:
    ingest = view.rig.ingest
    if ingest is None or ingest.is_connected or ingest.is_finished or ingest.is_closed:
        return None
    if ingest.source is None:
        return "no producer of ticks has connected yet"
    return f"the producer of ticks is not connected, the last tick was {ingest.last_t}"


def _frames_limited(view: _View) -> str | None:
    status = view.rig.filming.status
    if not status.degraded:
        return None
    what = "no frames are made" if status.waiting else f"frames are of the rule {status.rule}"
    return f"{what}, since the agents have outgrown the pair budget: see `proximity`"


def _ticks_refused(view: _View) -> str | None:
    refused, ticks = view.recent.refused, view.recent.ticks
    is_many = refused and refused >= _MANY * (ticks + refused)
    return f"{refused} of {ticks + refused} ticks refused {_OF_LATE}" if is_many else None


def _ticks_slow(view: _View) -> str | None:
    """Judge a source that always has a tick to give: a file, or a pipe, may have none."""
    settings, seconds = view.rig.settings, view.seconds
    is_judged = settings.source in {"market", "simulator"} and view.rig.pipeline.running
    due = settings.pace * seconds
    if not is_judged or seconds < _LONG_ENOUGH or view.recent.ticks >= _SLOW * due:
        return None
    return f"{view.recent.ticks} ticks in the last {seconds:.0f} s, where {due:.0f} were due"


def _source_silent(view: _View) -> str | None:
    """Judge a source that may rightly have no tick to give, but that only its owner can tell.

    One that is to give fewer than two ticks in that time is not judged.
    """
    settings, seconds, last_t = view.rig.settings, view.seconds, view.rig.pipeline.last_t
    is_judged = view.rig.pipeline.running and seconds >= RECENT_SECONDS
    is_rare = 0 < settings.pace * seconds < 2
    is_told = _ticks_slow(view) is not None or _producer_gone(view) is not None
    if not is_judged or is_rare or is_told or view.recent.ticks or view.recent.refused:
        return None
    return f"no tick has come {_OF_LATE}" + ("" if last_t is None else f", the last was {last_t}")


def _loop_late(view: _View) -> str | None:
    recent = view.recent
    if not recent.very_late and recent.late <= _MANY * recent.looks:
        return None
    return (
        f"the event loop was late by more than {LATE_SECONDS:g} s {recent.late} of "
        f"{recent.looks} times, {recent.very_late} of them by more than {VERY_LATE_SECONDS:g} s, "
        f"{_OF_LATE}"
    )


def _messages_dropped(view: _View) -> str | None:
    if not view.rig.settings.pace or not view.recent.busy:
        return None
    return f"{view.recent.busy} messages went to no client {_OF_LATE}: the event loop was behind"


def _clients_sent_away(view: _View) -> str | None:
    gone, there = view.recent.sent_away, len(view.rig.hub)
    is_many = gone and gone >= _MANY * (gone + there)
    return f"{gone} clients closed for being too slow {_OF_LATE}" if is_many else None


def _connections_refused(view: _View) -> str | None:
    count = view.recent.turned_away
    return f"{count} connections found no place {_OF_LATE}" if count else None


def _queues_full(view: _View) -> str | None:
    full = [q for q in queues_of(view.rig) if q.loses and q.fill >= _ALMOST_FULL]
    names = ", ".join(f"{queue.name} {100 * queue.fill:.0f} %" for queue in full)
    return f"queues almost full: {names}" if full else None


def _disk_full(view: _View) -> str | None:
    seen = view.recorder.retention
    if seen is None:
        return None
    pct, start = seen.disk_used_pct, view.recorder.policy.disk_start_pct
    if pct < start or (seen.removed and pct < _DISK_FULL_PCT):
        return None  # there is room, or retention is making some
    return f"the disk is {pct:.1f} % full, and what may be removed is not enough"


def _webhook_failing(view: _View) -> str | None:
    hook = view.rig.webhook
    if hook is None:
        return None
    status = hook.status()
    if status.problem is None and not view.recent.unposted:
        return None
    reason = "" if status.problem is None else f": {status.problem}"
    lost = view.recent.unposted
    return f"events are not posted{reason}; {status.waiting} wait, {lost} lost {_OF_LATE}"


_RULES: Final[Mapping[str, Callable[[_View], str | None]]] = {
    "run_failed": _run_failed,
    "stopping": _stopping,
    "clients_full": _clients_full,
    "recording_stopped": _recording_stopped,
    "recording_holes": _recording_holes,
    "disk_full": _disk_full,
    "producer_gone": _producer_gone,
    "frames_limited": _frames_limited,
    "ticks_refused": _ticks_refused,
    "ticks_slow": _ticks_slow,
    "source_silent": _source_silent,
    "loop_late": _loop_late,
    "messages_dropped": _messages_dropped,
    "clients_sent_away": _clients_sent_away,
    "connections_refused": _connections_refused,
    "queues_full": _queues_full,
    "webhook_failing": _webhook_failing,
}

CODES: Final = tuple(_RULES)
"""Every reason there is, in the order in which they are told."""

TURNING_AWAY: Final = frozenset({"run_failed", "stopping", "clients_full"})
"""Reasons for which new clients should be sent elsewhere: there is nothing here for them. With all
others the stream goes on, and to take its clients elsewhere would be the greater harm."""


class Condition:
    """Judges a rig, by how it is and by what has happened to it of late."""

    def __init__(self, rig: Rig, clock: Callable[[], float] = time.monotonic) -> None:
        self._rig = rig
        self._recent = Recent(lambda: counts_of(rig), clock)
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
        view = _View(
            self._rig, self._rig.recorder.status(), self._recent.counts(), self._recent.seconds
        )
        judged = ((code, rule(view)) for code, rule in _RULES.items())
        return [Reason(code, message) for code, message in judged if message is not None]

    def _sample(self, call_later: CallLater) -> None:
        self._recent.sample()
        self._timer = call_later(_SAMPLE_SECONDS, lambda: self._sample(call_later))


def told(reasons: list[Reason]) -> dict[str, object]:
    """Return what `/health` says of them."""
    return {
        "status": "degraded" if reasons else "ready",
        "reasons": [reason._asdict() for reason in reasons],
    }
