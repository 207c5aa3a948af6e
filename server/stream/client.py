"""What waits for one viewer, and how far behind it is: the rules, without any socket."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from marketcam.server.stream.ending import Ending
from marketcam.server.stream.lanes import Lanes
from marketcam.server.stream.messages import Entry, heartbeat
from marketcam.server.stream.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from marketcam.server.stream.lanes import LaneLimits
    from marketcam.server.stream.messages import Body, Gap, Kind
    from marketcam.server.stream.selection import Selection

__all__ = ["Client"]


class Client(Ending):
    """What one viewer is still to be sent.

    One that first catches up with what was recorded is offered nothing until it listens
    (`Hub.listen`), and takes nothing and is not judged until it is live (`go_live`).

    Attributes:
        selection: what it is sent, and how that is written.
        is_live: whether it is sent what is published, and judged by it.
        has_missed: whether something had to go since it began to listen, before it was live.
        is_held_up: says whether it is its connection that holds it up, and not the server, which
            may have more to write to everyone than it can. So long as nobody knows better, it is.
        sent: messages handed to its connection whole, by kind.
        dropped: messages missed, by kind.
    """

    def __init__(
        self, greeting: Iterable[Entry], limits: LaneLimits, now: float, selection: Selection
    ) -> None:
        super().__init__()
        self.selection: Final = selection
        self.is_live = True
        self.has_missed = False
        self.is_held_up: Callable[[], bool] = lambda: True
        self.sent = {"metric": 0, "frame": 0}
        self.dropped = {"metric": 0, "frame": 0}
        self._greeting = deque(greeting)
        self._limits = limits
        self._lanes = Lanes(limits, "slow", selection.form)
        self._after: Place | None = None  # what comes up to here is not for it
        self._listens = True
        self._position = now
        self._silence: Body | None = None
        self._in_hand: Kind | None = None
        self._something = asyncio.Event()

    @property
    def waiting(self) -> bool:
        """Whether there is a message to take."""
        return bool(self._greeting or self._lanes)

    @property
    def waiting_bytes(self) -> int:
        """Bytes in its lanes."""
        return self._lanes.bytes

    def offer(self, entry: Entry) -> None:
        """Let a new message wait; older ones may have to go for it."""
        if not self._listens:
            return
        if self._after is not None:
            own = _part_after(entry, self._after)
            if own is None:
                return
            entry = own
        message = entry.message
        if not self.waiting:
            self._position = message.at
        self._lanes.reason = "slow" if self.is_held_up() else "busy"
        dropped = self._lanes.push(entry)
        if self.is_live:
            self.dropped[message.kind] += dropped
        elif dropped:
            self.has_missed = True

    def catch_up(self) -> None:
        """Be offered nothing, and judged by nothing, since it reads what was recorded first."""
        self.is_live = False
        self._listens = False
        self._greeting.clear()

    def listen(self, after: Place) -> None:
        """Let what is published from now on wait, so far as it comes after a place.

        Again, it begins anew: what has waited is forgotten.
        """
        self._lanes = Lanes(self._limits, "slow", self.selection.form)
        self._after = after
        self._listens = True
        self.has_missed = False

    def go_live(self, now: float) -> None:
        """Be sent what waits, and be judged by that from now on."""
        self.is_live = True
        self._position = now

    def behind(self, now: float) -> float:
        """Return how far behind the present it is: the age, in seconds, of what it took last.

        0 when nothing waits. It measures progress along the stream, so that a client that only
        ever gets a part of a very fast stream, but reads on, is not behind.
        """
        return now - self._position if self.waiting and self.is_live else 0.0

    def take(self) -> tuple[Body, ...]:
        """Take what is to be sent next: a message, after the gap before it if any.

        Empty when there is nothing to send. A message counts as sent when `note_sent` says so.
        """
        self._in_hand = None
        if self._greeting:
            entry = self._greeting.popleft()
        elif self._lanes:
            entry = self._lanes.pop()
        else:
            silence, self._silence = self._silence, None
            return () if silence is None else (silence,)
        self._silence = None
        self._position = max(self._position, entry.message.at)
        gap, message = entry
        self._in_hand = message.kind
        body = message.body(self.selection.form.encoding)
        return (body,) if gap is None else (gap.body, body)

    def note_sent(self) -> None:
        """Learn that what was taken last has been written to the connection, all of it."""
        if self._in_hand is not None:
            self.sent[self._in_hand] += 1
            self._in_hand = None

    def note_recorded(self, kind: Kind) -> None:
        """Learn that a recorded message has been written to the connection, all of it."""
        self.sent[kind] += 1

    def break_silence(self, t: int | None) -> None:
        """Send a heartbeat, unless there is something else to send; `t` is the last tick."""
        self._silence = heartbeat(t)
        self.wake()

    def close(self, code: int, reason: str) -> None:
        """End its connection; what still waits is not sent. The first reason given counts."""
        super().close(code, reason)
        self.wake()

    def wake(self) -> None:
        """Tell whoever waits in `wait` that there is something to take."""
        self._something.set()

    async def wait(self) -> None:
        """Wait until there may be something to take."""
        await self._something.wait()
        self._something.clear()


def _part_after(entry: Entry, after: Place) -> Entry | None:
    """Return an entry as far as it comes after a place; None where nothing of it does."""
    gap, message = entry
    if Place.of(message.kind, message.t) <= after:
        return None
    return Entry(None if gap is None else _gap_after(gap, after), message)


def _gap_after(gap: Gap, after: Place) -> Gap | None:
    first_t = max(gap.from_t, after.first_t_after(gap.kind))
    return replace(gap, from_t=first_t) if first_t <= gap.to_t else None
