"""Bounded waiting: what the engine leaves for the event loop, and what the hub leaves for a client.

One rule for both. Metrics wait until their bytes or their number reach a limit, then the oldest
go. Frames wait as long as their bytes, their number and the age of the oldest allow; beyond that,
only the latest is kept: a reader that is behind wants the market of now. A burst of small frames
is no reason to drop any. Nothing goes in silence: what a reader missed comes out as a `Gap`,
before the next message of that kind.

Nothing here locks; whoever shares a `Lanes` between threads does.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from marketcam.server.stream.messages import Entry, Gap
from marketcam.server.stream.selection import PLAIN, Form

if TYPE_CHECKING:
    from marketcam.server.stream.messages import Kind, Message, Reason

__all__ = ["LaneLimits", "Lanes", "joined"]

_REASONS: Final[tuple[Reason, ...]] = ("slow", "upstream", "busy")
"""Of two reasons for one gap, the one that is told: what the client itself can mend goes first."""


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much may wait for one reader.

    Attributes:
        lane_bytes: bytes a kind. A single message may exceed it: the latest always waits.
        messages: messages a kind, so that very small ones do not add up to a lot of memory.
        frame_seconds: age of the oldest frame, as its `at` says, when another one comes.
    """

    lane_bytes: int
    messages: int
    frame_seconds: float = math.inf


class Lanes:
    """The metrics and frames that wait for one reader, merged in the order of their ticks.

    Attributes:
        reason: what is given as the reason for what has to go.
    """

    def __init__(self, limits: LaneLimits, reason: Reason, form: Form = PLAIN.form) -> None:
        """Wait within `limits`, with the bytes counted as they are in `form`."""
        self.reason: Reason = reason
        self._form = form
        self._metrics = _Lane(limits)
        self._frames = _LatestLane(limits)

    def __bool__(self) -> bool:
        return bool(self._metrics.waiting or self._frames.waiting)

    def __len__(self) -> int:
        return len(self._metrics.waiting) + len(self._frames.waiting)

    @property
    def bytes(self) -> int:
        """Bytes that wait."""
        return self._metrics.bytes + self._frames.bytes

    @property
    def fill(self) -> float:
        """How full the fuller of the two is, 0 to 1: of the bytes or the number it may hold."""
        return max(self._metrics.fill, self._frames.fill)

    def push(self, entry: Entry) -> int:
        """Add the newest message of its kind; return how many older ones had to go for it."""
        message = entry.message
        return self._lane(message.kind).push(entry, message.size(self._form), self.reason)

    def pop(self) -> Entry:
        """Take the message of the lowest tick, of two the metric, with the gap before it.

        Raises:
            IndexError: nothing waits.
        """
        return self._next_lane().pop()

    def peek(self) -> Message:
        """Return the message that `pop` would give."""
        return self._next_lane().waiting[0].message

    @property
    def next_size(self) -> int:
        """Bytes of the message that `pop` would give, as they were counted."""
        return self._next_lane().next_size

    def entries(self) -> list[Entry]:
        """Return what waits, in order and with its gaps, as `pop` would give it; it stays."""
        metrics, frames = self._metrics.entries(), self._frames.entries()
        return sorted(metrics + frames, key=lambda entry: entry.message.t)  # of two the metric

    def drain(self, most: int, most_bytes: float = math.inf) -> list[Entry]:
        """Take the next messages, in order, up to `most`, and up to so many bytes; one at least."""
        taken: list[Entry] = []
        left = most_bytes
        while self and len(taken) < most:
            left -= self.next_size
            if taken and left < 0:
                break
            taken.append(self.pop())
        return taken

    def _next_lane(self) -> _Lane:
        metrics, frames = self._metrics.waiting, self._frames.waiting
        is_metric = not frames or (metrics and metrics[0].message.t <= frames[0].message.t)
        return self._metrics if is_metric else self._frames

    def _lane(self, kind: Kind) -> _Lane:
        return self._metrics if kind == "metric" else self._frames


class _Lane:
    """The waiting messages of one kind, oldest first; the oldest go when there is no room."""

    def __init__(self, limits: LaneLimits) -> None:
        self.waiting: deque[Entry] = deque()
        self.bytes = 0
        self._sizes: deque[int] = deque()  # as counted: an encoding may be made meanwhile
        self._limits = limits
        self._missed: Gap | None = None

    @property
    def fill(self) -> float:
        limits = self._limits
        return max(self.bytes / limits.lane_bytes, len(self.waiting) / limits.messages)

    @property
    def next_size(self) -> int:
        """Bytes of the oldest."""
        return self._sizes[0]

    def push(self, entry: Entry, size: int, reason: Reason) -> int:
        self.waiting.append(entry)
        self._sizes.append(size)
        self.bytes += size
        return 0 if self._fits() else self._make_room(reason)

    def pop(self) -> Entry:
        gap, message = self.waiting.popleft()
        self.bytes -= self._sizes.popleft()
        gap, self._missed = joined(self._missed, gap), None
        return Entry(gap, message)

    def entries(self) -> list[Entry]:
        entries = list(self.waiting)
        if entries:
            gap, message = entries[0]
            entries[0] = Entry(joined(self._missed, gap), message)
        return entries

    def _fits(self) -> bool:
        limits = self._limits
        return self.bytes <= limits.lane_bytes and len(self.waiting) <= limits.messages

    def _make_room(self, reason: Reason) -> int:
        before = len(self.waiting)
        while len(self.waiting) > 1 and not self._fits():
            self._drop_oldest(reason)
        return before - len(self.waiting)

    def _drop_oldest(self, reason: Reason) -> None:
        gap, message = self.waiting.popleft()
        self.bytes -= self._sizes.popleft()
        own = Gap(message.kind, message.t, message.t, reason)
        self._missed = joined(joined(self._missed, gap), own)


class _LatestLane(_Lane):
    """The same where all but the latest go, and where what is too old is in the way as well."""

    def _fits(self) -> bool:
        age = self.waiting[-1].message.at - self.waiting[0].message.at
        return super()._fits() and age <= self._limits.frame_seconds

    def _make_room(self, reason: Reason) -> int:
        dropped = len(self.waiting) - 1
        for _ in range(dropped):
            self._drop_oldest(reason)
        return dropped


def joined(first: Gap | None, second: Gap | None) -> Gap | None:
    """Return two gaps of a kind, one right after the other, as one."""
    if first is None or second is None:
        return first or second
    reason = min(first.reason, second.reason, key=_REASONS.index)
    return Gap(first.kind, first.from_t, second.to_t, reason)
