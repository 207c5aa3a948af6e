"""A bad network between a client and a server: breaks connections off, or swallows what is said."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RESET = struct.pack("ii", 1, 0)


@dataclass
class Passage:
    """One connection through the crossing.

    Attributes:
        left: bytes that the client may still send before it breaks; None: as many as it likes.
        swallowed: whether nothing comes through any more, though both sides stay connected.
    """

    client: socket.socket
    server: socket.socket
    left: int | None
    swallowed: bool = False
    threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        for arguments in ((self.client, self.server, True), (self.server, self.client, False)):
            self.threads.append(threading.Thread(target=self._carry, args=arguments))
        for thread in self.threads:
            thread.start()

    def cut(self) -> None:
        """Break both sides off, as when a machine on the way dies."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self.cut()
        for thread in self.threads:
            thread.join()
        self.client.close()
        self.server.close()

    def _carry(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if counts and self.left is not None:
                    data, self.left = data[: self.left], self.left - len(data)
                if not self.swallowed:
                    sink.sendall(data)
                if self.left is not None and self.left <= 0:
                    break
        if not self.swallowed:
            self.cut()


class Crossing:
    """Listens on a port of its own, and passes on to a server that may change.

    Attributes:
        target: port of the server.
        cuts: bytes after which the next connections break, one each; then none does.
    """

    def __init__(self, target: int, cuts: Iterable[int] = ()) -> None:
        self.target = target
        self.cuts = deque(cuts)
        self.passages: list[Passage] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def swallow(self) -> None:
        """Let nothing come through the connections there are."""
        for passage in self.passages:
            passage.swallowed = True

    def end(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for passage in self.passages:
            passage.end()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    client.close()
                    continue
                passage = Passage(client, server, self.cuts.popleft() if self.cuts else None)
                self.passages.append(passage)
                passage.begin()


@contextmanager
def crossing(target: int, cuts: Iterable[int] = ()) -> Iterator[Crossing]:
    between = Crossing(target, cuts)
    try:
        yield between
    finally:
        between.end()
