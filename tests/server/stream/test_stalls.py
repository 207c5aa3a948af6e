"""Peers that stop reading what was recorded, and such that only read slowly."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from marketcam.server.stream import connection
from marketcam.server.stream import protocol as protocols
from marketcam.server.stream.protocol import StreamProtocol
from marketcam.server.stream.writing import PIECE_BYTES
from tests.server_helpers import PATIENCE, fed_server, receive_until, state_tick

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server_helpers import Running

LARGE = {"window": 1, "stride": 1, "edge_cap": 0, "connect_metrics": 0}
LAST_T = 99


@contextmanager
def recorded_much(folder: Path) -> Iterator[Running]:
    """Run a server that has recorded far more than the buffers of a connection take."""
    crowded = dict.fromkeys(range(800), 0.5)
    with fed_server(folder, **LARGE) as (server, feed):
        with server.stream() as stream:
            for t in range(LAST_T + 1):
                feed.send(state_tick(t, agents=crowded))
            receive_until(stream, "frame", LAST_T)
        yield server


@contextmanager
def raw_stream(server: Running, path: str) -> Iterator[socket.socket]:
    """Open a WebSocket by hand; nothing is read or answered of itself, and there is little room."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(PATIENCE)
        sock.connect(server.address)
        request = (
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        sock.sendall(request.encode())
        assert sock.recv(12) == b"HTTP/1.1 101"
        yield sock


def wait_until_free(server: Running) -> None:
    history = server.listening.app.history
    with server.http() as http:
        while history.readers.taken or history.replays.taken or len(server.rig.hub):
            assert http.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/ws/stream?from_t=0", "/ws/replay?speed=0"])
def test_who_reads_nothing_is_cut_and_its_place_is_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(protocols, "CLOSE_SECONDS", 0.05)
    lost = threading.Event()
    connection_lost = StreamProtocol.connection_lost

    def noted(protocol: StreamProtocol, error: Exception | None) -> None:
        connection_lost(protocol, error)
        lost.set()

    with recorded_much(tmp_path) as server, ExitStack() as stack:
        wait_until_free(server)
        hub = server.rig.hub  # from now on, so that nobody before could be too slow
        hub.options = replace(hub.options, client_slow_seconds=0.2)
        monkeypatch.setattr(StreamProtocol, "connection_lost", noted)
        stack.enter_context(raw_stream(server, path))
        assert lost.wait(PATIENCE)
        wait_until_free(server)
    assert "too slow: nothing read for 0.2 s" in caplog.text


def test_a_missing_pong_ends_only_the_connection_of_one_that_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[StreamProtocol] = []
    run_asgi = StreamProtocol.run_asgi

    async def noted(protocol: StreamProtocol) -> None:
        opened.append(protocol)
        await run_asgi(protocol)

    def miss_the_pong() -> bool:
        """Let the time for a pong run out; return whether the connection goes on."""
        done = threading.Event()

        def run_out() -> None:
            opened[0].keepalive_timeout()
            done.set()

        opened[0].loop.call_soon_threadsafe(run_out)
        assert done.wait(PATIENCE)
        return opened[0].is_open

    with recorded_much(tmp_path) as server:
        monkeypatch.setattr(StreamProtocol, "run_asgi", noted)
        with raw_stream(server, "/ws/replay?speed=0") as sock:
            for _ in range(10):
                left = 4 * PIECE_BYTES
                while left > 0:
                    left -= len(sock.recv(left))
                assert miss_the_pong()
            while miss_the_pong():  # what the buffers in between take is taken as well
                pass
            wait_until_free(server)
