"""The viewers of the load tests, against a server that is played here byte by byte."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.stream_readers import Viewer
from tests.server_helpers import PATIENCE

ROOM = 65_536


@pytest.fixture
def ends():
    """A viewer, and the server's end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
        opening = pool.submit(Viewer, listening.getsockname()[1], "")
        server, _ = listening.accept()
        with server:
            server.settimeout(PATIENCE)
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += server.recv(ROOM)
            server.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            viewer = opening.result(PATIENCE)
            with viewer.socket:
                viewer.socket.settimeout(PATIENCE)
                yield viewer, server


def take(viewer: Viewer, server: socket.socket, data: bytes) -> None:
    """Send bytes one at a time and have each taken: every border falls between two reads."""
    for k in range(len(data)):
        server.sendall(data[k : k + 1])
        viewer.take(memoryview(bytearray(ROOM)))


def test_a_ping_in_the_middle_of_a_message_is_returned(ends):
    viewer, server = ends
    text = b'{"type":"metric","t":1}'
    first, rest = text[:5], text[5:]
    take(viewer, server, bytes((0x01, len(first))) + first)
    take(viewer, server, b"\x89\x04\x00\xffab")
    take(viewer, server, bytes((0x80, len(rest))) + rest)
    assert server.recv(ROOM) == b"\x8a\x84\x00\x00\x00\x00\x00\xffab"
    assert viewer.readings.messages == {"metric": 1}


def test_large_and_binary_messages_and_gaps_are_counted(ends):
    viewer, server = ends
    server.sendall(b"\x82\x7e\x01\x00" + bytes(256))
    gap = b'{"type":"gap","kind":"frame","from_t":1,"to_t":2,"reason":"slow"}'
    server.sendall(bytes((0x81, len(gap))) + gap)
    while viewer.readings.bytes < 4 + 256 + 2 + len(gap):
        viewer.take(memoryview(bytearray(ROOM)))
    assert viewer.readings.messages == {"frame": 1, "gap": 1}
    assert viewer.readings.missed == {"frame slow": 1}


def test_an_early_end_is_an_error_that_tells_the_reason(ends):
    viewer, server = ends
    take(viewer, server, b"\x88\x0a" + (1013).to_bytes(2) + b"too slow")
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError, match="connection, code 1013: too slow"):
        viewer.take(memoryview(bytearray(ROOM)))


def test_an_end_without_a_close_frame_is_an_error_too(ends):
    viewer, server = ends
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError, match="without a word"):
        viewer.take(memoryview(bytearray(ROOM)))
