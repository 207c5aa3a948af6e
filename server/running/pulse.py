"""How long the engine's thread has been at one tick: what tells a camera that hangs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pulse"]


class Pulse:
    """Is told by the engine's thread when it rests and when it works; read by any other.

    Resting is to wait for what may rightly be long in coming: the next turn of the pace, a tick of
    somebody else's. All other waiting counts as work, since it has to end: for the source where
    that is a part of this process, for the encoding, for the recorder.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None

    def rest(self) -> None:
        """Say that what comes next may take as long as it will."""
        self._since = None

    def work(self) -> None:
        """Say that a piece of work begins, and that the one before has ended."""
        self._since = self._clock()

    @property
    def seconds(self) -> float:
        """How long the work in hand has taken so far; 0 while it rests."""
        since = self._since
        return 0.0 if since is None else self._clock() - since
