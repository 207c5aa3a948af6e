"""WebSocket frames that are none, or nearly: by hand for what is known, by chance for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

__all__ = ["MALFORMED", "OPENING", "client_frame", "handshake", "junk_frames", "server_frames"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
_TOO_LARGE: Final = 1009
_INVALID: Final = 1007
_PROTOCOL: Final = 1002


def handshake(path: str, *headers: str) -> bytes:
    """Return the request that opens a WebSocket."""
    lines = (
        f"GET {path} HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *headers,
        "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


OPENING: Final = handshake("/ws/stream")


def client_frame(
    opcode: int,
    data: bytes = b"",
    flags: int = FIN,
    size: int | None = None,
    *,
    masked: bool = True,
) -> bytes:
    """Return a frame; its mask is zero. `size` is what it says of its length, if not the truth."""
    said = len(data) if size is None else size
    mark = 0x80 if masked else 0
    if said < 126:
        head = bytes([flags | opcode, mark | said])
    elif said < 2**16:
        head = bytes([flags | opcode, mark | 126]) + said.to_bytes(2)
    else:
        head = bytes([flags | opcode, mark | 127]) + said.to_bytes(8)
    return head + (bytes(4) if masked else b"") + data


MALFORMED: Final = {
    "not masked": (client_frame(TEXT, b"ping", masked=False), _PROTOCOL),
    "not masked, a ping": (client_frame(PING, masked=False), _PROTOCOL),
    "compressed": (client_frame(TEXT, b"ping", FIN | RSV1), _PROTOCOL),
    "second reserved bit": (client_frame(TEXT, b"ping", FIN | RSV2), _PROTOCOL),
    "third reserved bit": (client_frame(PING, b"", FIN | RSV3), _PROTOCOL),
    "reserved opcode": (client_frame(0x3, b"ping"), _PROTOCOL),
    "reserved control opcode": (client_frame(0xF), _PROTOCOL),
    "ping in fragments": (client_frame(PING, b"a", 0), _PROTOCOL),
    "close in fragments": (client_frame(CLOSE, b"\x03\xe8", 0), _PROTOCOL),
    "ping too long": (client_frame(PING, bytes(126)), _PROTOCOL),
    "pong too long": (client_frame(PONG, bytes(4000)), _PROTOCOL),
    "continuation of nothing": (client_frame(CONTINUATION, b"ping"), _PROTOCOL),
    "message within a message": (client_frame(TEXT, b"a", 0) + client_frame(TEXT, b"b"), _PROTOCOL),
    "close of one byte": (client_frame(CLOSE, b"\x03"), _PROTOCOL),
    "close code 0": (client_frame(CLOSE, bytes(2)), _PROTOCOL),
    "close code 1005": (client_frame(CLOSE, (1005).to_bytes(2)), _PROTOCOL),
    "close code 5000": (client_frame(CLOSE, (5000).to_bytes(2)), _PROTOCOL),
    "close reason not text": (client_frame(CLOSE, b"\x03\xe8\xff"), _INVALID),
    "text not text": (client_frame(TEXT, b"\xc0\xae"), _INVALID),
    "half a surrogate": (client_frame(TEXT, b"\xed\xa0\x80"), _INVALID),
    "text cut within a letter": (client_frame(TEXT, b"\xe2\x82"), _INVALID),
    "one byte too many": (client_frame(TEXT, bytes(4097)), _TOO_LARGE),
    "a gigabyte said": (client_frame(BINARY, b"", FIN, 2**30), _TOO_LARGE),
    "all there is said": (client_frame(BINARY, b"", FIN, 2**63 - 1), _TOO_LARGE),
    "more than there is said": (client_frame(BINARY, b"", FIN, 2**64 - 1), _TOO_LARGE),
    "too much in fragments": (
        client_frame(TEXT, bytes(4000), 0) + client_frame(CONTINUATION, bytes(97)), _TOO_LARGE,
    ),
}  # fmt: skip
"""What ends a connection, and the code that it is told."""


def server_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Read what a server sent after its handshake, as opcode and data; check that it may."""
    while data:
        first, size = data[:2]
        assert first & (RSV1 | RSV2 | RSV3) == 0
        assert size < 0x80, "a server masks nothing"
        begin = 2
        if size >= 126:
            begin = 4 if size == 126 else 10
            size = int.from_bytes(data[2:begin])
        if begin + size > len(data):  # the connection was cut
            return
        yield first & 0x0F, data[begin : begin + size]
        data = data[begin + size :]


def junk_frames(dice: random.Random, count: int) -> Iterator[bytes]:
    """Make what a client may send after its handshake by chance, some of it in order."""
    for _ in range(count):
        kind = dice.random()
        if kind < 0.2:
            yield dice.randbytes(dice.randrange(1, 200))
        else:
            frames = b"".join(_frame(dice) for _ in range(dice.randrange(1, 12)))
            yield frames if kind < 0.6 else _damaged(dice, frames)


_SAID: Final = (
    b"ping", b"", b'{"type":"pause"}', b'{"type":"seek","t":5}', b'{"type":"speed","speed":-1}',
    b'{"type":"auth","token":"x"}', b"[" * 2000, b'{"t":' + b"9" * 400 + b"}", b'"\\ud800"',
    b"null", b'{"type":"speed","speed":1e999}', b'{"type":{}}', b"\xff", bytes(4096),
    b'{"type":"end"}',
)  # fmt: skip


def _frame(dice: random.Random) -> bytes:
    opcode = dice.choice((TEXT, TEXT, TEXT, BINARY, PING, PONG, CONTINUATION, CLOSE, 0x5, 0xB))
    flags = dice.choice((FIN, FIN, FIN, 0, FIN | RSV1, dice.randrange(16) << 4))
    data = dice.choice(_SAID)
    size = None if dice.random() < 0.9 else dice.choice((0, 125, 126, 65_535, 2**16, 2**63))
    return client_frame(opcode, data, flags, size, masked=dice.random() < 0.95)


def _damaged(dice: random.Random, data: bytes) -> bytes:
    text = bytearray(data)
    for _ in range(dice.randrange(1, 4)):
        text[dice.randrange(len(text))] ^= 1 << dice.randrange(8)
    return bytes(text[: dice.randrange(1, len(text) + 1)])
