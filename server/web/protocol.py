"""uvicorn's HTTP protocol, with bounds to what one peer, or all of them, can hold."""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from marketcam.server.logs import UVICORN_FAULTS
from marketcam.server.security.bounds import ReadingWatch, reset
from marketcam.server.security.gate import SEAT
from marketcam.server.web.heads import HeadConnection, refusal
from marketcam.server.web.ranges import ABORT

if TYPE_CHECKING:
    import asyncio
    from typing import Any

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

    from marketcam.server.security.bounds import Bounds
    from marketcam.server.security.refusals import Refusals
    from marketcam.server.security.seats import Seat, Seats

__all__ = ["RequestProtocol"]

_COMING_IN: Final = (h11.IDLE, h11.SEND_BODY)
_UNANSWERED: Final = (h11.IDLE, h11.SEND_RESPONSE)

_SLICE: Final = 1024
"""What is read of a head at a time: the limit on its size is looked at in between."""


class RequestProtocol(H11Protocol):
    """Bounds the number of connections, the time of each step, and what a request may be.

    uvicorn counts connections when a request comes in, so that those which send none are neither
    counted nor, once they have sent a byte, ever closed. It waits for ever for a peer that does not
    read its answer. And h11 looks at the size of a head only while it is not complete.
    """

    def __init__(
        self,
        *args: Any,
        seats: Seats,
        bounds: Bounds,
        refusals: Refusals,
        seat: Seat | None = None,
        **kwargs: Any,
    ) -> None:
        """Take a seat with the connection, unless it has one."""
        super().__init__(*args, **kwargs)
        self.logger = logging.getLogger(UVICORN_FAULTS)
        self._refusals = refusals
        self.conn = HeadConnection(h11.SERVER, bounds.head_bytes)
        self.timeout_keep_alive = cast("int", bounds.idle_seconds)  # for a timer of the loop
        self._seats = seats
        self._seat = seat
        self._bounds = bounds
        self._deadline: asyncio.TimerHandle | None = None
        self._reading: ReadingWatch | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, or cut it where there is no room for it."""
        super().connection_made(transport)
        self._reading = ReadingWatch(transport, self._bounds.reading_seconds)
        if self._seat is not None:
            self._seat.cut = transport.abort
        else:
            address = None if self.client is None else self.client[0]
            self._seat = self._seats.take(address, transport.abort)
        if self._seat is None:
            transport.abort()
        else:
            self._watch_request()

    def data_received(self, data: bytes) -> None:
        """Read on in the request."""
        view = memoryview(data)
        while len(view) > _SLICE and self.conn.their_state is h11.IDLE:
            super().data_received(bytes(view[:_SLICE]))
            view = view[_SLICE:]
            if self.transport.is_closing() or self not in self.connections:
                return
        super().data_received(bytes(view))
        self._watch_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the connection is gone."""
        super().connection_lost(exc)
        self._watch_request()
        if self._reading is not None:
            self._reading.end()
        if self._seat is not None:
            self._seat.leave()

    def handle_events(self) -> None:
        """Read on in the request; tell whoever answers it of the connection."""
        super().handle_events()
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None until the first request
        if cycle is not None and not cycle.response_complete:
            extensions = cast("dict[str, Any]", self.scope.setdefault("extensions", {}))
            extensions[ABORT] = partial(reset, self.transport)
            extensions[SEAT] = self._seat
            if self._seat is not None:
                self._seat.admit()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the peer to take the last answer."""
        if self._seat is not None:
            self._seat.rest()
        if self._reading is not None:
            self._reading.begin()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Learn that the peer reads more slowly than is written."""
        super().pause_writing()
        if self._reading is not None:
            self._reading.begin()

    def resume_writing(self) -> None:
        """Go on writing: the peer reads again."""
        super().resume_writing()
        if self._reading is not None:
            self._reading.end()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection on, with its seat."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.ws_protocol_class = cast(
            "Any",
            partial(
                cast("Any", self.config.ws_protocol_class),
                seat=self._seat,
                rate=self._bounds.message_rate,
                refusals=self._refusals,
            ),
        )
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, if that can still be told, and end the connection.

        A second answer in the middle of a first would be read as a part of it.
        """
        del msg
        error = sys.exception()
        reason = str(error).partition(":")[0].lower()  # what follows are the peer's own words
        self._refusals.tell("request", self.client, reason=reason)
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.conn.our_state in _UNANSWERED:
            self.transport.write(refusal(error))
        if self._reading is not None:
            self._reading.begin()
        self.transport.close()

    def _watch_request(self) -> None:
        """Run a timer from the begin of a request to its end, however slowly it comes in.

        Between two requests uvicorn's own timer runs, until the next byte. A connection that is
        lost, or has become a WebSocket, is no longer among the connections.
        """
        coming_in = self in self.connections and self.conn.their_state in _COMING_IN
        if coming_in and self._deadline is None:
            self._deadline = self.loop.call_later(
                self._bounds.request_seconds, self.transport.abort
            )
        elif not coming_in and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
