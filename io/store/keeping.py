"""When retention runs, and what there is to say about what it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from marketcam.io.store.clock import utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marketcam.io.store.clock import Clock
    from marketcam.io.store.events import EventSink, Level
    from marketcam.io.store.retention import Retention, RetentionReport

__all__ = ["RetentionDone", "RetentionRounds"]

_RETENTION_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class RetentionDone:
    """What a pass of retention did that removed something, or could not.

    Attributes:
        at: when, ISO 8601, UTC.
        segments: how many it removed.
        bytes: their size.
        reasons: how many of them for which reason: ``"age"``, ``"size"``, ``"disk"``.
        errors: what could not be removed, and why.
    """

    at: str
    segments: int
    bytes: int
    reasons: Mapping[str, int]
    errors: tuple[str, ...]


class RetentionRounds:
    """Has retention run every ten seconds, and after each segment that is closed.

    Attributes:
        report: what the last pass found, None before the first.
        done: the last pass that removed something or could not, None before the first.
        segments: segments removed so far.
        bytes: their size.
    """

    def __init__(self, clock: Clock, on_event: EventSink) -> None:
        self.report: RetentionReport | None = None
        self.done: RetentionDone | None = None
        self.segments = 0
        self.bytes = 0
        self._clock = clock
        self._say = on_event
        self._due_at = clock.steady()
        self._reasons: Counter[str] = Counter()

    @property
    def is_due(self) -> bool:
        """Whether a pass is due."""
        return self._clock.steady() >= self._due_at

    def hurry(self) -> None:
        """Have the next pass be due now."""
        self._due_at = self._clock.steady()

    def tell(self, level: Level, event: str, /, **fields: object) -> None:
        """Take an event of retention, to pass it on."""
        if event == "segment_removed":
            self._reasons[str(fields.get("reason"))] += 1
        self._say(level, event, **fields)

    def run(self, retention: Retention, pending_bytes: int) -> None:
        """Make a pass. That it fails is said, and no reason to stop recording."""
        self._due_at = self._clock.steady() + _RETENTION_SECONDS
        self._reasons = Counter()
        try:
            report = retention.run(pending_bytes)
        except OSError as error:
            self._say("error", "retention_failed", error=str(error))
            self._note(0, 0, (str(error),))
            return
        for problem in report.errors:
            self._say("error", "retention_failed", error=problem)
        self.report = report
        self.segments += len(report.removed)
        self.bytes += report.removed_bytes
        if report.removed or report.errors:
            self._note(len(report.removed), report.removed_bytes, tuple(report.errors))

    def _note(self, segments: int, removed_bytes: int, errors: tuple[str, ...]) -> None:
        at = utc_text(self._clock.wall())
        self.done = RetentionDone(at, segments, removed_bytes, dict(self._reasons), errors)
