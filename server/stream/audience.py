"""The clients of one selection, who are sent the same bytes.

Who keeps up costs a call of its transport a round and nothing else: what the clients of a round
have in common (what they were sent, when, up to where) is kept here, once for all of them. Two
rules make that safe. Whoever is *fast* has been sent, or is owed by one of the rounds under way,
all that was published, but for what waits in the lanes of the audience. Everyone else has in lanes
of its own all that it is still to be sent. So a client may come to the fast ones, between two
rounds or in the middle of one, whenever nothing waits in the lanes here; and one that leaves them
takes with it the round that has not come to it yet, if any, and what waits here.

A round over very many clients takes a while. What is published meanwhile goes with it to those it
has not come to yet, and behind it to the others: all are written to in turn, again and again, each
time with all there is.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from marketcam.server.stream.direct import DirectClient
from marketcam.server.stream.joining import Greeting, join_pieces
from marketcam.server.stream.lanes import Lanes
from marketcam.server.stream.messages import heartbeat
from marketcam.server.stream.sieve import Sieve
from marketcam.server.stream.writing import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from marketcam.server.stream.client import Listener, Terms
    from marketcam.server.stream.messages import Entry, Kind
    from marketcam.server.stream.preparing import Preparing
    from marketcam.server.stream.writing import FairWriter

__all__ = ["Audience"]

_ROUND_PART: Final = 128
"""Clients that a round writes to before it looks at the clock: some tenths of a millisecond."""

_ROUND_MESSAGES: Final = 4096
"""Messages of a round at most, of those that waited for it; so many are joined in about 1 ms."""


_ROUNDS: Final = 8
"""Rounds at the same time at most. Each has what it is still to send joined anew by a batch."""


class _Round:
    """One write to each of some fast clients, who are all owed the same."""

    __slots__ = ("_left", "data", "entries")

    def __init__(
        self, entries: list[Entry], data: bytes, clients: dict[DirectClient, None]
    ) -> None:
        self.entries = entries
        self.data = data
        self._left = clients

    @property
    def is_over(self) -> bool:
        """Whether nobody is left to be written to."""
        return not self._left

    def join(self, entries: list[Entry], data: bytes) -> None:
        """Owe more to those who are left."""
        self.entries = [*self.entries, *entries]
        self.data += data

    def next_part(self) -> list[DirectClient]:
        """Return the next to be written to, who are not left from now on."""
        part = list(islice(self._left, _ROUND_PART))
        for client in part:
            del self._left[client]
        return part

    def forget(self, client: DirectClient) -> bool:
        """Leave a client out; return whether it was still to be written to."""
        if client not in self._left:
            return False
        del self._left[client]
        return True


class Audience:
    """The clients of one selection. It is a `Turn` of the writer while rounds are under way.

    Attributes:
        waits_its_turn: the writer's to set.
        spoke_at: when the last batch began to be sent to who is fast.
        terms: what its clients have in common.
        writer, preparing, clock: what all audiences share.
        bytes: written to each fast client so far; only differences mean something.
    """

    def __init__(
        self,
        terms: Terms,
        steps: Mapping[Kind, int],
        writer: FairWriter,
        preparing: Preparing,
        clock: Callable[[], float],
    ) -> None:
        self.waits_its_turn = False
        self.spoke_at = -math.inf
        self.bytes = 0
        self.terms: Final = terms
        self._sieve = Sieve(terms.selection, steps)
        self._steps = steps
        self.writer: Final = writer
        self.preparing: Final = preparing
        self.clock: Final = clock
        self._lanes = self._new_lanes()
        self._fast: dict[DirectClient, None] = {}
        self._others: dict[Listener, None] = {}
        self._drained: dict[DirectClient, None] = {}  # of the others, who wait to be fast again
        self._rounds: deque[_Round] = deque()
        self._served: dict[DirectClient, None] = {}  # of the fast, who are owed nothing by a round
        self._greeting: Greeting | None = None

    def __len__(self) -> int:
        return len(self._fast) + len(self._others)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait: here, once for all who are fast, and for each of the others."""
        return self._lanes.bytes + sum(client.waiting_bytes for client in self._others)

    @property
    def round_bytes(self) -> int:
        """Bytes that wait for the end of the rounds, once for all who are fast."""
        return self._lanes.bytes

    @property
    def fill(self) -> float:
        """How full it is of what waits for all who are fast, 0 to 1."""
        return self._lanes.fill

    @property
    def others(self) -> list[Listener]:
        """All who are not fast."""
        return list(self._others)

    @property
    def members(self) -> list[Listener]:
        """All who are in it."""
        return [*self._fast, *self._others]

    def greeting(self, kept: Iterable[Entry]) -> list[Entry]:
        """Return what is wanted of the messages that are kept for those who come."""
        return Sieve(self.terms.selection, self._steps).sift_kept(kept)

    def add(self, client: Listener) -> None:
        """Offer a client what is published from now on."""
        self._others[client] = None

    def greet(self, client: DirectClient, kept: Callable[[], Iterable[Entry]]) -> None:
        """Send a new client what is kept; made once for all who come between two batches."""
        if self._greeting is None:
            self._greeting = Greeting.of(self.greeting(kept()), self.terms.selection.form)
        client.greet(self._greeting)

    def remove(self, client: Listener) -> None:
        """Forget a client."""
        self._others.pop(client, None)
        if isinstance(client, DirectClient):
            self._drained.pop(client, None)
            if client in self._fast:
                self._take_out(client)
            client.leave()

    def publish(self, batch: list[Entry]) -> None:
        """Send a batch to everyone, as far as it is wanted, or let it wait."""
        self._greeting = None  # the latest frame is in it, even where it is not wanted of live
        entries = self._sieve.sift(batch)
        if not entries:
            return
        for client in list(self._others):
            for entry in entries:
                client.offer(entry)
        if not self._rounds:
            self._begin(entries)
        elif not self._join(entries):
            self._let_wait(entries)
        self._let_drained_go_on()
        while self._rounds and self.writer.has_time():
            self.write_part()
        self.writer.enter(self)

    def can_go_on(self) -> bool:
        """Return whether a round is under way."""
        return bool(self._rounds)

    def write_part(self) -> None:
        """Write to the next clients of the first round; after the last, send what has waited."""
        if not self._rounds:
            return
        under_way = self._rounds[0]
        clients = under_way.next_part()
        self._served.update(dict.fromkeys(clients))  # a write may have one of them leave these
        data = under_way.data
        for client in clients:
            try:
                client.write(data)
            except Exception as error:  # noqa: BLE001 - one connection's fault is not the others'
                client.fail(error)
        for _, message in under_way.entries:
            if not message.is_missing:
                self.terms.tally.sent[message.kind] += len(clients)
        if under_way.is_over:
            self._rounds.popleft()
            if not self._rounds and self._lanes:
                self._begin(self._lanes.drain(_ROUND_MESSAGES, PIECE_BYTES))
            self._let_drained_go_on()

    def welcome(self, client: DirectClient) -> None:
        """Take a client among the fast ones, who has been sent all that it was offered."""
        if self._lanes or not client.is_settled:
            self._drained[client] = None
        else:
            self._others.pop(client, None)
            self._fast[client] = None
            self._served[client] = None
            client.become_fast(self.bytes)

    def fall_behind(self, client: DirectClient) -> None:
        """Let a fast client go on by itself, with all that it is still to be sent."""
        owed = self._take_out(client)
        self._others[client] = None
        for entry in owed:
            client.offer(entry)

    def sweep(self, now: float, heartbeat_seconds: float, t: int | None) -> None:
        """Break the silence to whoever was sent nothing for so long; `t` is the last tick."""
        body, due = heartbeat(t), now - heartbeat_seconds
        silent: list[Listener] = list(self._others)
        if self.spoke_at <= due:
            silent += self._fast
        for client in silent:
            if isinstance(client, DirectClient) and client.spoke_at <= due:
                client.break_silence(body, now)

    def _take_out(self, client: DirectClient) -> list[Entry]:
        """Have a client no longer among the fast ones; return what it is still to be sent."""
        del self._fast[client]
        self._served.pop(client, None)
        owed: list[Entry] = []
        sent_bytes = self.bytes
        for under_way in self._rounds:
            if under_way.forget(client):
                owed += under_way.entries
                sent_bytes -= len(under_way.data)
        client.leave_fast(sent_bytes, self.spoke_at)
        return owed + self._lanes.entries()

    def _new_lanes(self) -> Lanes:
        return Lanes(self.terms.limits, "busy", self.terms.selection.form)

    def _let_wait(self, entries: list[Entry]) -> None:
        """Let a batch wait for the end of the rounds."""
        for entry in entries:
            dropped = self._lanes.push(entry)
            self.terms.tally.dropped[entry.message.kind] += dropped * len(self._fast)

    def _begin(self, entries: list[Entry]) -> None:
        """Begin a round; where that is none of small messages, let each client go on by itself."""
        data = join_pieces(entries, self.terms.selection.form)
        if data is None:
            for client in list(self._fast):
                owed = self._take_out(client)
                self._others[client] = None
                for entry in (*entries, *owed):
                    client.offer(entry)
                client.go_on()
        elif self._fast:
            self._owe(entries, data)
        if not self._fast and self._lanes:  # which is owed to nobody any more
            self._lanes = self._new_lanes()

    def _join(self, entries: list[Entry]) -> bool:
        """Have a batch leave with the rounds, if they are few, and what they send stays small.

        Whoever has not been written to yet gets it in the same write, whoever has, in a round that
        comes after. So it reaches everyone within one turn of all, where waiting for the end of
        the rounds would take up to two.
        """
        if self._lanes or len(self._rounds) >= _ROUNDS:
            return False
        data = join_pieces(entries, self.terms.selection.form)
        most = min(PIECE_BYTES, self.terms.limits.lane_bytes)
        if data is None or len(self._rounds[0].data) + len(data) > most:
            return False
        for under_way in self._rounds:
            under_way.join(entries, data)
        self._owe(entries, data)
        return True

    def _owe(self, entries: list[Entry], data: bytes) -> None:
        """Have a round for those who are owed nothing yet; all who are fast are sent this."""
        self.spoke_at = self.clock()
        self.bytes += len(data)
        if self._served:
            served, self._served = self._served, {}
            self._rounds.append(_Round(entries, data, served))

    def _let_drained_go_on(self) -> None:
        """Let those who waited for it be fast again, or send what they have been offered since."""
        drained, self._drained = self._drained, {}
        for client in drained:
            client.go_on()
