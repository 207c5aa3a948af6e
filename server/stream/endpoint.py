"""The WebSocket endpoint `/ws/stream`: a hub's client on one side, a connection on the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from marketcam.server.history.catching_up import catch_up
from marketcam.server.stream.connection import WIRE, Connection, DirectConnection
from marketcam.server.stream.deflate import has_agreed
from marketcam.server.stream.forms import Forms, TooManyFormsError
from marketcam.server.stream.messages import heartbeat
from marketcam.server.stream.sweeping import Sweeper
from marketcam.server.web.asking import Query, QueryError, refuse_websocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from marketcam.server.history.catching_up import Recording
    from marketcam.server.stream.client import Client
    from marketcam.server.stream.hub import Hub
    from marketcam.server.stream.selection import Selection
    from marketcam.server.stream.writing import Wire

__all__ = ["Stream"]


def _usual_edge_cap() -> int:
    return 2000


@dataclass(frozen=True, slots=True)
class Stream:
    """The ASGI endpoint of `/ws/stream`.

    Attributes:
        hub: where the messages come from.
        heartbeat_seconds: a client that was sent nothing for so long is sent a heartbeat.
        last_t: gives the last tick taken in, or None.
        history: where those that are asked for with `from_t` come from; None where there is none.
        forms: bounds the ways in which frames are written.
        edge_cap: gives how many edges a frame has at most.
    """

    hub: Hub
    heartbeat_seconds: float
    last_t: Callable[[], int | None]
    history: Recording | None = None
    forms: Forms = field(default_factory=Forms)
    edge_cap: Callable[[], int] = _usual_edge_cap
    _sweeper: Sweeper = field(init=False)

    def __post_init__(self) -> None:
        """Make what sees to its clients' silences."""
        sweeper = Sweeper(self.hub, self.heartbeat_seconds, self.last_t)
        object.__setattr__(self, "_sweeper", sweeper)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end, or refuse it for what it asks for."""
        query = Query(scope)
        try:
            selection = query.selection(can_deflate=has_agreed(scope)).normal(self.edge_cap())
            from_t = self._from_t(query)
        except QueryError as error:
            await refuse_websocket(str(error), 400, scope, receive, send)
            return
        try:
            with self.forms.hold(selection.form):
                await self._serve(selection, from_t, scope, receive, send)
        except TooManyFormsError as error:  # of `hold`: before the handshake
            await refuse_websocket(str(error), 503, scope, receive, send)

    def _from_t(self, query: Query) -> int | None:
        """Return from which tick on the recording is wanted, if any of it is.

        Raises:
            QueryError: it is no tick, or there is no recording.
        """
        from_t = query.tick("from_t")
        if from_t is not None and self.history is None:
            raise QueryError(f"from_t must not be asked of an edge without history, got {from_t}")
        return from_t

    async def _serve(
        self, selection: Selection, from_t: int | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        wire: Wire | None = scope.get("extensions", {}).get(WIRE)
        if wire is None:
            await self._serve_plainly(selection, from_t, scope, receive, send)
        else:
            await self._serve_directly(selection, wire, from_t, scope, receive, send)

    async def _serve_directly(
        self,
        selection: Selection,
        wire: Wire,
        from_t: int | None,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Serve a connection below ASGI: its client writes to it, this only listens."""
        hub = self.hub
        client = hub.join_directly(selection, wire, catches_up=from_t is not None)
        connection = DirectConnection(client, hub.writer, scope, send)
        self._sweeper.go_on()
        catching_up = None
        if from_t is not None and self.history is not None and client.closing is None:
            catching_up = catch_up(self.history, hub, client, connection, from_t)
        try:
            await connection.live(receive, catching_up)
        finally:
            hub.leave(client)

    async def _serve_plainly(
        self, selection: Selection, from_t: int | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a connection of a server that offers nothing but ASGI."""
        client = self.hub.join(selection, catches_up=from_t is not None)
        connection = Connection(client, self.hub.writer, scope, send)
        self._sweeper.go_on()  # who is behind is behind, whether or not more is published
        try:
            await connection.run(
                self._send_messages(client, connection, from_t),
                connection.answer(receive),
                connection.watch_silences(
                    self.heartbeat_seconds, partial(self._break_silence, client, connection)
                ),
            )
        finally:
            self.hub.leave(client)

    async def _break_silence(self, client: Client, connection: Connection) -> None:
        if client.is_live:
            client.break_silence(self.last_t())
        else:
            await connection.say(heartbeat(self.last_t()))

    async def _send_messages(
        self, client: Client, connection: Connection, from_t: int | None
    ) -> None:
        """Send what there is, until the client is closed."""
        if from_t is not None and self.history is not None:
            await catch_up(self.history, self.hub, client, connection, from_t)
        while client.closing is None:
            bodies = client.take()
            for body in bodies:
                await connection.say(body)
            if bodies:
                client.note_sent()
            else:
                await client.wait()
