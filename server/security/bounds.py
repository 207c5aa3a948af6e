"""What one connection may take: of time, and of what it says."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from marketcam.server.settings import Settings

__all__ = ["Bounds", "Meter", "ReadingWatch", "reset"]

_AVERAGED_SECONDS: Final = 10.0
"""Over how long a rate is averaged: as much may be said at once as in so many seconds."""

_STEP_BYTES: Final = 16 * 1024
"""What a peer has to take to be one that reads. A few bytes now and then would hold a seat, and a
segment that retention wants to remove, for ever."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one connection, as configured.

    Attributes:
        request_seconds: how long a request may take to come in.
        idle_seconds: how long a connection is kept between two requests.
        reading_seconds: how long nothing of an answer may be taken.
        head_bytes: the head of a request at most.
        message_rate: messages of a WebSocket client a second.
    """

    request_seconds: float
    idle_seconds: float
    reading_seconds: float
    head_bytes: int
    message_rate: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read them from the settings."""
        return cls(
            settings.handshake_seconds,
            settings.idle_seconds,
            settings.client_slow_seconds,
            settings.header_bytes,
            settings.client_message_rate,
        )


def reset(transport: asyncio.Transport) -> None:
    """Cut a connection so that the peer sees it cut, not ended, and the kernel keeps nothing."""
    if not transport.is_closing() or transport.get_write_buffer_size():
        connection = transport.get_extra_info("socket")
        if connection is not None:  # as under TLS, once it is closed
            with suppress(OSError):  # as without
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


class Meter:
    """Measures how often something happens (a leaky bucket); two floats a connection."""

    __slots__ = ("_at", "_level", "_rate")

    def __init__(self, rate: float, now: float) -> None:
        """Allow so many a second."""
        self._rate = rate
        self._level = 0.0
        self._at = now

    def count(self, now: float) -> bool:
        """Count one more; return whether it keeps to the rate."""
        self._level = max(0.0, self._level - (now - self._at) * self._rate) + 1.0
        self._at = now
        return self._level <= max(1.0, self._rate * _AVERAGED_SECONDS)


class ReadingWatch:
    """Cuts the connection of a peer that does not take what it asked for.

    A server that closes a connection gracefully sends first what it has written. To a peer that
    has stopped reading that never happens, and the connection stays.
    """

    __slots__ = ("_loop", "_seconds", "_timer", "_transport", "_unread")

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        """Watch a connection whose peer may take next to nothing for so long."""
        self._transport = transport
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0

    def begin(self) -> None:
        """Watch from now on, until there is nothing left in our buffer."""
        if self._timer is None and self._transport.get_write_buffer_size():
            self._unread = self._bytes_unread()
            self._timer = self._loop.call_later(self._seconds, self._look)

    def end(self) -> None:
        """Watch no longer: all has been taken, or the connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        before = self._unread
        if self._transport.get_write_buffer_size() and before - self._bytes_unread() < _STEP_BYTES:
            log.info("client_stalled", client=self._transport.get_extra_info("peername"))
            reset(self._transport)
        else:
            self.begin()

    def _bytes_unread(self) -> int:
        """Return what is still in our buffer, or in the kernel's."""
        connection = self._transport.get_extra_info("socket")
        if connection is None:  # closed by now, under TLS
            return 0
        try:
            count = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:  # closed by now
            return 0
        return self._transport.get_write_buffer_size() + int.from_bytes(count, sys.byteorder)
