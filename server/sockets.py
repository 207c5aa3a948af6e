"""The sockets of a server: every address of a host, bound to one port before it is listened at."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from marketcam.server.errors import ServerError

if TYPE_CHECKING:
    from contextlib import ExitStack

__all__ = ["BACKLOG", "bind_all", "listen_all", "reason_of"]

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""


def bind_all(host: str, port: int, stack: ExitStack) -> list[socket.socket]:
    """Bind every address of a host, to one port, without listening yet.

    Raises:
        ServerError: one cannot be bound; names the host and the port.
    """
    sockets = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address[0], port, *address[2:]))
            port = sock.getsockname()[1]
            sockets.append(sock)
    except (OSError, UnicodeError) as error:
        raise ServerError(f"cannot listen at {host}:{port}: {reason_of(error)}") from error
    return sockets


def listen_all(sockets: list[socket.socket], host: str) -> None:
    """Listen; two processes can bind an address, and the second to listen is refused only here.

    Raises:
        ServerError: one cannot be listened at; names the host and the port.
    """
    try:
        for sock in sockets:
            sock.listen(BACKLOG)
    except OSError as error:
        port = sockets[0].getsockname()[1]
        raise ServerError(f"cannot listen at {host}:{port}: {reason_of(error)}") from error


def reason_of(error: Exception) -> str:
    """Return why something failed, as the system says it."""
    reason = error.strerror if isinstance(error, OSError) else None
    return (reason or str(error)).lower()
