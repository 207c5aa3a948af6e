"""A service manager for tests: a socket that hears what a server tells it."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

Datagram = dict[str, str]


class Hearing:
    """What comes to a notification socket, one datagram after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def next(self) -> Datagram:
        """Wait for a datagram; return its lines, value by name."""
        lines = self._sock.recv(65_536).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def until(self, name: str) -> Datagram:
        """Wait for a datagram that has a line of this name."""
        while name not in (datagram := self.next()):
            pass
        return datagram

    def until_status(self, beginning: str) -> Datagram:
        """Wait for a status that begins so."""
        while not (datagram := self.until("STATUS"))["STATUS"].startswith(beginning):
            pass
        return datagram


@contextmanager
def hearing(address: str) -> Iterator[Hearing]:
    """Hear at a path, or at ``@name`` of the abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
        sock.settimeout(PATIENCE)
        yield Hearing(sock)
