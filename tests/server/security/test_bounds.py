"""What one connection may take: of time, and of what it says, with real sockets."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

import pytest

from marketcam.server.security.bounds import Meter
from tests.raw_streams import (
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    connected_socket,
    frame,
    next_frame,
    raw_stream,
    read_to_the_end,
)
from tests.server_helpers import PATIENCE, fed_server, receive

if TYPE_CHECKING:
    from pathlib import Path

CLOSE = 0x8


def is_reset(sock: socket.socket, seconds: float = PATIENCE) -> bool:
    """Wait, without reading, until the server has cut a connection."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(event & select.POLLERR for _, event in poll.poll(seconds * 1000))


@pytest.mark.parametrize("kind", [TEXT, PING, PONG, CONTINUATION])
def test_a_client_that_says_too_much_is_sent_away(tmp_path: Path, kind: int) -> None:
    begin = frame(TEXT, fin=0) if kind == CONTINUATION else b""
    fin = 0 if kind == CONTINUATION else 0x80
    with (
        fed_server(tmp_path, client_message_rate=1) as (server, _),
        raw_stream(server) as (sock, reader),
    ):
        sock.sendall(begin + 40 * frame(kind, b"x", fin))
        found = next_frame(reader)
        while found[0] == PONG:
            found = next_frame(reader)
        assert found == (CLOSE, b"\x03\xf0too many messages, the limit is 1 a second")
        read_to_the_end(sock)


def test_one_that_keeps_to_the_rate_is_not() -> None:
    meter = Meter(2.0, 0.0)
    assert all(meter.count(now / 2) for now in range(1000))
    assert sum(meter.count(500.0) for _ in range(100)) in {19, 20}
    assert not meter.count(500.0)
    assert meter.count(600.0)


def test_a_slow_rate_lets_one_message_in() -> None:
    meter = Meter(0.001, 0.0)
    assert meter.count(0.0)
    assert not meter.count(1.0)


def test_messages_are_as_long_as_configured(tmp_path: Path) -> None:
    for limit in (512, 6000):
        with fed_server(tmp_path, client_message_bytes=limit) as (server, _), server.stream() as s:
            s.send("x" * limit)
            s.send("ping")
            assert receive(s) == [{"type": "pong"}]
        (tmp_path / "ticks.fifo").unlink()
    with (
        fed_server(tmp_path, client_message_bytes=512) as (server, _),
        raw_stream(server) as (sock, reader),
    ):
        sock.sendall(bytes([0x81, 0x80 | 126]) + (513).to_bytes(2) + bytes(4 + 513))
        opcode, data = next_frame(reader)
        assert (opcode, data[:2]) == (CLOSE, (1009).to_bytes(2))


def test_a_head_is_at_most_so_long_also_when_it_comes_in_one_piece(tmp_path: Path) -> None:
    with fed_server(tmp_path, header_bytes=2048) as (server, _):
        for size, status in ((1500, b"200"), (4000, b"4"), (60_000, b"4")):
            head = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: "
            with socket.create_connection(server.address, PATIENCE) as sock:
                sock.sendall(head + b"x" * size + b"\r\n\r\n")
                assert read_to_the_end(sock).startswith(b"HTTP/1.1 " + status)


def test_requests_that_come_together_are_answered_in_turn(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _):
        one = b"GET /viewer/columns.js HTTP/1.1\r\nHost: x\r\n"
        text = server.ask_raw((one + b"\r\n") * 60 + one + b"Connection: close\r\n\r\n")
    assert text.count(b"HTTP/1.1 200 OK") == 61


def test_an_idle_connection_ends(tmp_path: Path) -> None:
    with fed_server(tmp_path, idle_seconds=0.05) as (server, _), connected_socket(server) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_to_the_end(sock).startswith(b"HTTP/1.1 200 OK")


def test_a_download_that_nobody_takes_is_cut(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, client_slow_seconds=0.2) as (server, _),
        connected_socket(server) as sock,
    ):
        # More answers than all buffers in between hold.
        sock.sendall(b"GET /viewer/columns.js HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
        assert is_reset(sock)
