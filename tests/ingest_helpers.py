"""Servers that wait for a producer, and producers that say just what a test wants."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from marketcam.engine import Tick
from marketcam.io import encode_tick_binary
from marketcam.server.settings import Settings
from tests.server_helpers import PATIENCE, running_server, state_tick, tick_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from tests.server_helpers import Running

TOKEN = "a-token-of-the-tests"
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


def some_ticks(first: int, last: int) -> Iterable[dict[str, Any]]:
    return [state_tick(t) for t in range(first, last + 1)]
