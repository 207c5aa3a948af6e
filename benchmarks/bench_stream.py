"""How long until every viewer has a message, by the number of viewers?"""

from __future__ import annotations

import base64
import os
import socket
import struct
from contextlib import ExitStack

import pytest

from tests.server_helpers import PATIENCE, fed_server, state_tick

pytestmark = pytest.mark.yardstick("python")


class Viewer:
    """A WebSocket client that does next to nothing: it shares the cores with the server."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, PATIENCE)
        self._read = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            "GET /ws/stream HTTP/1.1",
            f"Host: {address[0]}:{address[1]}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            "",
            "",
        )
        self._socket.sendall("\r\n".join(lines).encode())
        assert b" 101 " in self._read.readline()
        while self._read.readline().strip():
            pass

    def receive(self) -> bytes:
        """Read one message of one WebSocket frame."""
        _, length = self._read.read(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._read.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._read.read(8))
        return self._read.read(length)

    def close(self) -> None:
        """End the connection without a word, as viewers do."""
        self._read.close()
        self._socket.close()


@pytest.mark.parametrize("viewers", [1, pytest.param(50, marks=pytest.mark.large)])
def test_metric(benchmark, tmp_path, viewers):
    """From a raw tick on the server's input to its metric at every viewer, over real sockets."""
    with ExitStack() as stack:
        running, feed = stack.enter_context(fed_server(tmp_path, window=1000))
        watching = [Viewer(running.address) for _ in range(viewers)]
        for viewer in watching:
            stack.callback(viewer.close)
        numbers = iter(range(10**9))

        def next_tick():
            return (state_tick(next(numbers)),), {}

        def pass_on(raw):
            feed.send(raw)
            for viewer in watching:
                message = viewer.receive()
            return message

        message = benchmark.pedantic(pass_on, setup=next_tick, rounds=300, warmup_rounds=20)
        assert b'"type":"metric"' in message
    benchmark.extra_info.update(viewers=viewers, message_bytes=len(message))
