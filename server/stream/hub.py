"""Who is sent what, and what happens to those who are slow: the rules, without any socket.

The hub keeps the last metrics and the latest frame for those who connect, and passes every
message on to the audiences: the clients of one selection each. A client is never waited for: what
it has not taken yet waits in bounded lanes of its own (`marketcam.server.stream.lanes`), and a
client that stays too far behind is sent away.

All of it runs on the event loop, from one thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from marketcam.server.stream.audience import Audience
from marketcam.server.stream.client import Client, Tally, Terms
from marketcam.server.stream.direct import DirectClient
from marketcam.server.stream.ending import (
    GOING_AWAY,
    TRY_AGAIN_LATER,
    Closing,
    Ending,
    stalled,
)
from marketcam.server.stream.lanes import LaneLimits, joined
from marketcam.server.stream.messages import Entry, Message
from marketcam.server.stream.place import Place, Reach
from marketcam.server.stream.preparing import Preparing
from marketcam.server.stream.selection import PLAIN
from marketcam.server.stream.writing import FairWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from marketcam.server.stream.client import Listener
    from marketcam.server.stream.messages import Gap, Kind
    from marketcam.server.stream.selection import Form, Selection
    from marketcam.server.stream.writing import Wire

__all__ = ["GOING_AWAY", "TRY_AGAIN_LATER", "Hub", "HubOptions"]

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
            connecting, counted as they are sent, half of them for each kind; a single message may
            exceed that. The bytes are shared: a hundred slow clients hold one copy. A frame that
            waits holds more than is counted for it, as `Message` has it: its JSON text, whatever
            the client's form, the frame itself, and every form of it that anyone was sent.
        client_slow_seconds: a client this far behind is sent away.
        max_clients: clients at the same time; one more is sent away.
        steps: ticks from one message to the next, by kind, as `Selection.every` counts them.
    """

    connect_metrics: int = 300
    client_queue_bytes: int = 8 * 2**20
    client_slow_seconds: float = 60.0
    max_clients: int = 10_000
    steps: Mapping[Kind, int] = field(default_factory=dict)

    @property
    def client_limits(self) -> LaneLimits:
        """What may wait for one client, half of the bytes for each kind."""
        return LaneLimits(self.client_queue_bytes // 2, _CLIENT_MESSAGES, _FRAME_SECONDS)


class Hub:
    """Passes messages on to all clients and greets the new ones.

    Attributes:
        options: the limits.
        writer: shares the loop's time for writing out.
        passed: messages that came in, by kind.
        wanted: the forms that clients want; may be read from any thread.
        sent_away: clients that were closed for being too slow.
        reach: how far the run has come, None before the first message. What lies within it was
            given to the recorder before, what comes after it has yet to be published.
    """

    def __init__(
        self,
        options: HubOptions,
        clock: Callable[[], float] = time.monotonic,
        writer: FairWriter | None = None,
    ) -> None:
        """Start without clients; `clock` gives seconds, to tell who is behind."""
        self.options = options
        self.passed = {"metric": 0, "frame": 0}
        self.writer: Final = writer or FairWriter()
        self.wanted: frozenset[Form] = frozenset()
        self.sent_away = 0
        self._clock = clock
        self._clients: set[Listener] = set()
        self._plain: set[Client] = set()
        self._preparing = Preparing()
        self._tally = Tally()
        self._audiences: dict[Selection, Audience] = {}
        self._departing: dict[Listener, Audience] = {}
        self._guests: set[Ending] = set()
        self.reach: Reach | None = None
        self._metrics: deque[Entry] = deque(maxlen=options.connect_metrics)
        self._frame: Entry | None = None
        self._declared: dict[Kind, Gap] = {}  # after the last message of a kind
        self._closing: Closing | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def audiences(self) -> int:
        """Selections that clients have chosen."""
        return len(self._audiences)

    @property
    def sent(self) -> dict[str, int]:
        """Messages sent so far, by kind, counted for each client."""
        return dict(self._tally.sent)

    @property
    def dropped(self) -> dict[str, int]:
        """Messages that clients missed so far, by kind."""
        return dict(self._tally.dropped)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for clients, counted for each of them that does not keep up."""
        return sum(audience.waiting_bytes for audience in self._audiences.values())

    @property
    def behind(self) -> int:
        """Clients that do not keep up, or are written to by other means than our own."""
        return sum(len(audience.others) for audience in self._audiences.values())

    @property
    def round_bytes(self) -> int:
        """Bytes that wait for the next rounds of all audiences."""
        return sum(audience.round_bytes for audience in self._audiences.values())

    @property
    def fill(self) -> float:
        """How full the fullest audience is of what waits for its next round, 0 to 1."""
        return max((audience.fill for audience in self._audiences.values()), default=0.0)

    def publish(self, batch: list[Entry]) -> None:
        """Pass a batch on, in order, or begin to.

        Cost: about a system call a client, however many messages there are, so long as they are
        small; 1 µs a message and client that does not keep up.
        """
        now = self._clock()
        for entry in batch:
            entry.message.at = now
            self._remember(entry)
        self._note_reach(batch)
        for audience in list(self._audiences.values()):
            audience.publish(batch)
            self._judge(audience, now)
        for client in self._plain:
            client.wake()

    def declare(self, gaps: Iterable[Gap]) -> None:
        """Tell everyone of gaps without a message after them, in order, as of those with one."""
        self.publish([Entry(gap, Message.missing(gap.kind, gap.to_t)) for gap in gaps])

    def sweep(self, heartbeat_seconds: float, t: int | None) -> None:
        """See to what only time brings about: silences to break, clients to send away.

        Cost: about 1 µs a client that does not keep up, and 0.1 µs a silent one.

        Args:
            heartbeat_seconds: a client that was sent nothing for so long is sent a heartbeat.
            t: the last tick taken in, if any.
        """
        now, limit = self._clock(), self.options.client_slow_seconds
        for audience in list(self._audiences.values()):
            self._judge(audience, now)
            for client in audience.others:
                if isinstance(client, DirectClient) and client.has_stalled(now, limit):
                    self.send_away(client, stalled(limit))
            audience.sweep(now, heartbeat_seconds, t)

    def join(self, selection: Selection = PLAIN, *, catches_up: bool = False) -> Client:
        """Add a client that takes what it is sent by itself: what is kept, then what is published.

        One that `catches_up` is offered nothing of either until `listen`.

        When there is no place, or the hub is closed, the client it returns is closed already.
        """
        audience = self._audience(selection)
        greeting = audience.greeting(self._kept())
        client = Client(audience.terms, self._clock(), greeting, catches_up=catches_up)
        self._plain.add(client)
        self._add(client, audience)
        return client

    def join_directly(
        self, selection: Selection, wire: Wire, *, catches_up: bool = False
    ) -> DirectClient:
        """Add a client that is written to as `join` has it, what is kept at once."""
        audience = self._audience(selection)
        client = DirectClient(audience.terms, wire, audience, catches_up=catches_up)
        self._add(client, audience)
        if client.closing is None and not catches_up:
            audience.greet(client, self._kept)
        return client

    def begin_anew(self, steps: Mapping[Kind, int], closing: Closing) -> None:
        """Be ready for another run: whoever is here is closed, and nothing of the last is kept.

        Ticks begin anew with a run, so that no connection is sent messages of two.

        Args:
            steps: ticks from one message to the next, by kind, in the run that comes.
            closing: what those are told who are here.
        """
        for audience in self._audiences.values():
            self._departing.update(dict.fromkeys(audience.members, audience))
        self._audiences = {}
        self._note_wanted()
        for client in list(self._clients):
            client.close(*closing)
        self.options = replace(self.options, steps=steps)
        self._metrics.clear()
        self._frame = None
        self._declared.clear()
        self.reach = None

    def listen(self, client: Listener, after: Place) -> Reach | None:
        """Let what is published from now on wait for a client that catches up.

        Returns:
            How far the run has come: what lies up to there, and after `after`, the client has to
            be sent from the recording; what lies beyond both is offered to it.
        """
        client.listen(after if self.reach is None else max(after, self.reach.place))
        return self.reach

    def go_live(self, client: Listener) -> None:
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

    def send_away(self, client: Listener, reason: str) -> None:
        """Close a client that is too slow."""
        if client.closing is None:
            self.sent_away += 1
            client.close(TRY_AGAIN_LATER, reason)

    def leave(self, client: Listener) -> None:
        """Forget a client whose connection has ended."""
        self._clients.remove(client)
        if isinstance(client, Client):
            self._plain.remove(client)
        audience = self._departing.pop(client, None)
        if audience is not None:
            audience.remove(client)
        else:
            audience = self._audiences[client.selection]
            audience.remove(client)
            if not audience:
                del self._audiences[client.selection]
                self._note_wanted()
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
        """Note how far the run has come; what comes late, as at an edge, does not set it back."""
        last_t = {} if self.reach is None else dict(self.reach.last_t)
        for _, message in batch:
            last_t[message.kind] = max(message.t, last_t.get(message.kind, message.t))
        if last_t:
            place = max(Place.of(kind, t) for kind, t in last_t.items())
            self.reach = Reach(place, last_t)

    def _add(self, client: Listener, audience: Audience) -> None:
        audience.add(client)
        self._clients.add(client)
        self._empty.clear()
        limit = self.options.max_clients
        if self._closing is not None:
            client.close(*self._closing)
        elif len(self._clients) > limit:
            client.close(TRY_AGAIN_LATER, f"too many clients, the limit is {limit}")

    def _audience(self, selection: Selection) -> Audience:
        """Return those who chose a selection; the first of them founds it."""
        audience = self._audiences.get(selection)
        if audience is None:
            terms = Terms(selection, self.options.client_limits, self._tally)
            audience = Audience(
                terms, self.options.steps, self.writer, self._preparing, self._clock
            )
            self._audiences[selection] = audience
            self._note_wanted()
        return audience

    def _note_wanted(self) -> None:
        self.wanted = frozenset(selection.form for selection in self._audiences)

    def _remember(self, entry: Entry) -> None:
        gap, message = entry
        gap = joined(self._declared.pop(message.kind, None), gap)
        if message.is_missing:
            if gap is not None:
                self._declared[message.kind] = gap
            return
        self.passed[message.kind] += 1
        if message.kind == "metric":
            self._metrics.append(Entry(gap, message))
        else:
            self._frame = entry

    def _kept(self) -> list[Entry]:
        """Return what is kept: the metrics, then the frame, as the contract has it.

        A gap before the first metric or the frame lies before this client's time; one that was
        declared after the last of a kind does not.
        """
        entries = list(self._metrics)
        for i in range(min(1, len(entries))):
            entries[i] = Entry(None, entries[i].message)
        entries += self._kept_gap("metric") if entries else []
        if self._frame is not None:
            entries += [Entry(None, self._frame.message), *self._kept_gap("frame")]
        return entries

    def _kept_gap(self, kind: Kind) -> list[Entry]:
        gap = self._declared.get(kind)
        return [] if gap is None else [Entry(gap, Message.missing(kind, gap.to_t))]

    def _judge(self, audience: Audience, now: float) -> None:
        limit = self.options.client_slow_seconds
        for client in audience.others:
            behind = client.behind(now)
            if behind > limit:
                self.send_away(client, f"too slow: {behind:.0f} s behind, the limit is {limit:g} s")
