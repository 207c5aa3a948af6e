"""TLS: what is spoken, and how connections are counted before they speak it."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import TYPE_CHECKING, Final

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from marketcam.server.security.seats import Seat, Seats

__all__ = ["Doorway", "tls_context"]

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2, only what has forward secrecy and authenticates what it encrypts; those of 1.3 are
all so, and not chosen here."""

_AT_ONCE: Final = 64
"""Connections accepted before the loop sees to other things."""

_PAUSE_SECONDS: Final = 1.0
"""Time after which it is tried again to accept, where the system could not."""

log = get_logger(__name__)


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the server's side of TLS, 1.2 or later.

    Raises:
        OSError: a file cannot be read, or the key is another certificate's, or encrypted.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate, key, password="")  # not to be asked for at a terminal
    return context


class Doorway:
    """Listens for connections that are to speak TLS, and counts them before they do.

    A server of asyncio's that is given a context hears of a connection only once its handshake is
    done: those that never do it are then neither counted, nor bounded but by a minute each.
    """

    def __init__(
        self,
        listening: socket.socket,
        context: Callable[[], ssl.SSLContext],
        seconds: float,
        seats: Seats,
        inside: Callable[[Seat], asyncio.Protocol],
    ) -> None:
        """Begin to accept connections.

        Args:
            listening: where they come.
            context: gives the server's side of TLS, for each connection anew.
            seconds: how long a handshake may take.
            seats: where connections are counted.
            inside: makes the protocol of a connection that has its seat, and speaks TLS.
        """
        self._listening = listening
        self._context = context
        self._seconds = seconds
        self._seats = seats
        self._inside = inside
        self._loop = asyncio.get_running_loop()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accept no more, and end the handshakes that are under way."""
        self._loop.remove_reader(self._listening)
        if self._pause is not None:
            self._pause.cancel()
        for handshake in self._handshakes:
            handshake.cancel()

    async def wait_closed(self) -> None:
        """Wait for the handshakes to end."""
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors or no memory, and the connection stays there
                log.warning("accept_failed", error=str(error))
                self._loop.remove_reader(self._listening)
                self._pause = self._loop.call_later(_PAUSE_SECONDS, self._go_on)
                return
            connection.setblocking(False)
            self._take(connection, str(address[0]))

    def _go_on(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _take(self, connection: socket.socket, address: str) -> None:
        seat = self._seats.take(address, connection.close)
        if seat is None:
            connection.close()
            return
        handshake = self._loop.create_task(self._shake_hands(connection, seat))
        seat.cut = handshake.cancel
        self._handshakes.add(handshake)
        handshake.add_done_callback(partial(self._end, connection, seat))

    async def _shake_hands(self, connection: socket.socket, seat: Seat) -> None:
        await self._loop.connect_accepted_socket(
            partial(self._inside, seat),
            connection,
            ssl=self._context(),
            ssl_handshake_timeout=self._seconds,
            ssl_shutdown_timeout=self._seconds,
        )

    def _end(self, connection: socket.socket, seat: Seat, handshake: asyncio.Task[None]) -> None:
        """Close a connection that has not come to speak TLS, or that was cut before it began."""
        self._handshakes.discard(handshake)
        error = None if handshake.cancelled() else handshake.exception()
        if handshake.cancelled() or error is not None:
            log.debug("tls_handshake_failed", error=str(error))
            seat.leave()
            connection.close()
