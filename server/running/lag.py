"""How late the event loop comes to what is due: a probe that runs on it, and its histogram."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LAG_BOUNDS", "PROBE_SECONDS", "Histogram", "LagProbe"]

PROBE_SECONDS: Final = 0.01
"""Time between two looks at the clock: 100 samples a second, 0.2 % of a core."""

LAG_BOUNDS: Final = (
    *(0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.012, 0.015),
    *(0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0),
)
"""Upper bounds of the buckets, in seconds: closest where the target, 10 ms, lies."""


class Histogram:
    """Counts of values by upper bound, as Prometheus has them.

    Attributes:
        bounds: the upper bounds, ascending, inclusive; what is above the last counts too.
        sum: of all values.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[int]:
        """Return how many values are at most each bound, and last, how many there are."""
        return list(accumulate(self._counts))


class Timer(Protocol):
    """What has been set to call back."""

    def cancel(self) -> None:
        """Do not call back."""


class CallLater(Protocol):
    """Sets a timer, as the method of that name of an event loop does."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> Timer:
        """Call back in `delay` seconds."""


class LagProbe:
    """Asks the loop to call it every so often, and notes how late it does.

    What it measures is what every viewer feels: a callback that holds the loop, and a loop that
    waits for a core or for the interpreter lock, delay the probe alike.

    Attributes:
        lags: how late, in seconds.
        last: the lag seen last.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.lags = Histogram(LAG_BOUNDS)
        self.last = 0.0
        self._clock = clock
        self._timer: Timer | None = None
        self._due = 0.0

    def start(self, call_later: CallLater | None = None) -> None:
        """Begin to look, by the timers given, or else by those of the running loop."""
        self._arm(call_later or asyncio.get_running_loop().call_later)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, call_later: CallLater) -> None:
        self._due = self._clock() + PROBE_SECONDS
        self._timer = call_later(PROBE_SECONDS, lambda: self._look(call_later))

    def _look(self, call_later: CallLater) -> None:
        # A loop whose timers go by whole milliseconds may also be early.
        self.last = max(0.0, self._clock() - self._due)
        self.lags.add(self.last)
        self._arm(call_later)
