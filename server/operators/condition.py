"""How the camera is: ready, or degraded and why. What all servers share is in `judging`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from marketcam.server.operators.judging import (
    MANY,
    OF_LATE,
    Judge,
    clients_full,
    clients_sent_away,
    connections_refused,
    full_queues,
    loop_late,
    stopping,
)
from marketcam.server.operators.queues import queues_of
from marketcam.server.operators.recent import RECENT_SECONDS, Counts, counts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from marketcam.io.store import RecorderStatus
    from marketcam.server.running.rig import Rig

__all__ = ["CODES", "TURNING_AWAY", "Condition"]

_SLOW: Final = 0.9
_LONG_ENOUGH: Final = 10.0
"""Share of the ticks that were due from which all is well, and the seconds it takes to tell."""
_DISK_FULL_PCT: Final = 95.0


@dataclass(frozen=True, slots=True)
class _View:
    """What the rules look at: how things are, and what has happened in so many seconds."""

    rig: Rig
    recorder: RecorderStatus
    recent: Counts
    seconds: float


def _run_failed(view: _View) -> str | None:
    return None if view.rig.pipeline.error is None else "the run has failed: see `error`"


def _recording_stopped(view: _View) -> str | None:
    if view.recorder.recording:
        return None
    return f"nothing is recorded, {view.recorder.dropped_lines} lines are missing: see `recorder`"


def _recording_holes(view: _View) -> str | None:
    holes = view.recent.holes
    return f"{holes} holes in the recording {OF_LATE}" if holes else None


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
    is_many = refused and refused >= MANY * (ticks + refused)
    return f"{refused} of {ticks + refused} ticks refused {OF_LATE}" if is_many else None


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
    return f"no tick has come {OF_LATE}" + ("" if last_t is None else f", the last was {last_t}")


def _messages_dropped(view: _View) -> str | None:
    if not view.rig.settings.pace or not view.recent.busy:
        return None
    return f"{view.recent.busy} messages went to no client {OF_LATE}: the event loop was behind"


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
    return f"events are not posted{reason}; {status.waiting} wait, {lost} lost {OF_LATE}"


def _nats_failing(view: _View) -> str | None:
    if view.rig.outlet is None:
        return None
    figures = view.rig.outlet.figures()
    if figures.problem is None and not view.recent.unsent:
        return None
    reason = "" if figures.problem is None else f": {figures.problem}"
    lost = view.recent.unsent
    return f"edges miss messages{reason}; {figures.waiting} wait, {lost} dropped {OF_LATE}"


def _queues_full(view: _View) -> str | None:
    return full_queues(queues_of(view.rig))


_RULES: Final[Mapping[str, Callable[[_View], str | None]]] = {
    "run_failed": _run_failed,
    "stopping": stopping,
    "clients_full": clients_full,
    "recording_stopped": _recording_stopped,
    "recording_holes": _recording_holes,
    "disk_full": _disk_full,
    "producer_gone": _producer_gone,
    "frames_limited": _frames_limited,
    "ticks_refused": _ticks_refused,
    "ticks_slow": _ticks_slow,
    "source_silent": _source_silent,
    "loop_late": loop_late,
    "messages_dropped": _messages_dropped,
    "clients_sent_away": clients_sent_away,
    "connections_refused": connections_refused,
    "queues_full": _queues_full,
    "webhook_failing": _webhook_failing,
    "nats_failing": _nats_failing,
}

CODES: Final = tuple(_RULES)
"""Every reason there is, in the order in which they are told."""

TURNING_AWAY: Final = frozenset({"run_failed", "stopping", "clients_full"})
"""Reasons for which new clients should be sent elsewhere: there is nothing here for them. With all
others the stream goes on, and to take its clients elsewhere would be the greater harm."""


class Condition(Judge[_View]):
    """Judges a rig, by how it is and by what has happened to it of late."""

    def __init__(self, rig: Rig, clock: Callable[[], float] = time.monotonic) -> None:
        def view(recent: Counts, seconds: float) -> _View:
            return _View(rig, rig.recorder.status(), recent, seconds)

        super().__init__(_RULES, view, lambda: counts_of(rig), clock)
