"""The source whose ticks come over the network: a queue between the event loop and the engine.

::

    session ── put ──> messages ── iteration ──> ticks ──> camera
       ^                                                     │
       └──────────── tally, told when it changes ────────────┘

The loop puts whole messages, and reads no further while there is no room. The thread that iterates
finds the ticks in them. What the camera does with each comes back through `taken` and `refuse`.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.engine import TickError
from marketcam.io.sources import BadLine, MalformedLineError
from marketcam.io.tick_binary import TickBinaryError
from marketcam.server.ingest.ledger import Ledger, Tally
from marketcam.server.ingest.unpacking import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marketcam.engine import MarketCameraError, Tick
    from marketcam.server.ingest.ledger import Refusal

__all__ = ["ACK_TICKS", "IngestSource", "Progress"]

ACK_TICKS: Final = 64
"""Ticks after which a producer is told, at the latest."""


_MESSAGE_BYTES: Final = 256
"""What a message takes beside its data, counted so that many small ones are bounded too."""


class _Message(NamedTuple):
    tally: Tally
    data: bytes
    is_text: bool

    @property
    def size(self) -> int:
        """What it takes while it waits."""
        return len(self.data) + _MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class Progress:
    """What a producer can be told.

    Attributes:
        dealt: how many of its ticks were taken in or refused.
        refused: how many of these were refused.
        refusals: those of them that it has not been told.
        last_t: the last tick taken in, of any connection.
        is_idle: whether all that came is dealt with.
        broken: why its messages can no longer be counted, once that is so.
    """

    dealt: int
    refused: int
    refusals: tuple[Refusal, ...]
    last_t: int | None
    is_idle: bool
    broken: str | None


class IngestSource:
    """A `Source` of what producers send, one connection after the other.

    Attributes:
        name: what the log calls it.
        source: name of the simulator, None before the first producer. It can change until a tick
            has come.
        is_closed: whether nothing more is taken.
    """

    def __init__(self, queue_bytes: int, on_bad: Callable[[BadLine], None]) -> None:
        """Wait for producers.

        Args:
            queue_bytes: messages that wait at most; one that is longer passes when it is alone.
            on_bad: is called for a tick that cannot be read; what it raises ends the run.
        """
        self.name = "ticks of a producer"
        self.source: str | None = None
        self.is_closed = False
        self._queue_bytes = queue_bytes
        self._on_bad = on_bad
        self._place = ""
        self._messages: deque[_Message] = deque()
        self._waiting = 0
        self._ledger = Ledger()
        self._is_finished = False
        self._untold = 0
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._listener: Callable[[], None] | None = None
        self._on_named: Callable[[str], None] | None = None

    # ---- for the event loop ----

    def belongs_to_another(self, name: str) -> bool:
        """Return whether ticks of another source have come: those of a run are all of one."""
        has_ticks = self._ledger.last_t is not None or self._ledger.refused or not self._is_idle
        return bool(has_ticks) and self.source != name

    @property
    def is_finished(self) -> bool:
        """Whether a producer has said that its ticks are all there are."""
        return self._is_finished

    @property
    def is_connected(self) -> bool:
        """Whether there is a producer."""
        return self._listener is not None

    @property
    def has_room(self) -> bool:
        """Whether more may be put."""
        return self._waiting < self._queue_bytes or self.is_closed

    @property
    def waiting_bytes(self) -> int:
        """Bytes of messages whose ticks have not all been handed to the engine."""
        return self._waiting

    @property
    def waiting_messages(self) -> int:
        """Messages that wait, apart from the one in hand."""
        return len(self._messages)

    @property
    def last_t(self) -> int | None:
        """The last tick taken in."""
        return self._ledger.last_t

    @property
    def refused(self) -> int:
        """Ticks refused, of all connections."""
        return self._ledger.refused

    def figures(self) -> dict[str, object]:
        """Return how it is, for `/health`."""
        return {
            "source": self.source,
            "connected": self.is_connected,
            "ended": self._is_finished or self.is_closed,
            "last_t": self.last_t,
            "refused": self.refused,
            "queued_bytes": self.waiting_bytes,
            "queued_messages": self.waiting_messages,
        }

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Have a change told, from any thread: by a call that must not wait."""
        with self._lock:
            self._listener = listener

    def when_named(self, tell: Callable[[str], None]) -> None:
        """Have the source's name told once it cannot change any more: before its first tick.

        It is told in the thread that asks for ticks.
        """
        self._on_named = tell

    def put(self, tally: Tally, content: str | bytes) -> None:
        """Add a message, whether or not there is room."""
        is_text = isinstance(content, str)
        data = content.encode() if isinstance(content, str) else content
        with self._lock:
            if self.is_closed or self._is_finished or tally.broken is not None:
                return
            message = _Message(tally, data, is_text)
            self._messages.append(message)
            self._waiting += message.size
            self._came.notify()

    def finish(self) -> None:
        """End the ticks after those that are there."""
        with self._lock:
            self._is_finished = True
            self._came.notify()

    def progress(self, tally: Tally) -> Progress:
        """Return what has become of a connection's ticks; refusals are returned once."""
        with self._lock:
            refusals = tuple(tally.refusals)
            tally.refusals.clear()
            self._untold = 0
            return Progress(
                tally.dealt,
                tally.refused,
                refusals,
                self._ledger.last_t,
                self._is_idle,
                tally.broken,
            )

    # ---- for the engine ----

    @property
    def place(self) -> str:
        """Which tick of which source the last one was."""
        return self._place

    def __iter__(self) -> Iterator[Tick]:
        """Yield ticks as they come, until the source is finished or closed.

        Raises:
            MarketCameraError: what `on_bad` makes of a bad tick.
        """
        while (message := self._next()) is not None:
            yield from self._ticks(message)
            with self._lock:
                self._forget(message)

    def taken(self, t: int) -> None:
        """Note that the camera has taken in `t`, the oldest tick it was given."""
        with self._lock:
            self._ledger.settle_taken(t)
            self._note_settled()

    def refuse(self, error: TickError) -> None:
        """Note that the camera has refused the oldest tick it was given."""
        with self._lock:
            self._ledger.settle_refused(_number_of(error), str(error))
            self._note_settled()

    def close(self) -> None:
        """Take nothing more, and end the iteration; what waits is forgotten."""
        with self._lock:
            self.is_closed = True
            self._messages.clear()
            self._waiting = 0
            self._came.notify_all()
            self._tell()

    def _next(self) -> _Message | None:
        with self._lock:
            self._came.wait_for(lambda: self._messages or self._is_finished or self.is_closed)
            return self._messages.popleft() if self._messages else None

    def _ticks(self, message: _Message) -> Iterator[Tick]:
        tally = message.tally
        try:
            for read in unpack(message.data, is_text=message.is_text):
                if self.is_closed:
                    return
                self._tell_name(tally.source)
                self._place = f"tick {tally.given + 1} of {tally.source}"
                try:
                    tick = read()
                except (MalformedLineError, TickBinaryError, TickError) as error:
                    self._refuse_unread(tally, error)
                else:
                    with self._lock:
                        self._ledger.send(tally)
                    yield tick
        except TickBinaryError as error:
            self._break(tally, str(error))

    def _tell_name(self, name: str) -> None:
        tell, self._on_named = self._on_named, None
        if tell is not None:
            tell(name)

    def _refuse_unread(self, tally: Tally, error: MarketCameraError) -> None:
        with self._lock:
            self._ledger.refuse_unread(tally, _number_of(error), str(error))
            self._note_settled()
        self._on_bad(BadLine(tally.source, tally.given, error, "tick"))

    def _break(self, tally: Tally, problem: str) -> None:
        with self._lock:
            tally.broken = f"tick {tally.given + 1}: {problem}"
            for message in [m for m in self._messages if m.tally is tally]:
                self._messages.remove(message)
                self._forget(message)

    def _forget(self, message: _Message) -> None:
        had_room = self.has_room
        if not self.is_closed:
            self._waiting -= message.size
        if self._is_idle or not had_room:
            self._tell()

    @property
    def _is_idle(self) -> bool:
        return not self._waiting and self._ledger.is_clear

    def _note_settled(self) -> None:
        self._untold += 1
        if self._untold >= ACK_TICKS or self._is_idle:
            self._tell()

    def _tell(self) -> None:
        if self._listener is not None:
            with suppress(RuntimeError):  # the loop is closed by now
                self._listener()


def _number_of(error: MarketCameraError) -> int | None:
    t = error.t if isinstance(error, TickError) else None
    return t if isinstance(t, int) else None
