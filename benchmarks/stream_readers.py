"""Viewers for load tests: many raw sockets in one process, which count what comes and keep none.

A WebSocket library would take longer to receive a large message than the server to send it.
"""

from __future__ import annotations

import selectors
import socket
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["Readings", "Viewer", "watch"]

_HEAD: Final = 256
_ROOM: Final = 2**20
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_FINAL: Final = 0x80  # of a first byte; of a second, that a mask follows
_NO_MASK: Final = bytes(4)


@dataclass
class Readings:
    """What one viewer was sent.

    Attributes:
        messages: by kind, ``"frame"``, ``"metric"``, ``"gap"`` and so on.
        missed: gaps by kind and reason.
        bytes: all that came.
    """

    messages: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    bytes: int = 0


class Viewer:
    """One connection. It takes WebSocket frames apart as they come, in whatever pieces."""

    def __init__(self, port: int, query: str) -> None:
        self.readings = Readings()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(
            f"GET /ws/stream{query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        self._pending = self._skip_answer()
        self._left = 0  # of the payload of the frame that is being read
        self._opcode = 0
        self._final = True
        self._head = b""  # the beginning of the message
        self._control = b""  # the payload of the ping or close frame
        self._binary = False
        self._read(b"")

    def take(self, room: memoryview) -> None:
        """Take what has come.

        Raises:
            ConnectionError: the server has ended the connection, and what is measured is void.
        """
        size = self.socket.recv_into(room)
        if size == 0:
            raise self.ended()
        self.readings.bytes += size
        self._read(room[:size])

    def ended(self) -> ConnectionError:
        """Return the error of a connection that the server has ended, with what it said."""
        code, reason = int.from_bytes(self._control[:2]), self._control[2:].decode()
        said = f"code {code}: {reason}" if self._opcode == _CLOSE else "without a word"
        return ConnectionError(f"the server has ended a viewer's connection, {said}")

    def _skip_answer(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.socket.recv(4096)
            assert part, f"refused: {data!r}"
            data += part
        assert data.startswith(b"HTTP/1.1 101 "), data
        return data.split(b"\r\n\r\n", 1)[1]

    def _read(self, data: memoryview | bytes) -> None:
        if self._pending:
            data = memoryview(self._pending + bytes(data))
            self._pending = b""
        at, end = 0, len(data)
        while at < end:
            if not self._left:
                began = self._begin(bytes(data[at : at + 10]))
                if not began:
                    self._pending = bytes(data[at:])
                    return
                at += began
            size = min(self._left, end - at)
            if self._opcode >= _CLOSE:
                self._control += bytes(data[at : at + size])
            elif len(self._head) < _HEAD:
                self._head += bytes(data[at : at + min(size, _HEAD)])
            at += size
            self._left -= size
            if not self._left:
                self._end()

    def _begin(self, header: bytes) -> int:
        """Read the header of a WebSocket frame; return its size, 0 where it is not there yet."""
        if len(header) < 2:
            return 0
        width = {126: 2, 127: 8}.get(header[1], 0)
        if len(header) < 2 + width:
            return 0
        self._opcode, self._final = header[0] & 0x0F, header[0] >= _FINAL
        self._left = int.from_bytes(header[2 : 2 + width]) if width else header[1]
        if self._opcode in (_TEXT, _BINARY):
            self._head, self._binary = b"", self._opcode == _BINARY
        elif self._opcode >= _CLOSE:
            self._control = b""
        return 2 + width

    def _end(self) -> None:
        """Deal with a frame that has been read to its end."""
        if self._opcode == _PING:  # the server drops who does not return what it sent
            size = len(self._control)
            self.socket.sendall(bytes((_FINAL | _PONG, _FINAL | size)) + _NO_MASK + self._control)
        elif self._opcode < _CLOSE and self._final:
            self._note()

    def _note(self) -> None:
        kind = "frame" if self._binary else self._head[9 : self._head.index(b'"', 9)].decode()
        self.readings.messages[kind] += 1
        if kind == "gap":
            gap = orjson.loads(self._head)
            self.readings.missed[f"{gap['kind']} {gap['reason']}"] += 1


def watch(port: int, clients: int, query: str, pipe: Connection) -> None:
    """Open so many viewers; at each word from the pipe send back what they were sent so far.

    Raises:
        ConnectionError: the server has ended one of the connections.
    """
    room = memoryview(bytearray(_ROOM))
    with selectors.DefaultSelector() as selector:
        viewers = [Viewer(port, query) for _ in range(clients)]
        for viewer in viewers:
            selector.register(viewer.socket, selectors.EVENT_READ, viewer)
        selector.register(pipe, selectors.EVENT_READ, None)
        pipe.send("ready")
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    if pipe.recv() == "stop":
                        return
                    pipe.send([viewer.readings for viewer in viewers])
                else:
                    key.data.take(room)
