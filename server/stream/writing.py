"""Writing to many connections in turns, so that no large message holds the event loop.

A message of megabytes to fifty viewers is a tenth of a second of copying into the kernel. Here it
goes out in pieces: a pass of the loop writes for at most `PASS_SECONDS`, one piece to each
connection that has room before any gets its next, and the rest follows in later passes, between
which the loop does all else it has to do.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PASS_SECONDS", "PIECE_BYTES", "FairWriter", "Piece", "Turn", "Wire"]

Piece: TypeAlias = tuple[bytes | memoryview, ...]
"""A WebSocket frame, in parts: a view of a message that all share, behind a header of its own."""

PIECE_BYTES: Final = 64 * 1024
"""What is written to one connection before others have their turn."""

PASS_SECONDS: Final = 0.001
"""How long one pass of the loop may write. A piece that was begun is finished: 64 KB."""


class Wire(Protocol):
    """A connection below ASGI: it takes pieces that are framed already.

    Attributes:
        is_open: whether anything can still be written.
        has_room: whether it takes more now; what is written anyway waits in memory.
        lacked_room: whether there was a moment without room since it was last set to False.
        taken: bytes that the peer's side has taken so far; only its growth means something.
    """

    is_open: bool
    has_room: bool
    lacked_room: bool

    @property
    def write_bytes(self) -> Callable[[bytes], None]:
        """Writes bytes at once, and counts nothing; the way with the least in between."""

    @property
    def taken(self) -> int:
        """Count what is neither in our buffer nor in the kernel's."""

    def write(self, piece: Piece) -> None:
        """Write a piece at once."""

    def watch(
        self, on_change: Callable[[], None] | None, by_others: Callable[[], int] | None = None
    ) -> None:
        """Call back whenever there is room again, or none, and when the connection has ended.

        `by_others` says how many bytes were written by `write_bytes`, which does not count them.
        """

    def abort(self) -> None:
        """Cut the connection; what is not written yet never is."""


class Turn(Protocol):
    """Something that writes, a bounded part at a time, when its turn comes.

    Attributes:
        waits_its_turn: whether it is among those that wait; the writer's to set.
    """

    waits_its_turn: bool

    def can_go_on(self) -> bool:
        """Return whether there is something to write, and it can be written."""

    def write_part(self) -> None:
        """Write the next part, where that is still possible."""


class FairWriter:
    """Writes messages to wires, in turns. All of it runs on one event loop."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Start with nothing to write; `clock` gives seconds."""
        self._clock = clock
        self._ready: deque[Turn] = deque()
        self._until: float | None = None  # the end of this pass's time, where one is under way

    async def write(self, wire: Wire, pieces: tuple[Piece, ...]) -> None:
        """Write a message to a wire; one at a time for each wire.

        Cancelled, it leaves out the pieces that are not written yet.

        Raises:
            ConnectionError: the connection has ended, or is being closed.
        """
        if not wire.is_open:
            raise ConnectionResetError("the connection has ended")
        wire.lacked_room = not wire.has_room
        if len(pieces) == 1 and wire.has_room and self.is_free():
            wire.write(pieces[0])
            return
        transfer = _Transfer(wire, pieces, asyncio.get_running_loop().create_future())
        wire.watch(lambda: self.enter(transfer))
        try:
            self.enter(transfer)
            await transfer.done
        finally:
            wire.watch(None)
            transfer.end()

    def enter(self, turn: Turn) -> None:
        """Have something written in turns, behind those that wait for theirs, if it can be."""
        if not turn.waits_its_turn and turn.can_go_on():
            turn.waits_its_turn = True
            self._ready.append(turn)
            self.has_time()  # sees to it that a pass comes

    def is_free(self) -> bool:
        """Return whether something small may be written now: nobody waits, and there is time."""
        return not self._ready and self.has_time()

    def has_time(self) -> bool:
        """Return whether this pass may write on; its first writer begins its time."""
        if self._until is None:
            self._until = self._clock() + PASS_SECONDS
            asyncio.get_running_loop().call_soon(self._next_pass)
            return True
        return self._clock() < self._until

    def _next_pass(self) -> None:
        self._until = None
        while self._ready and self.has_time():
            turn = self._ready.popleft()
            turn.waits_its_turn = False
            turn.write_part()
            self.enter(turn)


class _Transfer:
    """A message on its way to one wire."""

    __slots__ = ("_left", "_wire", "done", "waits_its_turn")

    def __init__(self, wire: Wire, pieces: tuple[Piece, ...], done: asyncio.Future[None]) -> None:
        self.done = done
        self.waits_its_turn = False
        self._wire = wire
        self._left = deque(pieces)

    def can_go_on(self) -> bool:
        """Return whether a piece can be written; where that is the end of it, say so."""
        if self.done.done():
            return False
        if not self._wire.is_open:
            self.done.set_exception(ConnectionResetError("the connection has ended"))
        elif not self._left:
            self.done.set_result(None)
        return not self.done.done() and self._wire.has_room

    def write_part(self) -> None:
        """Write the next piece, where that is still possible."""
        if self.can_go_on():
            self._wire.write(self._left.popleft())

    def end(self) -> None:
        """Write nothing more."""
        self._left.clear()
        self.done.cancel()
