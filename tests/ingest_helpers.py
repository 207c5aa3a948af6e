"""Servers that wait for a producer, and producers that say just what a test wants."""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from marketcam.engine import Tick
from marketcam.io import encode_tick_binary
from marketcam.server.settings import Settings
from tests.conforming import assert_said, connect
from tests.server_helpers import PATIENCE, running_server, state_tick, tick_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from tests.server_helpers import Running

TOKEN = "a-token-of-the-tests"
TEXT, BINARY, CLOSE = 0x1, 0x2, 0x8
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def ingest_server(folder: Path, **options: Any) -> Iterator[Running]:
    """Run a server with a window of 4 and stride 2 that waits for a producer."""
    given = {"window": 4, "stride": 2, "store_dir": folder / "store"} | options
    with running_server(Settings(port=0, ingest_token=TOKEN, **given)) as server:
        yield server


def ingest_url(url: str, source: str = "sim") -> str:
    return f"ws{url.removeprefix('http')}/ws/ingest?source={source}"


class Producer:
    """A connection; what it is told is kept, until an `ack` for all that it has sent."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.sent = 0
        self.acked = 0
        self.last_t: int | None = None
        self.refusals: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []

    def hear(self) -> dict[str, Any]:
        """Return the next message, whatever it is."""
        message: dict[str, Any] = orjson.loads(self.connection.recv(timeout=PATIENCE))
        self.told.append(message)
        match message["type"]:
            case "hello":
                self.last_t = message["last_t"]
            case "ack":
                assert self.acked <= message["ticks"] <= self.sent
                self.acked, self.last_t = message["ticks"], message["t"]
            case "refused":
                assert message["tick"] > self.acked
                self.refusals.append(message)
        return message

    def greet(self) -> dict[str, Any]:
        """Return the first message."""
        message = self.hear()
        assert message["type"] == "hello"
        return message

    def send(self, *raws: dict[str, Any], binary: bool = False) -> None:
        """Send ticks in one message."""
        self.send_as(
            b"".join(encode_tick_binary(Tick.from_dict(raw)) for raw in raws)
            if binary
            else tick_lines(raws).decode(),
            len(raws),
        )

    def send_as(self, message: str | bytes, ticks: int) -> None:
        """Send a message that holds so many ticks, good or bad."""
        self.sent += ticks
        self.connection.send(message)

    def settle(self) -> None:
        """Wait until all that was sent is dealt with."""
        while self.acked < self.sent:
            self.hear()

    def end(self) -> None:
        self.connection.send('{"type":"end"}')

    def hear_the_end(self) -> tuple[int, str]:
        """Read until the server closes; return code and reason."""
        with pytest.raises(ConnectionClosed) as closed:
            self._hear_all()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code, closed.value.rcvd.reason

    def _hear_all(self) -> None:
        while True:
            self.hear()


@contextmanager
def connected(server: Running, source: str = "sim", **options: Any) -> Iterator[Producer]:
    """Connect to a server, with the token in a header."""
    given = {"additional_headers": BEARER, "proxy": None, "open_timeout": PATIENCE} | options
    with connect(ingest_url(server.listening.url, source), **given) as connection:
        yield Producer(connection)


@contextmanager
def producer(server: Running, source: str = "sim", **options: Any) -> Iterator[Producer]:
    """Connect to a server and be greeted."""
    with connected(server, source, **options) as sim:
        sim.greet()
        yield sim


UPGRADE = (
    "GET /ws/ingest?source=sim HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    f"Authorization: Bearer {TOKEN}\r\n\r\n"
).encode()


class RawProducer:
    """A connection by hand, which answers nothing and can break anywhere."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._reader = sock.makefile("rb")
        sock.sendall(UPGRADE)
        self.status = self._reader.readline()
        while self._reader.readline().strip():
            pass

    def hear(self) -> dict[str, Any] | None:
        """Return the next message, None at the end of the connection; pings are passed over."""
        while True:
            try:
                head = self._reader.read(2)
                if len(head) < 2 or head[0] & 0x0F == CLOSE:
                    return None
                size = head[1] if head[1] < 126 else int.from_bytes(self._reader.read(2), "big")
                data = self._reader.read(size)
            except ConnectionError:
                return None
            if head[0] & 0x0F == TEXT:
                message: dict[str, Any] = orjson.loads(data)
                assert_said(message)
                return message

    def hear_acks(self, count: int) -> None:
        """Read until so many ticks are dealt with."""
        while (message := self.hear()) is not None:
            if message["type"] == "ack" and message["ticks"] >= count:
                return
        raise AssertionError(f"the connection ended before tick {count}")

    def reset(self) -> None:
        """Break the connection so that what is on its way is lost."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._reader.close()
        self.socket.close()


@contextmanager
def raw_producer(server: Running) -> Iterator[RawProducer]:
    """Connect by hand, with little room for what is sent."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        sock.settimeout(PATIENCE)
        sock.connect(server.address)
        raw = RawProducer(sock)
        try:
            yield raw
        finally:
            raw.close()


def client_frame(message: str | bytes) -> bytes:
    """Return a message as one frame of a client, however long; its mask is zero."""
    data = message.encode() if isinstance(message, str) else message
    opcode = TEXT if isinstance(message, str) else BINARY
    return bytes([0x80 | opcode, 0xFF]) + len(data).to_bytes(8, "big") + bytes(4) + data


def some_ticks(first: int, last: int) -> list[dict[str, Any]]:
    return [state_tick(t) for t in range(first, last + 1)]
