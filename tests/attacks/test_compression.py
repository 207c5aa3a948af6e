"""Compression bombs, and other misuse of permessage-deflate."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import pytest

from tests.attacks.crowd import ROUNDS, exchange, seeded
from tests.attacks.socket_junk import CLOSE, FIN, PING, RSV1, TEXT, client_frame, handshake

if TYPE_CHECKING:
    from tests.attacks.target import Target

OPENING: Final = handshake(
    "/ws/stream?deflate=1&kinds=metric",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


ZEROS: Final = deflated(bytes(2**28))
BOMBS = {
    "zeros in a message": client_frame(TEXT, ZEROS[:4000], FIN | RSV1),
    "zeros in fragments": client_frame(TEXT, ZEROS[:2000], RSV1)
    + client_frame(0, ZEROS[2000:4000]) * 8,
    "a bomb in a bomb": client_frame(TEXT, deflated(deflated(bytes(2**26))), FIN | RSV1),
    "just over the limit": client_frame(TEXT, deflated(b"a" * 4097), FIN | RSV1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_not_unpacked(target: Target, name: str) -> None:
    with target.under_attack():
        answers = exchange(target, [(OPENING, BOMBS[name] * 4)] * 32 * ROUNDS, None)
    for answer in answers:
        assert b"permessage-deflate" in answer.partition(b"\r\n\r\n")[0]
        assert bytes([FIN | CLOSE]) in answer
        assert (1009).to_bytes(2) in answer[-64:]


def test_what_is_no_deflate_ends_its_connection_only(target: Target) -> None:
    dice = seeded("deflate")
    junk = [
        client_frame(
            dice.choice((TEXT, PING, 0)), dice.randbytes(dice.randrange(1, 100)), FIN | RSV1
        )
        for _ in range(300 * ROUNDS)
    ]
    broken = bytearray(deflated(b'{"type":"ping"}' * 50))
    for _ in range(100 * ROUNDS):
        broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        junk.append(client_frame(TEXT, bytes(broken), FIN | RSV1))
    with target.under_attack():
        answers = exchange(target, [(OPENING, said) for said in junk])
    target.check_discretion(answers)
