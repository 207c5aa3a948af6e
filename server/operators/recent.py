"""What has happened of late: counters as they were a minute ago, held against what they are."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from marketcam.server.running.lag import LAG_BOUNDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.server.running.lag import LagProbe
    from marketcam.server.running.rig import Rig

__all__ = [
    "LATE_SECONDS",
    "RECENT_SECONDS",
    "VERY_LATE_SECONDS",
    "Counts",
    "Recent",
    "counts_of",
    "loop_counts",
]

RECENT_SECONDS: Final = 60
"""How far back "of late" goes. What was amiss is told for as long after it has ended."""

LATE_SECONDS: Final = 0.1
VERY_LATE_SECONDS: Final = 0.5
"""Lags of the event loop that are counted apart; both are bounds of its histogram."""

_LATE: Final = LAG_BOUNDS.index(LATE_SECONDS)
_VERY_LATE: Final = LAG_BOUNDS.index(VERY_LATE_SECONDS)


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters of a run, at one moment or over a time.

    Attributes:
        ticks: ticks taken in.
        refused: ticks refused.
        holes: holes in the recording.
        sent_away: clients closed for being too slow.
        busy: messages that no client was sent, since the event loop was behind.
        unposted: events that the webhook has lost.
        unsent: messages that did not get to NATS, where edges would have had them.
        gaps: of an edge, gaps in what it had of its camera.
        damaged: of an edge, NATS messages that were not what they should be.
        turned_away: connections that found no seat.
        looks: looks of the lag probe.
        late: of these, how many were late.
        very_late: of these, how many were very late.
    """

    ticks: int = 0
    refused: int = 0
    holes: int = 0
    sent_away: int = 0
    busy: int = 0
    unposted: int = 0
    unsent: int = 0
    gaps: int = 0
    damaged: int = 0
    turned_away: int = 0
    looks: int = 0
    late: int = 0
    very_late: int = 0

    def minus(self, other: Counts) -> Counts:
        """Return what has been added since the other ones."""
        return Counts(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))


def loop_counts(lag: LagProbe) -> dict[str, int]:
    """Return the counters of a probe, by their names among `Counts`."""
    lags = lag.lags.cumulative()
    return {
        "looks": lags[-1],
        "late": lags[-1] - lags[_LATE],
        "very_late": lags[-1] - lags[_VERY_LATE],
    }


def counts_of(rig: Rig) -> Counts:
    """Return the counters of a rig as they are now."""
    return Counts(
        ticks=rig.pipeline.ticks,
        refused=rig.pipeline.refused,
        holes=rig.recorder.status().holes,
        sent_away=rig.hub.sent_away,
        busy=sum(rig.handover.dropped.values()),
        unposted=0 if rig.webhook is None else sum(rig.webhook.status().lost.values()),
        unsent=0 if rig.outlet is None else sum(rig.outlet.figures().dropped.values()),
        turned_away=0 if rig.seats is None else rig.seats.refused,
        **loop_counts(rig.lag),
    )


class Recent:
    """Keeps a sample a second, so far back as is asked about.

    Whoever has a timer calls `sample`; one that comes late makes the time it covers longer, never
    shorter.
    """

    def __init__(
        self, read: Callable[[], Counts], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._samples: deque[tuple[float, Counts]] = deque()

    def sample(self) -> None:
        """Take a sample, and forget those that are older than one that is old enough."""
        now = self._clock()
        self._samples.append((now, self._read()))
        while len(self._samples) > 1 and now - self._samples[1][0] >= RECENT_SECONDS:
            self._samples.popleft()

    @property
    def seconds(self) -> float:
        """How long it is since the oldest sample; 0 before the first."""
        return self._clock() - self._samples[0][0] if self._samples else 0.0

    def counts(self) -> Counts:
        """Return what has been added of late; before the first sample, since the start."""
        now = self._read()
        return now.minus(self._samples[0][1]) if self._samples else now
