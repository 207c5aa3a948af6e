"""uvicorn's HTTP protocol, with bounds to what one peer, or all of them, can hold."""

from __future__ import annotations

import socket
import struct
import sys
from typing import TYPE_CHECKING, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from marketcam.server.web.heads import HeadConnection, refusal
from marketcam.server.web.ranges import ABORT

if TYPE_CHECKING:
    import asyncio
    from typing import Any

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

__all__ = ["MAX_CONNECTIONS", "REQUEST_SECONDS", "RequestProtocol"]

MAX_CONNECTIONS: Final = 8192
"""Connections at the same time, of all kinds; one more is cut as it comes."""

REQUEST_SECONDS: Final = 10.0
"""How long a request may take to come in."""

_COMING_IN: Final = (h11.IDLE, h11.SEND_BODY)
_UNANSWERED: Final = (h11.IDLE, h11.SEND_RESPONSE)


class RequestProtocol(H11Protocol):
    """Bounds the number of connections, and the time that one may wait for its request.

    uvicorn counts connections when a request comes in, so that those which send none are neither
    counted nor, once they have sent a byte, ever closed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = HeadConnection(h11.SERVER, self.conn._max_incomplete_event_size)  # noqa: SLF001
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, or cut it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._watch_request()

    def data_received(self, data: bytes) -> None:
        """Read on in the request."""
        super().data_received(data)
        self._watch_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the connection is gone."""
        super().connection_lost(exc)
        self._watch_request()

    def handle_events(self) -> None:
        """Read on in the request; offer to whoever answers it to cut the connection."""
        super().handle_events()
        if self.scope is not None:
            extensions = cast("dict[str, Any]", self.scope.setdefault("extensions", {}))
            extensions[ABORT] = self._reset

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, if that can still be told, and end the connection.

        A second answer in the middle of a first would be read as a part of it.
        """
        del msg
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.conn.our_state in _UNANSWERED:
            self.transport.write(refusal(sys.exception()))
        self.transport.close()

    def _reset(self) -> None:
        """Cut the connection so that the peer sees it cut, and not ended."""
        if not self.transport.is_closing():
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def _watch_request(self) -> None:
        """Run a timer from the begin of a request to its end, however slowly it comes in.

        Between two requests uvicorn's own timer runs, until the next byte. A connection that is
        lost, or has become a WebSocket, is no longer among the connections.
        """
        coming_in = self in self.connections and self.conn.their_state in _COMING_IN
        if coming_in and self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)
        elif not coming_in and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
