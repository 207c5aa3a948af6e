"""What bounds connections and requests before any of them is answered."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.raw_streams import TEXT, frame, is_cut, next_frame, raw_stream, read_to_the_end
from tests.server_helpers import PATIENCE, fed_server

if TYPE_CHECKING:
    from pathlib import Path


def test_connections_beyond_the_limit_are_cut_as_they_come(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, max_connections=2) as (server, _),
        raw_stream(server),
        raw_stream(server) as (sock, reader),
    ):
        for _ in range(5):
            with socket.create_connection(server.address, PATIENCE) as beyond:
                assert is_cut(beyond)
        sock.sendall(frame(TEXT, b"ping"))
        assert next_frame(reader) == (TEXT, b'{"type":"pong"}')


def test_who_has_waited_longest_goes_for_whoever_comes(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, max_connections=4) as (server, _),
        raw_stream(server) as (sock, reader),
        ExitStack() as stack,
    ):
        silent = [
            stack.enter_context(socket.create_connection(server.address, PATIENCE))
            for _ in range(12)
        ]
        assert all(is_cut(each) for each in silent[:9])
        with server.http() as http:
            assert http.get("/health").status_code == 200
        assert is_cut(silent[9])
        sock.sendall(frame(TEXT, b"ping"))
        assert next_frame(reader) == (TEXT, b'{"type":"pong"}')


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET /health HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Le"],
)
def test_a_request_that_does_not_come_in_ends_its_connection(tmp_path: Path, begun: bytes) -> None:
    with (
        fed_server(tmp_path, handshake_seconds=0.05) as (server, _),
        socket.create_connection(server.address) as sock,
    ):
        sock.sendall(begun)
        assert is_cut(sock)


@pytest.mark.parametrize(
    "begun", [b"GET /health HTT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_so_does_a_second_request(tmp_path: Path, begun: bytes) -> None:
    with (
        fed_server(tmp_path, handshake_seconds=0.05) as (server, _),
        socket.create_connection(server.address) as sock,
    ):
        sock.sendall(b"HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        with sock.makefile("rb") as reader:
            assert reader.readline().startswith(b"HTTP/1.1 404 ")
            while reader.readline() != b"\r\n":
                pass
        sock.sendall(begun)
        assert b"HTTP/1.1 200 " not in read_to_the_end(sock)


def test_whoever_has_sent_a_request_is_given_time(tmp_path: Path) -> None:
    options = {"handshake_seconds": 0.05, "heartbeat_seconds": 0.1}
    with fed_server(tmp_path, **options) as (server, _), raw_stream(server) as opened:
        for _ in range(2):
            assert next_frame(opened[1]) == (TEXT, b'{"type":"heartbeat","t":null}')
