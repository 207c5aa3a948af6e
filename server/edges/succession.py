"""Which of the runs that speak on one stream an edge follows: without sockets or clocks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from datetime import datetime

    from marketcam.server.edges.envelope import Status

__all__ = ["Succession"]

_SILENCE: Final = timedelta(seconds=10)
"""A camera says how it is every second; one that has not for so long stands in nobody's way."""

log = get_logger(__name__)


class Succession:
    """Follows the run that goes on, and of several the one whose camera began last.

    So all edges follow the same one, and two cameras of one name do not take the viewers from each
    other with every word. A camera that goes on with a run begins anew. Where one's clock is behind
    that of the one before, which did not say that it ended, its run is followed once that one has
    been silent for 10 s.
    """

    def __init__(self) -> None:
        self._current: Status | None = None
        self._spoke_at: datetime | None = None
        self._passed_over: str | None = None

    def follows(self, status: Status, at: datetime | None = None) -> bool:
        """Take in what a camera says; return whether its run is the one to follow, from now on.

        Args:
            status: what it says.
            at: when that was stored, by the clock of the stream; None: unknown.
        """
        current = self._current
        if current is not None and status.run != current.run:
            self._spoke_at = self._spoke_at or at
            if _rank(status) <= _rank(current) and not self._is_silent(at):
                self._note_passed_over(status.run, current.run)
                return False
            self._passed_over = None
        self._current, self._spoke_at = status, at
        return True

    def _is_silent(self, at: datetime | None) -> bool:
        """Return whether the run that is followed has said nothing for long."""
        return at is not None and self._spoke_at is not None and at - self._spoke_at >= _SILENCE

    def _note_passed_over(self, run: str, follows: str) -> None:
        if run != self._passed_over:
            self._passed_over = run
            log.warning("run_passed_over", run=run, follows=follows)


def _rank(status: Status) -> tuple[bool, float]:
    return status.running, status.start_ts
