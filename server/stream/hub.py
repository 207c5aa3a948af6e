"""Who is sent what, and what happens to those who are slow: the rules, without any socket.

The hub keeps the last metrics and the latest frame for those who connect, and passes every
message on to everyone who is connected. A client is never waited for: what it has not taken yet
waits in bounded lanes of its own (`marketcam.server.stream.lanes`), and a client that stays too far
behind is sent away.

All of it runs on the event loop, from one thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from marketcam.server.stream.ending import GOING_AWAY, TRY_AGAIN_LATER, Closing, Ending
from marketcam.server.stream.lanes import LaneLimits, Lanes
from marketcam.server.stream.messages import Entry, heartbeat
from marketcam.server.stream.place import Place, Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from marketcam.server.stream.messages import Body, Encoding, Gap, Kind

__all__ = ["GOING_AWAY", "TRY_AGAIN_LATER", "Client", "Hub", "HubOptions"]

_CLIENT_MESSAGES: Final = 2**16
_FRAME_SECONDS: Final = 2.0
"""How old a frame may become while it waits for a client: a hiccup of either side costs none, and
whoever is further behind goes on with the latest."""


@dataclass(frozen=True, slots=True)
class HubOptions:
    """What is kept, and what a client may cost.

    Attributes:
        connect_metrics: metrics that a client is sent on connecting.
        client_queue_bytes: bytes that wait for one client at most, apart from what it is sent on
            connecting, counted as they are sent. The texts are shared: a hundred slow clients hold
            one copy. A frame that waits holds more than is counted for it: its JSON text, whatever
            the client's encoding, and its columns, encoded and not, a third of the text more.
        client_slow_seconds: a client this far behind is sent away.
        max_clients: clients at the same time; one more is sent away.
    """

    connect_metrics: int = 300
    client_queue_bytes: int = 8 * 2**20
    client_slow_seconds: float = 60.0
    max_clients: int = 4096

    @property
    def client_limits(self) -> LaneLimits:
        """What may wait for one client, half of the bytes for each kind."""
        return LaneLimits(self.client_queue_bytes // 2, _CLIENT_MESSAGES, _FRAME_SECONDS)


class Client(Ending):
    """What one viewer is still to be sent.

    One that first catches up with what was recorded is offered nothing until it listens
    (`Hub.listen`), and takes nothing and is not judged until it is live (`go_live`).

    Attributes:
        encoding: how it wants its frames.
        is_live: whether it is sent what is published, and judged by it.
        has_missed: whether something had to go since it began to listen, before it was live.
        is_held_up: says whether it is its connection that holds it up, and not the server, which
            may have more to write to everyone than it can. So long as nobody knows better, it is.
        sent: messages handed to its connection whole, by kind.
        dropped: messages missed, by kind.
    """

    def __init__(
        self, greeting: Iterable[Entry], limits: LaneLimits, now: float, encoding: Encoding
    ) -> None:
        super().__init__()
        self.encoding: Final[Encoding] = encoding
        self.is_live = True
        self.has_missed = False
        self.is_held_up: Callable[[], bool] = lambda: True
        self.sent = {"metric": 0, "frame": 0}
        self.dropped = {"metric": 0, "frame": 0}
        self._greeting = deque(greeting)
        self._limits = limits
        self._lanes = Lanes(limits, "slow", encoding)
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
        self._lanes = Lanes(self._limits, "slow", self.encoding)
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
        body = message.body(self.encoding)
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


class Hub:
    """Passes messages on to all clients and greets the new ones.

    Attributes:
        options: the limits.
        passed: messages that came in, by kind.
        wanted: the encodings of the clients there are; may be read from any thread.
        sent_away: clients that were closed for being too slow.
        reach: how far the run has come, None before the first message. What lies within it was
            given to the recorder before, what comes after it has yet to be published.
    """

    def __init__(self, options: HubOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without clients; `clock` gives seconds, to tell who is behind."""
        self.options = options
        self.passed = {"metric": 0, "frame": 0}
        self.wanted: frozenset[Encoding] = frozenset()
        self._wanted_by: Counter[Encoding] = Counter()
        self.sent_away = 0
        self._clock = clock
        self._clients: set[Client] = set()
        self._guests: set[Ending] = set()
        self.reach: Reach | None = None
        self._sent = {"metric": 0, "frame": 0}  # of the clients that have left; as is the next
        self._dropped = {"metric": 0, "frame": 0}
        self._metrics: deque[Entry] = deque(maxlen=options.connect_metrics)
        self._frame: Entry | None = None
        self._closing: Closing | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def sent(self) -> dict[str, int]:
        """Messages sent so far, by kind, counted for each client."""
        return _sums(self._sent, (client.sent for client in self._clients))

    @property
    def dropped(self) -> dict[str, int]:
        """Messages that clients missed so far, by kind."""
        return _sums(self._dropped, (client.dropped for client in self._clients))

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for clients, counted for each of them."""
        return sum(client.waiting_bytes for client in self._clients)

    def publish(self, batch: list[Entry]) -> None:
        """Pass a batch on, in order. Cost: about 1 µs a message and client."""
        now = self._clock()
        for entry in batch:
            entry.message.at = now
            self._remember(entry)
        self._note_reach(batch)
        for client in self._clients:
            for entry in batch:
                client.offer(entry)
            self._judge(client, now)
            client.wake()

    def join(self, encoding: Encoding = "json", *, catches_up: bool = False) -> Client:
        """Add a client; it is sent what is kept, then all that is published from now on.

        One that `catches_up` is offered nothing of either until `listen`.

        When there is no place, or the hub is closed, the client it returns is closed already.
        """
        limits = self.options.client_limits
        client = Client(self._greeting(), limits, self._clock(), encoding)
        if self._closing is not None:
            client.close(*self._closing)
        elif len(self._clients) >= self.options.max_clients:
            client.close(
                TRY_AGAIN_LATER, f"too many clients, the limit is {self.options.max_clients}"
            )
        if catches_up:
            client.catch_up()
        self._clients.add(client)
        self._count(encoding, 1)
        self._empty.clear()
        return client

    def listen(self, client: Client, after: Place) -> Reach | None:
        """Let what is published from now on wait for a client that catches up.

        Returns:
            How far the run has come: what lies up to there, and after `after`, the client has to
            be sent from the recording; what lies beyond both is offered to it.
        """
        client.listen(after if self.reach is None else max(after, self.reach.place))
        return self.reach

    def go_live(self, client: Client) -> None:
        """Send a client that has caught up what waits for it, then what is published."""
        client.go_live(self._clock())

    def admit(self, guest: Ending) -> None:
        """Add a connection that is sent nothing of the stream, and is closed with the others."""
        if self._closing is not None:
            guest.close(*self._closing)
        self._guests.add(guest)
        self._empty.clear()

    def dismiss(self, guest: Ending) -> None:
        """Forget such a connection, which has ended."""
        self._guests.remove(guest)
        self._note_empty()

    def send_away(self, client: Client, reason: str) -> None:
        """Close a client that is too slow."""
        if client.closing is None:
            self.sent_away += 1
            client.close(TRY_AGAIN_LATER, reason)

    def leave(self, client: Client) -> None:
        """Forget a client whose connection has ended."""
        self._clients.remove(client)
        self._count(client.encoding, -1)
        self._sent = _sums(self._sent, [client.sent])
        self._dropped = _sums(self._dropped, [client.dropped])
        self._note_empty()

    async def close(self, code: int, reason: str) -> None:
        """Close all clients and guests, and every later one, and wait until they have left."""
        self._closing = self._closing or Closing(code, reason)
        for connected in (*self._clients, *self._guests):
            connected.close(*self._closing)
        await self._empty.wait()

    def _note_empty(self) -> None:
        if not self._clients and not self._guests:
            self._empty.set()

    def _note_reach(self, batch: list[Entry]) -> None:
        last_t = {} if self.reach is None else dict(self.reach.last_t)
        for _, message in batch:
            last_t[message.kind] = message.t
        if batch:
            last = batch[-1].message
            self.reach = Reach(Place.of(last.kind, last.t), last_t)

    def _count(self, encoding: Encoding, change: int) -> None:
        self._wanted_by[encoding] += change
        self.wanted = frozenset(+self._wanted_by)

    def _remember(self, entry: Entry) -> None:
        self.passed[entry.message.kind] += 1
        if entry.message.kind == "metric":
            self._metrics.append(entry)
        else:
            self._frame = entry

    def _greeting(self) -> list[Entry]:
        """Return what is kept: the metrics, then the frame, as the contract has it.

        A gap before the first metric or the frame lies before this client's time.
        """
        entries = list(self._metrics)
        for i in range(min(1, len(entries))):
            entries[i] = Entry(None, entries[i].message)
        if self._frame is not None:
            entries.append(Entry(None, self._frame.message))
        return entries

    def _judge(self, client: Client, now: float) -> None:
        behind, limit = client.behind(now), self.options.client_slow_seconds
        if behind > limit:
            self.send_away(client, f"too slow: {behind:.0f} s behind, the limit is {limit:g} s")


def _part_after(entry: Entry, after: Place) -> Entry | None:
    """Return an entry as far as it comes after a place; None where nothing of it does."""
    gap, message = entry
    if Place.of(message.kind, message.t) <= after:
        return None
    return Entry(None if gap is None else _gap_after(gap, after), message)


def _gap_after(gap: Gap, after: Place) -> Gap | None:
    first_t = max(gap.from_t, after.first_t_after(gap.kind))
    return replace(gap, from_t=first_t) if first_t <= gap.to_t else None


def _sums(first: dict[str, int], others: Iterable[dict[str, int]]) -> dict[str, int]:
    sums = dict(first)
    for counts in others:
        for kind, count in counts.items():
            sums[kind] += count
    return sums
