"""Ticks at a steady rate."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CATCH_UP_SECONDS", "Pacer"]

CATCH_UP_SECONDS: Final = 0.25
"""Delay that is made up for with a burst; what is later than that stays lost."""

_LONGEST_WAIT: Final = 3600.0  # a wait of years overflows the clock of some systems


class Pacer:
    """Lets a loop through `rate` times a second, until it is stopped.

    Turn n is due at start + n / rate, so that neither the length of a turn nor an inexact clock
    adds up. A loop that comes late is let through at once until it is on time again; one that is
    later than `CATCH_UP_SECONDS` starts counting anew, so that a machine which was suspended
    does not race through what it missed.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Pace at `rate` turns a second, 0 for as fast as it goes.

        The first turn is due at once. `wait` waits for so many seconds; tests give their own,
        together with their clock.
        """
        self._rate = rate
        self._clock = clock
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._turn = 0
        self._start = -math.inf  # so that the first turn starts the count

    def stop(self) -> None:
        """Let through nothing more; ends a wait in another thread."""
        self._stopped.set()

    def turn(self, *, at_once: bool = False) -> bool:
        """Wait until the next turn is due; return False when stopped.

        A turn taken `at_once` is not waited for, and not counted.
        """
        if self._rate > 0 and not at_once:
            due = self._next_due()
            while (delay := due - self._clock()) > 0 and not self._stopped.is_set():
                self._wait(min(delay, _LONGEST_WAIT))
        return not self._stopped.is_set()

    def _next_due(self) -> float:
        now = self._clock()
        due = self._start + self._turn / self._rate
        if now - due > CATCH_UP_SECONDS:
            self._start, self._turn, due = now, 0, now
        self._turn += 1
        return due
