"""Refusals: all are counted, and so many are logged that a flood of them is no flood of the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["REASONS", "Reason", "Refusals"]

Reason: TypeAlias = Literal["token", "origin", "request", "talkative"]

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
"""A wrong token, a page of another origin, what is no request, and too many messages."""

_EVENTS: Final[dict[Reason, str]] = {
    "token": "token_refused",
    "origin": "origin_refused",
    "request": "request_refused",
    "talkative": "client_too_talkative",
}

_AT_ONCE: Final = 10
_A_SECOND: Final = 1.0
"""Lines of the log for each reason: so many at once, then so many a second."""

_LONGEST_TEXT: Final = 200
"""What a line repeats of a peer's own words at most: a path has room for 16 KB."""

log = get_logger(__name__)


class Refusals:
    """Those of one server.

    Attributes:
        counts: how many there were, by reason.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count; `clock` gives seconds."""
        self.counts: dict[Reason, int] = dict.fromkeys(REASONS, 0)
        self._clock = clock
        self._lines = dict.fromkeys(REASONS, float(_AT_ONCE))
        self._filled_at = dict.fromkeys(REASONS, clock())
        self._unsaid = dict.fromkeys(REASONS, 0)

    def tell(self, reason: Reason, client: object, /, **fields: object) -> None:
        """Count one and log it, or leave that out, which the next line then says."""
        self.counts[reason] += 1
        now = self._clock()
        filled = self._lines[reason] + (now - self._filled_at[reason]) * _A_SECOND
        self._lines[reason] = min(float(_AT_ONCE), filled)
        self._filled_at[reason] = now
        if self._lines[reason] < 1.0:
            self._unsaid[reason] += 1
            return
        self._lines[reason] -= 1.0
        if self._unsaid[reason]:
            fields["not_logged_before"] = self._unsaid[reason]
            self._unsaid[reason] = 0
        say = log.warning if reason == "token" else log.info
        short = {name: _shortened(value) for name, value in fields.items()}
        say(_EVENTS[reason], client=client, **short)


def _shortened(value: object) -> object:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:_LONGEST_TEXT]}…"
    return value
