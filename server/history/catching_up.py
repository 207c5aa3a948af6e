"""From the recording to the present, without a hole and without a double.

A message is given to the recorder before it is published. So what the hub has published by some
moment is on disk after a flush, and what it publishes later waits for the client from that moment
on: the two parts meet at one place of the run, and share nothing. The rest is patience: what has
been recorded since is read until what is published meanwhile finds room in the client's lanes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, cast

from marketcam.server.errors import ServerError
from marketcam.server.history.history import TooManyError, tell_unreadable
from marketcam.server.history.recorded import View
from marketcam.server.logs import get_logger
from marketcam.server.stream.ending import FAULT, TRY_AGAIN_LATER
from marketcam.server.stream.place import Place

if TYPE_CHECKING:
    from types import TracebackType

    from marketcam.io.store import Run
    from marketcam.server.history.history import Seats
    from marketcam.server.history.pieces import Piece
    from marketcam.server.history.recorded import Told
    from marketcam.server.stream.client import Listener
    from marketcam.server.stream.connection import Connection
    from marketcam.server.stream.hub import Hub
    from marketcam.server.stream.messages import Kind
    from marketcam.server.stream.place import Reach
    from marketcam.server.stream.selection import FilmedWith

__all__ = ["OutOfReachError", "Reading", "Recording", "catch_up"]

log = get_logger(__name__)


class OutOfReachError(ServerError):
    """The recording lies elsewhere, and cannot be had now."""


class Reading(Protocol):
    """Reads messages, a bounded piece at a time; an asynchronous context manager."""

    async def __aenter__(self) -> Self:
        """Begin."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Read no more."""

    async def next(self) -> Piece[Told]:
        """Return the next piece."""


class Recording(Protocol):
    """What is caught up with, wherever it lies; as `History` has it."""

    @property
    def readers(self) -> Seats:
        """Who reads it."""

    @property
    def filmed(self) -> FilmedWith:
        """With what the current run is filmed."""

    async def current_run(self) -> Run:
        """Return the current run."""

    async def reach(self, run: Run) -> Reach | None:
        """Return how far it can be read."""

    async def flush(self) -> None:
        """See to it that it can be read as far as the hub has come."""

    def messages(self, view: View, after: Place, reach: Reach | None) -> Reading:
        """Return what reads it."""


async def catch_up(
    history: Recording, hub: Hub, client: Listener, connection: Connection, from_t: int
) -> None:
    """Send a client what was recorded from a tick on, and make it live where that ends.

    Where that cannot be done, the client is closed: with 1013 when too many read, with 1011 at
    damage, after all that came before it.
    """
    try:
        with history.readers.seat():
            after = await _CatchingUp(history, hub, client, connection).run(Place.before(from_t))
    except (TooManyError, OutOfReachError) as error:
        client.close(TRY_AGAIN_LATER, str(error))
    else:
        log.debug("client_caught_up", t=after.t)


class _CatchingUp:
    def __init__(
        self, history: Recording, hub: Hub, client: Listener, connection: Connection
    ) -> None:
        self._history = history
        self._hub = hub
        self._client = client
        self._connection = connection

    async def run(self, after: Place) -> Place:
        """Send all that comes after a place, up to where the client is live; return that place."""
        history, hub, client = self._history, self._hub, self._client
        run = await history.current_run()
        selection = client.selection
        view = View(run, selection.kinds, selection.form, selection.every, history.filmed)
        after = await self._send(view, after, await history.reach(run))
        while client.closing is None:
            reach = hub.listen(client, after)
            if reach is not None and reach.place > after:
                await history.flush()
                after = await self._send(view, after, reach)
            if not client.has_missed:
                hub.go_live(client)
                break
        return after

    async def _send(self, view: View, after: Place, reach: Reach | None) -> Place:
        """Send what was recorded after a place, as far as the run has come; return that place."""
        if reach is None or reach.place <= after:
            return after
        async with self._history.messages(view, after, reach) as pieces:
            while self._client.closing is None:
                piece = await pieces.next()
                for item in piece.items:
                    await self._connection.say(item.body)
                    if item.kind != "gap":
                        self._client.note_recorded(cast("Kind", item.kind))
                if piece.error is not None:
                    self._end(view.run, piece.error)
                if piece.is_last:
                    break
        return reach.place

    def _end(self, run: Run, error: Exception) -> None:
        tell_unreadable("history_unreadable", error, run=run.id)
        if isinstance(error, OutOfReachError):
            self._client.close(TRY_AGAIN_LATER, str(error))
        else:
            self._client.close(FAULT, "the recording is damaged, see the server's log")
