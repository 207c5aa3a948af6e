"""What an endpoint needs of a producer's connection below ASGI, and the protocol that offers it."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import termios
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from marketcam.server.stream.protocol import StreamProtocol

if TYPE_CHECKING:
    import asyncio

    from websockets.frames import Frame

__all__ = ["LINK", "MOST_FRAGMENTS", "IngestProtocol", "Link"]

LINK: Final = "marketcam.link"
"""Name of the ASGI extension under which the server's protocol offers a `Link`."""

MOST_FRAGMENTS: Final = 256
"""Fragments of a message that are kept as they came at most."""

_ESTABLISHED: Final = 1
"""State of a connection that neither side has ended, as Linux has it in `TCP_INFO`."""


class Link(Protocol):
    """A connection below ASGI, watched by the endpoint instead of the server.

    The server's own watch takes a peer for dead that does not answer a ping in time; but the
    answer is not read while the camera is behind.
    """

    def take_over(self, message_bytes: int) -> None:
        """Have the server leave the watch to the caller, and take messages as long as this."""

    def ping(self) -> None:
        """Send a ping."""

    def lives_since(self, moment: float) -> bool:
        """Return whether there was a sign of life since then, by the loop's clock.

        While nothing is read, it is one that the peer's machine has taken all we have written.
        """

    def cut(self) -> None:
        """End the connection at once."""


class IngestProtocol(StreamProtocol):
    """The stream's protocol, which offers a `Link` as well."""

    _heard_at = 0.0

    def data_received(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._heard_at = self.loop.time()
        super().data_received(data)

    async def run_asgi(self) -> None:
        """Run the application."""
        cast("dict[str, Any]", self.scope["extensions"])[LINK] = self
        await super().run_asgi()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment; many are joined, since each takes some 60 bytes beside its own.

        A message is bounded by its bytes, and a large one may come in as many fragments as it has.
        """
        if len(self.frames) >= MOST_FRAGMENTS:
            first, *others = cast("list[bytes | bytearray]", self.frames)
            whole = first if isinstance(first, bytearray) else bytearray(first)
            whole += b"".join(others)
            self.frames = cast("list[bytes]", [whole])
        super().handle_cont(event)

    def take_over(self, message_bytes: int) -> None:
        """Have the server leave the watch to the caller; see `Link`."""
        self.stop_keepalive()
        self.ping_interval = None
        self.conn.max_message_size = message_bytes

    def ping(self) -> None:
        """Send a ping."""
        if self.is_open:
            self.conn.send_ping(os.urandom(4))
            self.transport.write(b"".join(self.conn.data_to_send()))

    def lives_since(self, moment: float) -> bool:
        """Return whether there was a sign of life; see `Link`."""
        return self._heard_at >= moment or (self.read_paused and _has_taken_all(self.transport))

    def cut(self) -> None:
        """End the connection at once."""
        self.transport.abort()


def _has_taken_all(transport: asyncio.Transport) -> bool:
    """Return whether the peer's machine is connected still and has acknowledged all bytes."""
    connection = transport.get_extra_info("socket")
    if connection is None:  # closed by now, under TLS
        return False
    try:
        if hasattr(socket, "TCP_INFO"):  # Linux; elsewhere what was not taken has to do
            state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        else:
            state = _ESTABLISHED
        unsent = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):  # closed by now; uvloop's socket then has a descriptor of -1
        return False
    waits = transport.get_write_buffer_size() + int.from_bytes(unsent, sys.byteorder)
    return state == _ESTABLISHED and waits == 0
