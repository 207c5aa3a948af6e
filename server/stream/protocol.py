"""uvicorn's WebSocket protocol, with bounds to what one peer can hold."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import termios
from typing import TYPE_CHECKING, Final, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from marketcam.server.logs import get_logger
from marketcam.server.stream.connection import CLOSE_SECONDS, WIRE
from marketcam.server.stream.deflate import DEFLATE, Offer, asks_for_deflate
from marketcam.server.stream.writing import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from websockets.frames import Frame
    from websockets.http11 import Request

    from marketcam.server.stream.writing import Piece

__all__ = ["StreamProtocol"]

_INVALID_TEXT: Final = 1007

log = get_logger(__name__)


class StreamProtocol(WebSocketsSansIOProtocol):
    """Waits for the answer to a close frame, and cuts a connection whose peer does not read.

    uvicorn closes a transport gracefully: what is in its buffer is sent first. To a peer that has
    stopped reading that never happens, and the connection stays, at shutdown too. And it counts
    a connection as done once the close frame is written, when cutting the connection may still
    take the frame from the peer; here `send` returns when the peer has answered.

    Nothing that a peer sends makes the connection grow: while the peer does not read, only the
    answer to its last ping is kept, as RFC 6455, 5.5.3 allows, and empty fragments are not kept.

    It is a `Wire`, which the endpoint finds in its scope: by ASGI each message would be decoded,
    encoded, framed and copied for each connection, and go out in one piece. Pings, pongs and the
    close frame are still the protocol's; pings and pongs may come between the pieces of a message.

    A pong waits behind all that the peer has yet to read. So one that is missing ends the
    connection only where the peer has taken next to nothing meanwhile either.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lost = asyncio.Event()
        self._late_pong = b""
        self._on_change: Callable[[], None] | None = None
        self._by_others: Callable[[], int] | None = None
        self.lacked_room = False
        self._written = 0
        self._taken_before = 0  # the answer to the last ping

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection over; it has room only while nothing waits to be written.

        With uvloop's own limits, 64 KB and 512 KB under TLS, pieces would be left in the buffer of
        a connection that is full, and be written together. The limit is 1 and not 0, which TLS
        would reach with nothing to write.
        """
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=1, low=0)

    @property
    def is_open(self) -> bool:
        """Whether messages can still be written."""
        return not (self.close_sent or self.disconnected or self.transport.is_closing())

    @property
    def has_room(self) -> bool:
        """Whether the transport's buffer is empty, so that a piece is written at once."""
        return self.writable.is_set()

    @property
    def taken(self) -> int:
        """Bytes of messages that the peer's side has acknowledged, but for a few of pings."""
        written = self._written + (0 if self._by_others is None else self._by_others())
        return written - self.transport.get_write_buffer_size() - self._in_kernel()

    @property
    def write_bytes(self) -> Callable[[bytes], None]:
        """The transport's own `write`."""
        return self.transport.write

    def write(self, piece: Piece) -> None:
        """Write a WebSocket frame as it is."""
        self._written += sum(len(part) for part in piece)
        self.transport.writelines(piece)

    def watch(
        self, on_change: Callable[[], None] | None, by_others: Callable[[], int] | None = None
    ) -> None:
        """Call back whenever there is room again, or none, and when the connection has ended."""
        self._on_change = on_change
        self._by_others = by_others

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abort()

    def handle_connect(self, event: Request) -> None:
        """Answer a handshake; compression is agreed on where its query asks for it."""
        if asks_for_deflate(event.path):
            self.conn.available_extensions = [Offer()]
        super().handle_connect(event)

    def data_received(self, data: bytes) -> None:
        """Read on; a handshake that cannot be read is answered, and ends the connection.

        It comes in whole, since it was read as a request before. uvicorn leaves a connection open
        whose handshake has a line that is too long, without an answer and without an end.
        """
        super().data_received(data)
        if not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the connection is gone."""
        super().connection_lost(exc)
        self._lost.set()
        self._tell_of_change()

    def pause_writing(self) -> None:
        """Learn that there is no room: the peer reads more slowly than is written."""
        super().pause_writing()
        self.lacked_room = True
        self._tell_of_change()

    def resume_writing(self) -> None:
        """Go on writing: the peer reads again."""
        super().resume_writing()
        if self._late_pong and not self.transport.is_closing():
            self.transport.write(self._late_pong)
        self._late_pong = b""
        self._tell_of_change()

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; text that is not UTF-8 ends the connection, its own fault only."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError as error:
                log.info("client_text_invalid", client=self.client, error=str(error))
                self.frames = []
                self.conn.send_close(_INVALID_TEXT)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Send the answers that are due, or keep the last one while the peer does not read."""
        answers = [answer for answer in self.conn.data_to_send() if answer]
        if self.writable.is_set():
            self.transport.write(b"".join(answers))
        elif answers:
            self._late_pong = answers[-1]

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment; the limit on a message's size does not bound the empty ones."""
        if event.data or event.fin:
            super().handle_cont(event)

    def send_keepalive_ping(self) -> None:
        """Send a ping, with a payload that is not from the `random` module.

        uvicorn's is, and the generator there may be the one a simulator was seeded with: each
        viewer would change the run that it watches.
        """
        self.ping_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        self.pending_ping_payload = os.urandom(4)
        self.ping_sent_at = self.loop.time()
        self._taken_before = self.taken
        self.conn.send_ping(self.pending_ping_payload)
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.ping_timeout is None:
            self.schedule_ping()
        else:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)

    def keepalive_timeout(self) -> None:
        """Wait on for the pong of a peer that reads; end the connection of one that does not."""
        if not self.transport.is_closing() and self.taken - self._taken_before >= PIECE_BYTES:
            self._taken_before = self.taken
            self.pong_timer = self.loop.call_later(self.ping_timeout or 0, self.keepalive_timeout)
            return
        had_room = self.has_room
        super().keepalive_timeout()
        if not had_room:  # the close frame waits behind what will never be read
            self.transport.abort()

    async def run_asgi(self) -> None:
        """Run the application, and see to it that the connection ends after it."""
        extensions = cast("dict[str, Any]", self.scope["extensions"])
        extensions[WIRE] = self
        if self.conn.extensions:
            extensions[DEFLATE] = {}
        await super().run_asgi()
        await self._wait_until_lost()
        self.transport.abort()

    async def send(self, message: Any) -> None:
        """Take a message from the application.

        Raises:
            ClientDisconnected: the connection has ended, or is being closed by the other side.
        """
        try:
            await super().send(message)
        except RuntimeError as error:
            if self.close_sent:  # by the protocol itself, so the application could not know
                raise ClientDisconnected from error
            raise
        if message["type"] == "websocket.close":
            await self._wait_until_lost()
        elif message["type"] == "websocket.http.response.body" and self.close_sent:
            # Refused in all form; uvicorn would take it for a handshake that was forgotten.
            self.handshake_complete = True

    def _in_kernel(self) -> int:
        """Return how many bytes the kernel has that the peer's has not acknowledged."""
        connection = self.transport.get_extra_info("socket")
        if connection is None or connection.fileno() < 0:  # closed by now, under TLS or without
            return 0
        try:
            count = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return int.from_bytes(count, sys.byteorder)

    def _tell_of_change(self) -> None:
        if self._on_change is not None:
            self._on_change()

    async def _wait_until_lost(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            pass
