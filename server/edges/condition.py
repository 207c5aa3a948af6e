"""How an edge is: ready, or degraded and why."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from marketcam.server.operators.judging import (
    OF_LATE,
    Judge,
    clients_full,
    clients_sent_away,
    connections_refused,
    full_queues,
    loop_late,
    stopping,
)
from marketcam.server.operators.recent import Counts, loop_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from marketcam.server.edges.arrivals import InletFigures
    from marketcam.server.edges.rig import EdgeRig

__all__ = ["EDGE_CODES", "EDGE_TURNING_AWAY", "EdgeCondition"]

_SILENCE_SECONDS: Final = 10.0
"""A camera says how it is every second; so long without a word, and something is amiss."""


@dataclass(frozen=True, slots=True)
class _View:
    """What the rules look at."""

    rig: EdgeRig
    inlet: InletFigures
    recent: Counts


def _upstream_lost(view: _View) -> str | None:
    if view.inlet.connected:
        return None
    return f"NATS is not to be had: {view.inlet.problem}"


def _no_run(view: _View) -> str | None:
    is_told = _upstream_lost(view) is not None
    if is_told or view.rig.inlet.status is not None:
        return None
    return "no camera has published anything yet"


def _camera_silent(view: _View) -> str | None:
    silence = view.inlet.silence
    is_told = _upstream_lost(view) is not None
    if is_told or silence is None or silence < _SILENCE_SECONDS:
        return None
    return f"the camera has said nothing for {silence:.0f} s, the last tick was {view.rig.last_t}"


def _upstream_gaps(view: _View) -> str | None:
    gaps, damaged = view.recent.gaps, view.recent.damaged
    if not gaps and not damaged:
        return None
    return f"{gaps} gaps in what came of the camera, {damaged} NATS messages refused {OF_LATE}"


def _queues_full(view: _View) -> str | None:
    return full_queues(view.rig.queues())


_RULES: Final[Mapping[str, Callable[[_View], str | None]]] = {
    "stopping": stopping,
    "upstream_lost": _upstream_lost,
    "no_run": _no_run,
    "clients_full": clients_full,
    "camera_silent": _camera_silent,
    "upstream_gaps": _upstream_gaps,
    "loop_late": loop_late,
    "clients_sent_away": clients_sent_away,
    "connections_refused": connections_refused,
    "queues_full": _queues_full,
}

EDGE_CODES: Final = tuple(_RULES)
"""Every reason there is, in the order in which they are told."""

EDGE_TURNING_AWAY: Final = frozenset({"stopping", "upstream_lost", "no_run", "clients_full"})
"""Reasons for which new clients should be sent elsewhere: another edge may have what they want."""


def _counts_of(rig: EdgeRig) -> Counts:
    figures = rig.inlet.figures()
    return Counts(
        sent_away=rig.hub.sent_away,
        gaps=sum(figures.gaps.values()),
        damaged=figures.damaged,
        turned_away=0 if rig.seats is None else rig.seats.refused,
        **loop_counts(rig.lag),
    )


class EdgeCondition(Judge[_View]):
    """Judges an edge, by how it is and by what has happened to it of late."""

    def __init__(self, rig: EdgeRig, clock: Callable[[], float] = time.monotonic) -> None:
        def view(recent: Counts, _: float) -> _View:
            return _View(rig, rig.inlet.figures(), recent)

        super().__init__(_RULES, view, lambda: _counts_of(rig), clock)
