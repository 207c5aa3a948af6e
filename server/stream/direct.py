"""A client whose transport is written to directly: no task of its own, no event, no queue.

While it is fast, its audience writes to it. Once its transport has no room it goes on by itself:
what is published waits in its lanes, and leaves when there is room again, small messages joined
into one write, large ones piece by piece in turns with all other connections (`FairWriter`). When
it has been sent all of that, it goes back to its audience.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.server.logs import get_logger
from marketcam.server.stream.client import Listener, Terms
from marketcam.server.stream.joining import counts_of, in_few, pieces_of
from marketcam.server.stream.writing import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from marketcam.server.stream.audience import Audience
    from marketcam.server.stream.joining import Greeting
    from marketcam.server.stream.messages import Body, Entry
    from marketcam.server.stream.writing import Piece, Wire

__all__ = ["DirectClient"]

_FIN = 0x80
_LOOKS = 4
"""How often, within the time a peer may take nothing, it is looked whether it did."""

_PIECES_AT_ONCE: Final = 8
"""Pieces that are written in a turn: 512 KB, about 0.1 ms. A turn costs its 10 µs however much it
writes; with one piece each, a large message took the loop twice as long as the copying alone."""

log = get_logger(__name__)


class _Word(NamedTuple):
    """Something said to this client alone."""

    pieces: tuple[Piece, ...]
    said: asyncio.Future[None]


class DirectClient(Listener):
    """A client on a `Wire`. It is a `Turn` of the writer while it goes on by itself.

    Attributes:
        wire: its connection.
        write: writes bytes to it at once.
        waits_its_turn: the writer's to set.
        is_fast: whether its audience writes to it.
        spoke_at: when it was last sent something, by itself or, up to when it left the fast ones,
            by its audience.
        on_closing: called once when it is to end.
    """

    def __init__(
        self, terms: Terms, wire: Wire, audience: Audience, *, catches_up: bool = False
    ) -> None:
        now = audience.clock()
        super().__init__(terms, now, catches_up=catches_up)
        self.wire = wire
        self.write = wire.write_bytes
        self.waits_its_turn = False
        self.is_fast = False
        self.spoke_at = now
        self.on_closing: Callable[[], None] | None = None
        self._audience = audience
        self._hand: tuple[Piece, ...] = ()
        self._next = 0  # piece of it
        self._counts: Mapping[str, int] = {}  # messages in hand
        self._is_mid_message = False
        self._is_preparing = False
        self._greeting: Sequence[Entry] = ()  # what is not in hand yet, from this one on
        self._greeted = 0
        self._words: deque[_Word] | None = None
        self._word: asyncio.Future[None] | None = None  # in hand
        self._finished: asyncio.Future[None] | None = None
        self._round_bytes = 0  # written by the audience before, and what it had written then
        self._bytes_before = 0
        self._taken = wire.taken
        self._took_at = self._look_at = now
        wire.watch(self._change, self._bytes_by_rounds)

    def is_held_up(self) -> bool:
        """Return whether it is its connection that holds it up."""
        return self.wire.lacked_room

    def greet(self, greeting: Greeting) -> None:
        """Be sent what those who come are sent, before anything else."""
        self._take_in_hand(greeting.pieces, greeting.counts)
        if greeting.more:
            self._greeting, self._greeted = greeting.more, 0
        for entry in greeting.rest:
            self.offer(entry)
        if self._hand and self._audience.writer.is_free():
            self.write_part()
        self.go_on()

    def become_fast(self, written: int) -> None:
        """Be written to by the audience from now on; it has written so many bytes by now."""
        assert not self._has_more()  # noqa: S101 - it would never be sent
        self.is_fast = True
        self._bytes_before = written

    def leave_fast(self, written: int, spoke_at: float) -> None:
        """Go on by itself; the audience had written so many bytes by now, and spoke then."""
        self.is_fast = False
        self._round_bytes += written - self._bytes_before
        self.spoke_at = max(self.spoke_at, spoke_at)
        self._took_at = self._audience.clock()
        if self.wire.is_open:
            self._taken = self.wire.taken
        self.wire.lacked_room = not self.wire.has_room

    def leave(self) -> None:
        """Have nothing to do with the connection any more, which has ended or soon does."""
        self.wire.watch(None)
        self.is_live = self._listens = False
        self._waits = None
        self._greeting = ()

    def go_live(self, now: float) -> None:
        """Be sent what waits, and be judged by that from now on."""
        super().go_live(now)
        self.go_on()

    def go_on(self) -> None:
        """Send what there is to send; where there is nothing, return to the fast ones."""
        if self.is_fast or not self.wire.is_open or not self.wire.has_room:
            return
        if self._has_more():
            self._audience.writer.enter(self)
        elif self.is_live and self.closing is None and not self._is_preparing:
            self._audience.welcome(self)

    def can_go_on(self) -> bool:
        """Return whether there is something to write, and it can be written."""
        return self.wire.is_open and self.wire.has_room and self._has_more()

    def write_part(self) -> None:
        """Write the next pieces; after the last, return to the fast ones."""
        if not self.can_go_on():
            return
        if not self._hand:
            self._fill_hand()
        if self._hand:
            pieces = self._hand[self._next : self._next + _PIECES_AT_ONCE]
            self._next += len(pieces)
            self._is_mid_message = not pieces[-1][0][0] & _FIN
            try:
                self.wire.write(tuple(chain.from_iterable(pieces)))
            except Exception as error:  # noqa: BLE001 - one connection's fault is not the others'
                self.fail(error)
            if self._next == len(self._hand) or (self.closing and not self._is_mid_message):
                self._empty_hand()
        self.go_on()

    async def say(self, body: Body) -> None:
        """Send this client alone a message, unless it is to end before that has begun.

        Raises:
            ConnectionError: the connection has ended.
        """
        if not body.is_ready:
            await asyncio.to_thread(body.prepare)
        if self.closing is not None:
            return
        if not self.wire.is_open:
            raise ConnectionResetError("the connection has ended")
        if self.is_fast and len(body.pieces) > 1:  # nothing may come between them
            self._audience.fall_behind(self)
        word = _Word(body.pieces, asyncio.get_running_loop().create_future())
        words = self._words = deque() if self._words is None else self._words
        words.append(word)
        try:
            if not self.waits_its_turn and self._audience.writer.is_free():
                self.write_part()
            self._audience.writer.enter(self)
            await word.said
        finally:
            if word in words:
                words.remove(word)

    def break_silence(self, body: Body, now: float) -> None:
        """Send a heartbeat, unless it is being sent something else, or has no room."""
        wire = self.wire
        if self.closing is None and not self._has_more() and wire.is_open and wire.has_room:
            self.spoke_at = now
            wire.write(body.pieces[0])

    def has_stalled(self, now: float, limit: float) -> bool:
        """Return whether its peer has taken nothing for so many seconds while more waited.

        A peer that reads slowly is none that has stopped. What counts is a piece's worth: a few
        bytes now and then would hold a place for ever.
        """
        if self.is_fast or now < self._look_at or not self.wire.is_open:
            return False
        self._look_at = now + limit / _LOOKS
        if self.wire.has_room or self.wire.taken - self._taken >= PIECE_BYTES:
            self._taken, self._took_at = self.wire.taken, now
        return now - self._took_at >= limit

    def close(self, code: int, reason: str) -> None:
        """End its connection; a message of which a part is written is finished before."""
        if self.closing is not None:
            return
        super().close(code, reason)
        self._listens = False
        self._waits = None
        self._greeting = ()
        if self.is_fast:
            self._audience.fall_behind(self)
        if not self._is_mid_message:
            self._empty_hand()
        self._release_words(None)
        if self.on_closing is not None:
            self.on_closing()

    async def finish(self) -> None:
        """Wait until no message is begun that is not written whole, or the connection has ended."""
        if self._is_mid_message and self.wire.is_open:
            self._finished = asyncio.get_running_loop().create_future()
            await self._finished

    def fail(self, error: Exception) -> None:
        """Cut a connection that cannot be written to."""
        log.error("client_failed", error=f"{type(error).__name__}: {error}")
        self.wire.abort()

    @property
    def waiting(self) -> bool:
        """Whether there is a message to take."""
        return bool(self._waits)

    def _bytes_by_rounds(self) -> int:
        now = self._audience.bytes - self._bytes_before if self.is_fast else 0
        return self._round_bytes + now

    def _has_more(self) -> bool:
        if self._hand or self._words or self._greeting:
            return True
        return self.is_live and bool(self._waits) and not self._is_preparing

    def _take_in_hand(self, pieces: tuple[Piece, ...], counts: Mapping[str, int]) -> None:
        self._hand, self._next, self._counts = pieces, 0, counts

    def _fill_hand(self) -> None:
        """Take in hand what is to be written next: what is said to it alone, or what waits."""
        if self._words:
            word = self._words.popleft()
            self._word = word.said
            self._take_in_hand(word.pieces, {})
        elif self._greeting:
            self._take_of_greeting()
        elif self._waits:
            self._take_waiting()

    def _take_of_greeting(self) -> None:
        """Take the next of the greeting in hand, as many as leave in one write."""
        form = self.selection.form
        pieces: list[Piece] = []
        start, size = self._greeted, 0
        while self._greeted < len(self._greeting) and size < PIECE_BYTES:
            entry = self._greeting[self._greeted]
            own = pieces_of(entry, form)
            size += sum(map(len, chain.from_iterable(own)))
            pieces += own
            self._greeted += 1
        counts = counts_of(self._greeting[start : self._greeted])
        if self._greeted == len(self._greeting):
            self._greeting = ()
        self._take_in_hand(tuple(in_few(pieces)), counts)

    def _take_waiting(self) -> None:
        """Take the next messages in hand, as many as leave in one write; or have them made."""
        assert self._waits is not None  # noqa: S101 - whoever calls this has seen them
        self.wire.lacked_room = False
        form = self.selection.form
        waits, body = self._waits, self._waits.peek().body(form)
        if not body.is_ready:
            self._is_preparing = True
            self._audience.preparing.prepare(body, self._note_ready)
            return
        entries: list[Entry] = []
        size = 0
        while waits and (not entries or size + waits.next_size <= PIECE_BYTES):
            if not waits.peek().body(form).is_ready:
                break
            size += waits.next_size
            entries.append(waits.pop())
        self._position = max(self._position, entries[-1].message.at)
        pieces = tuple(in_few(chain.from_iterable(pieces_of(entry, form) for entry in entries)))
        self._take_in_hand(pieces, counts_of(entries))

    def _empty_hand(self) -> None:
        """Let go of what was in hand: all of it is written, or no more of it is to be."""
        if self._next == len(self._hand):
            for kind, count in self._counts.items():
                self.terms.tally.sent[kind] += count
            self.spoke_at = self._audience.clock()
        self._take_in_hand((), {})
        for future in (self._word, self._finished):
            if future is not None and not future.done():
                future.set_result(None)
        self._word = None

    def _note_ready(self, problem: Exception | None) -> None:
        self._is_preparing = False
        if problem is None:
            self.go_on()
        else:
            self.fail(problem)

    def _change(self) -> None:
        """Learn that there is room again, or none, or that the connection has ended."""
        if not self.wire.is_open:
            self._listens = False
            self._is_mid_message = False
            if self.is_fast:
                self._audience.fall_behind(self)
            if self._finished is not None and not self._finished.done():
                self._finished.set_result(None)
            self._release_words(ConnectionResetError("the connection has ended"))
        elif not self.wire.has_room:
            if self.is_fast:
                self._audience.fall_behind(self)
        else:
            self.go_on()

    def _release_words(self, error: Exception | None) -> None:
        """Have nobody wait for what will not be said."""
        words, self._words = self._words or (), None
        waiting = [word.said for word in words]
        if error is not None and self._word is not None:
            waiting.append(self._word)
        for said in waiting:
            if not said.done():
                said.set_result(None) if error is None else said.set_exception(error)
