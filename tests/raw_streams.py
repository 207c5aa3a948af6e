"""A WebSocket client that does nothing of itself: frames by hand, over a plain socket."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import orjson

from tests.conforming import assert_said
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

    from tests.server_helpers import Running


def upgrade(target: str, extensions: str = "") -> bytes:
    """Return a handshake, with an offer of extensions."""
    offer = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
    return (
        f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"{offer}\r\n"
    ).encode()


UPGRADE = upgrade("/ws/stream")
CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA
FIN, RSV1 = 0x80, 0x40


@contextmanager
def connected_socket(server: Running) -> Iterator[socket.socket]:
    """Connect with little room for what is not read."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(PATIENCE)
        sock.connect(server.address)
        yield sock


@contextmanager
def raw_stream(server: Running) -> Iterator[tuple[socket.socket, BufferedReader]]:
    """Open a stream by hand; the client does nothing of itself, and has little room."""
    with connected_socket(server) as sock:
        sock.sendall(UPGRADE)
        with sock.makefile("rb") as reader:
            assert reader.readline().startswith(b"HTTP/1.1 101 ")
            while reader.readline() != b"\r\n":
                pass
            yield sock, reader


def read_head(reader: BufferedReader) -> bytes:
    """Read the head of an answer."""
    return b"".join(iter(reader.readline, b"\r\n"))


def frame(opcode: int, data: bytes = b"", fin: int = FIN) -> bytes:
    """Return a frame of a client, of up to 64 KB; its mask is zero."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return bytes([fin | opcode]) + size + bytes(4) + data


def next_frame(reader: BufferedReader) -> tuple[int, bytes]:
    """Read a small frame of the server; return its opcode and its data."""
    first, data = next_message(reader)
    return first & 0x0F, data


def next_message(reader: BufferedReader) -> tuple[int, bytes]:
    """Read a frame of the server, of up to 64 KB; return its first byte and its data."""
    first, size = reader.read(2)
    data = reader.read(size if size < 126 else int.from_bytes(reader.read(2)))
    if first == FIN | TEXT:
        assert_said(orjson.loads(data))
    return first, data


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
