"""Bounded waiting: what the engine leaves for the event loop, and what the hub leaves for a client.

One rule for both. Metrics wait until their bytes or their number reach a limit, then the oldest
go. Frames wait as long as there are few; one too many, and only the latest is kept: a reader that
is behind wants the market of now. Nothing goes in silence: what a reader missed comes out as a
`Gap`, before the next message of that kind.

Nothing here locks; whoever shares a `Lanes` between threads does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marketcam.server.messages import Entry, Gap

if TYPE_CHECKING:
    from marketcam.server.messages import Kind

__all__ = ["LaneLimits", "Lanes"]


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much may wait for one reader.

    Attributes:
        lane_bytes: bytes of text a kind. A single message may exceed it: the latest always waits.
        metrics: metrics at most.
        frames: frames at most.
    """

    lane_bytes: int
    metrics: int
    frames: int


class Lanes:
    """The metrics and frames that wait for one reader, merged in the order of their ticks."""

    def __init__(self, limits: LaneLimits, reason: Literal["slow", "busy"]) -> None:
        """Wait within `limits`; what has to go is declared with `reason`."""
        self._metrics = _Lane(limits.lane_bytes, limits.metrics, reason, latest_wins=False)
        self._frames = _Lane(limits.lane_bytes, limits.frames, reason, latest_wins=True)

    def __bool__(self) -> bool:
        return bool(self._metrics.waiting or self._frames.waiting)

    @property
    def bytes(self) -> int:
        """Bytes of text that wait."""
        return self._metrics.bytes + self._frames.bytes

    def push(self, entry: Entry) -> int:
        """Add the newest message of its kind; return how many older ones had to go for it."""
        return self._lane(entry.message.kind).push(entry)

    def pop(self) -> Entry:
        """Take the message of the lowest tick, of two the metric, with the gap before it.

        Raises:
            IndexError: nothing waits.
        """
        metrics, frames = self._metrics.waiting, self._frames.waiting
        if not frames or (metrics and metrics[0].message.t <= frames[0].message.t):
            return self._metrics.pop()
        return self._frames.pop()

    def drain(self) -> list[Entry]:
        """Take all that waits, in order."""
        taken = []
        while self:
            taken.append(self.pop())
        return taken

    def _lane(self, kind: Kind) -> _Lane:
        return self._metrics if kind == "metric" else self._frames


class _Lane:
    """The waiting messages of one kind, oldest first."""

    def __init__(
        self,
        max_bytes: int,
        max_messages: int,
        reason: Literal["slow", "busy"],
        *,
        latest_wins: bool,
    ) -> None:
        self.waiting: deque[Entry] = deque()
        self.bytes = 0
        self._max_bytes = max_bytes
        self._max_messages = max_messages
        self._reason = reason
        self._latest_wins = latest_wins
        self._missed: Gap | None = None

    def push(self, entry: Entry) -> int:
        self.waiting.append(entry)
        self.bytes += entry.message.size
        return 0 if self._fits() else self._make_room()

    def pop(self) -> Entry:
        gap, message = self.waiting.popleft()
        self.bytes -= message.size
        gap, self._missed = _joined(self._missed, gap), None
        return Entry(gap, message)

    def _fits(self) -> bool:
        return self.bytes <= self._max_bytes and len(self.waiting) <= self._max_messages

    def _make_room(self) -> int:
        before = len(self.waiting)
        while len(self.waiting) > 1 and (self._latest_wins or not self._fits()):
            self._drop_oldest()
        return before - len(self.waiting)

    def _drop_oldest(self) -> None:
        gap, message = self.waiting.popleft()
        self.bytes -= message.size
        own = Gap(message.kind, message.t, message.t, self._reason)
        self._missed = _joined(_joined(self._missed, gap), own)


def _joined(first: Gap | None, second: Gap | None) -> Gap | None:
    """Return two gaps of a kind, one right after the other, as one."""
    if first is None or second is None:
        return first or second
    reason: Literal["slow", "busy"] = "slow" if "slow" in (first.reason, second.reason) else "busy"
    return Gap(first.kind, first.from_t, second.to_t, reason)
