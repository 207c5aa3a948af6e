"""The WebSocket protocol of connections from outside: with a seat, and a rate of messages."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, cast

from marketcam.server.ingest.link import IngestProtocol
from marketcam.server.logs import UVICORN_FAULTS
from marketcam.server.security.bounds import Meter
from marketcam.server.security.gate import SEAT

if TYPE_CHECKING:
    from typing import Any

    from websockets.frames import Frame

    from marketcam.server.security.refusals import Refusals
    from marketcam.server.security.seats import Seat

__all__ = ["GuardedProtocol"]

_POLICY_VIOLATION: Final = 1008

_SLICE: Final = 2048
"""What is read of a client at a time; some hundred of the smallest messages."""


class GuardedProtocol(IngestProtocol):
    """Counts what a client says, whatever it is, and ends the connection of one who says too much.

    It is what a `Gate` finds in its scope in the place of the `Seat`.
    """

    def __init__(
        self, *args: Any, seat: Seat, rate: float, refusals: Refusals, **kwargs: Any
    ) -> None:
        """Take the seat over from the HTTP protocol."""
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = logging.getLogger(UVICORN_FAULTS)
        self._refusals = refusals
        self._seat = seat
        self._rate = rate
        self._meter: Meter | None = Meter(rate, self.loop.time())

    def data_received(self, data: bytes) -> None:
        """Read on, a little at a time: a reading holds 40,000 empty messages, a second of parsing.

        So the rate is looked at in between, and what comes after the connection was closed for it
        is not read at all. A handshake is read whole, as it was before.
        """
        if self._meter is None or len(data) <= _SLICE or not self.handshake_initiated:
            super().data_received(data)
            return
        for begin in range(0, len(data), _SLICE):
            super().data_received(data[begin : begin + _SLICE])
            if self.transport.is_closing():
                return

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the connection is gone."""
        super().connection_lost(exc)
        self._seat.leave()

    def admit(self, message_bytes: int | None) -> None:
        """Let the peer in: its connection is not cut for another any more.

        Args:
            message_bytes: its messages may be as long, and come at any rate; None: as all others'.
        """
        self._seat.admit()
        if message_bytes is not None:
            self.conn.max_message_size = message_bytes
            self._meter = None

    def speak_for(self, address: str) -> bool:
        """Count the connection of a proxy, as `Seat.speak_for` has it."""
        return self._seat.speak_for(address)

    async def run_asgi(self) -> None:
        """Run the application, which finds the seat in its scope."""
        cast("dict[str, Any]", self.scope["extensions"])[SEAT] = self
        await super().run_asgi()

    def handle_text(self, event: Frame) -> None:
        """Take a text, or the begin of one."""
        if self._keeps_to_the_rate():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Take bytes, or the begin of them."""
        if self._keeps_to_the_rate():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment."""
        if self._keeps_to_the_rate():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Take a ping."""
        if self._keeps_to_the_rate():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Take a pong."""
        if self._keeps_to_the_rate():
            super().handle_pong(event)

    def _keeps_to_the_rate(self) -> bool:
        """Count a frame; return whether it is to be taken."""
        if self._meter is None or self._meter.count(self.loop.time()):
            return True
        if not self.close_sent:
            self._refusals.tell("talkative", self.client, limit=self._rate)
            self.frames = []
            self.conn.send_close(
                _POLICY_VIOLATION, f"too many messages, the limit is {self._rate:g} a second"
            )
            self.handle_parser_exception()
        return False
