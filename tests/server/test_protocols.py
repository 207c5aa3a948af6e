"""What a peer can hold of the server: connections, time, memory; and what it cannot change."""

from __future__ import annotations

import random
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from marketcam.server import protocols, serve
from marketcam.server.protocols import StreamProtocol
from tests.server_helpers import PATIENCE, fed_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

    from tests.server_helpers import Running

UPGRADE = (
    b"GET /ws/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CONTINUATION, TEXT, PING, PONG = 0x0, 0x1, 0x9, 0xA
FIN = 0x80


@contextmanager
def raw_stream(server: Running) -> Iterator[tuple[socket.socket, BufferedReader]]:
    """Open a stream by hand; the client does nothing of itself, and has little room."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(PATIENCE)
        sock.connect(server.address)
        sock.sendall(UPGRADE)
        with sock.makefile("rb") as reader:
            assert reader.readline().startswith(b"HTTP/1.1 101 ")
            while reader.readline() != b"\r\n":
                pass
            yield sock, reader


def frame(opcode: int, data: bytes = b"", fin: int = FIN) -> bytes:
    """Return a small frame of a client; its mask is zero."""
    return bytes([fin | opcode, 0x80 | len(data), 0, 0, 0, 0]) + data


def next_frame(reader: BufferedReader) -> tuple[int, bytes]:
    """Read a small frame of the server; return its opcode and its data."""
    first, size = reader.read(2)
    return first & 0x0F, reader.read(size)


def read_to_the_end(sock: socket.socket) -> bytes:
    """Read until the server ends the connection."""
    sock.settimeout(PATIENCE)
    data = b""
    with suppress(ConnectionResetError):
        while part := sock.recv(65_536):
            data += part
    return data


def is_cut(sock: socket.socket) -> bool:
    """Wait for the end of a connection; return whether nothing else came."""
    return read_to_the_end(sock) == b""


def test_viewers_do_not_touch_the_generator_of_a_simulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "PING_SECONDS", 0.001)
    with fed_server(tmp_path) as (server, _), raw_stream(server) as (sock, reader):
        before = random.getstate()
        payloads = set()
        for _ in range(5):
            opcode, payload = next_frame(reader)
            assert opcode == PING
            payloads.add(payload)
            sock.sendall(frame(PONG, payload))
        assert random.getstate() == before
    assert len(payloads) == 5


def test_pings_of_a_client_that_does_not_read_take_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [0]
    handle_ping = StreamProtocol.handle_ping

    def measured(protocol: StreamProtocol) -> None:
        handle_ping(protocol)
        sizes.append(protocol.transport.get_write_buffer_size())

    monkeypatch.setattr(StreamProtocol, "handle_ping", measured)
    with fed_server(tmp_path) as (server, _), raw_stream(server) as (sock, reader):
        pings = [frame(PING, b"%125d" % number) for number in range(80_000)]
        sock.sendall(b"".join(pings))
        answers = [int(next_frame(reader)[1])]
        while answers[-1] < len(pings) - 1:  # the last one is answered, whatever was left out
            answers.append(int(next_frame(reader)[1]))
        assert answers == sorted(answers)
        assert len(answers) < len(pings)
    assert max(sizes) < 2**20


def test_empty_fragments_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[int] = []
    deliver = StreamProtocol.send_receive_event_to_app

    def measured(protocol: StreamProtocol) -> None:
        parts.append(len(protocol.frames))
        deliver(protocol)

    monkeypatch.setattr(StreamProtocol, "send_receive_event_to_app", measured)
    with fed_server(tmp_path) as (server, _), raw_stream(server) as (sock, reader):
        sock.sendall(frame(TEXT, b"pi", fin=0) + 1000 * frame(CONTINUATION, fin=0))
        sock.sendall(frame(CONTINUATION, b"ng", fin=0) + frame(CONTINUATION))
        assert next_frame(reader) == (TEXT, b'{"type":"pong"}')
    assert parts == [3]


def test_connections_beyond_the_limit_are_cut_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "MAX_CONNECTIONS", 3)
    with fed_server(tmp_path) as (server, _), raw_stream(server), server.http() as http:
        assert http.get("/health").status_code == 200  # keeps its connection
        with socket.create_connection(server.address, PATIENCE):  # silent, and counted
            for _ in range(5):
                with socket.create_connection(server.address, PATIENCE) as beyond:
                    assert is_cut(beyond)
            assert http.get("/health").status_code == 200


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET /health HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Le"],
)
def test_a_request_that_does_not_come_in_ends_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(protocols, "REQUEST_SECONDS", 0.05)
    with (
        fed_server(tmp_path) as (server, _),
        socket.create_connection(server.address) as sock,
    ):
        sock.sendall(begun)
        assert is_cut(sock)


@pytest.mark.parametrize(
    "begun", [b"GET /health HTT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_so_does_a_second_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(protocols, "REQUEST_SECONDS", 0.05)
    with fed_server(tmp_path) as (server, _), socket.create_connection(server.address) as sock:
        sock.sendall(b"HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        with sock.makefile("rb") as reader:
            assert reader.readline().startswith(b"HTTP/1.1 404 ")
            while reader.readline() != b"\r\n":
                pass
        sock.sendall(begun)
        assert b"HTTP/1.1 200 " not in read_to_the_end(sock)


def test_whoever_has_sent_a_request_is_given_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "REQUEST_SECONDS", 0.05)
    with fed_server(tmp_path, heartbeat_seconds=0.1) as (server, _), raw_stream(server) as opened:
        for _ in range(2):
            assert next_frame(opened[1]) == (TEXT, b'{"type":"heartbeat","t":null}')
