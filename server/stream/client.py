"""What waits for one viewer, and how far behind it is: the rules, without any socket."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.server.stream.ending import Ending
from marketcam.server.stream.lanes import Lanes
from marketcam.server.stream.messages import Entry, heartbeat
from marketcam.server.stream.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from marketcam.server.stream.lanes import LaneLimits
    from marketcam.server.stream.messages import Body, Gap, Kind
    from marketcam.server.stream.selection import Selection

__all__ = ["Client", "Listener", "Tally", "Terms"]


class Tally:
    """What all clients together were sent, and missed; shared, so that nobody has to add it up.

    Attributes:
        sent: messages sent, by kind, counted for each client.
        dropped: messages missed, by kind, counted for each client.
    """

    __slots__ = ("dropped", "sent")

    def __init__(self) -> None:
        self.sent: dict[str, int] = {"metric": 0, "frame": 0}
        self.dropped: dict[str, int] = {"metric": 0, "frame": 0}


class Terms(NamedTuple):
    """What a client has in common with all of the same selection.

    Attributes:
        selection: what it is sent, and how that is written.
        limits: what may wait for it.
        tally: where is counted what it was sent, and what it missed.
    """

    selection: Selection
    limits: LaneLimits
    tally: Tally


class Listener(Ending):
    """Messages that wait for one viewer, however they get to it.

    One that first catches up with what was recorded is offered nothing until it listens
    (`Hub.listen`), and takes nothing and is not judged until it is live (`go_live`).

    Attributes:
        terms: what it has in common with others.
        is_live: whether it is sent what is published, and judged by it.
        has_missed: whether something had to go since it began to listen, before it was live.
        is_held_up: says whether it is its connection that holds it up, and not the server, which
            may have more to write to everyone than it can. So long as nobody knows better, it is.
    """

    is_held_up: Callable[[], bool]

    def __init__(self, terms: Terms, now: float, *, catches_up: bool = False) -> None:
        super().__init__()
        self.terms: Final = terms
        self.is_live = not catches_up
        self.has_missed = False
        self._listens = not catches_up
        self._waits: Lanes | None = None  # most clients never need any
        self._after: Place | None = None  # what comes up to here is not for it
        self._unsettled: set[Kind] = set()  # kinds of which nothing has come after that place yet
        self._position = now

    @property
    def selection(self) -> Selection:
        """What it is sent, and how that is written."""
        return self.terms.selection

    @property
    def waiting(self) -> bool:
        """Whether there is a message to take."""
        return bool(self._waits)

    @property
    def waiting_bytes(self) -> int:
        """Bytes in its lanes."""
        return 0 if self._waits is None else self._waits.bytes

    @property
    def is_settled(self) -> bool:
        """Whether all that is published from now on is for it, whole, as for all others."""
        return self._after is None

    def offer(self, entry: Entry) -> None:
        """Let a new message wait; older ones may have to go for it."""
        if not self._listens:
            return
        if self._after is not None:
            own = _part_after(entry, self._after)
            if own is None:
                return
            entry = own
            self._settle(entry.message.kind)
        message = entry.message
        if not self.waiting:
            self._position = message.at
        lanes = self._lanes()
        lanes.reason = "slow" if self.is_held_up() else "busy"
        dropped = lanes.push(entry)
        if self.is_live:
            self.terms.tally.dropped[message.kind] += dropped
        elif dropped:
            self.has_missed = True

    def listen(self, after: Place) -> None:
        """Let what is published from now on wait, so far as it comes after a place.

        Again, it begins anew: what has waited is forgotten.
        """
        self._waits = None
        self._after = after
        self._unsettled = set(self.selection.kinds)
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

    def note_recorded(self, kind: Kind) -> None:
        """Learn that a recorded message has been written to the connection, all of it."""
        self.terms.tally.sent[kind] += 1

    def _settle(self, kind: Kind) -> None:
        """Note that a kind has gone beyond the place; a gap before the next one does as well."""
        self._unsettled.discard(kind)
        if not self._unsettled:
            self._after = None

    def _lanes(self) -> Lanes:
        if self._waits is None:
            self._waits = Lanes(self.terms.limits, "slow", self.selection.form)
        return self._waits


class Client(Listener):
    """A client that takes its messages one by one, as its connection comes to it."""

    def __init__(
        self, terms: Terms, now: float, greeting: Iterable[Entry] = (), *, catches_up: bool = False
    ) -> None:
        super().__init__(terms, now, catches_up=catches_up)
        self.is_held_up = lambda: True
        self._greeting = deque(() if catches_up else greeting)
        self._silence: Body | None = None
        self._in_hand: Kind | None = None
        self._something = asyncio.Event()

    @property
    def waiting(self) -> bool:
        """Whether there is a message to take."""
        return bool(self._greeting or self._waits)

    def take(self) -> tuple[Body, ...]:
        """Take what is to be sent next: a message, after the gap before it if any.

        Empty when there is nothing to send. A message counts as sent when `note_sent` says so.
        """
        self._in_hand = None
        if self._greeting:
            entry = self._greeting.popleft()
        elif self._waits:
            entry = self._waits.pop()
        else:
            silence, self._silence = self._silence, None
            return () if silence is None else (silence,)
        self._silence = None
        self._position = max(self._position, entry.message.at)
        gap, message = entry
        declared = () if gap is None else (gap.body,)
        if message.is_missing:
            return declared
        self._in_hand = message.kind
        return (*declared, message.body(self.selection.form))

    def note_sent(self) -> None:
        """Learn that what was taken last has been written to the connection, all of it."""
        if self._in_hand is not None:
            self.terms.tally.sent[self._in_hand] += 1
            self._in_hand = None

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
