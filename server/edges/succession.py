"""Which of the runs that speak on one stream an edge follows: without sockets or clocks."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from datetime import datetime

    from marketcam.server.edges.envelope import Status

__all__ = ["Succession"]

_LEFT_RUNS: Final = 1000

_SILENCE: Final = timedelta(seconds=10)
"""A camera says how it is every second; one that has not for so long stands in nobody's way."""

log = get_logger(__name__)


class Succession:
    """Follows the run that began last.

    A run that was left is followed again once a camera has gone on with it, which begins later than
    the one that was left; or once the run that is followed has fallen silent. Else two cameras of
    one name would take the viewers from each other with every word.
    """

    def __init__(self) -> None:
        self._current: Status | None = None
        self._spoke_at: datetime | None = None
        self._left: OrderedDict[str, float] = OrderedDict()  # when its camera had begun
        self._passed_over: set[str] = set()

    def follows(self, status: Status, at: datetime | None = None) -> bool:
        """Take in what a camera says; return whether its run is the one to follow, from now on.

        Args:
            status: what it says.
            at: when that was stored, by the clock of the stream; None: unknown.
        """
        current = self._current
        if current is not None and status.run != current.run:
            if not self._is_over(current.run, status, at):
                return False
            self._leave(current)
        self._left.pop(status.run, None)
        self._current, self._spoke_at = status, at
        return True

    def _is_over(self, run: str, status: Status, at: datetime | None) -> bool:
        """Return whether the run that is followed makes way for another one."""
        begun = self._left.get(status.run)
        if begun is None or status.start_ts > begun:
            return True
        if at is not None and self._spoke_at is not None and at - self._spoke_at >= _SILENCE:
            return True
        if status.run not in self._passed_over:
            self._passed_over.add(status.run)
            log.warning("run_passed_over", run=status.run, follows=run)
        return False

    def _leave(self, status: Status) -> None:
        self._left[status.run] = status.start_ts
        if len(self._left) > _LEFT_RUNS:
            self._left.popitem(last=False)
        self._passed_over.clear()
