"""WebSocket clients that break the protocol, or hold to it and harm: frames, pings, handshakes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.attacks.crowd import ROUNDS, Attacker, exchange, seeded
from tests.attacks.socket_junk import (
    CLOSE,
    CONTINUATION,
    MALFORMED,
    OPENING,
    PING,
    PONG,
    TEXT,
    client_frame,
    handshake,
    junk_frames,
    server_frames,
)

if TYPE_CHECKING:
    from tests.attacks.target import Target

PATHS = ("/ws/stream", "/ws/stream?from_t=0", "/ws/replay")
END = client_frame(CLOSE, (1000).to_bytes(2))


def talk(target: Target, path: str, said: bytes) -> list[tuple[int, bytes]]:
    """Open a WebSocket, say something, and return the frames that came until the server's end."""

    [answer] = exchange(target, [(handshake(path), said)], None)
    return list(server_frames(answer.partition(b"\r\n\r\n")[2]))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_frame_ends_its_connection_with_the_right_code(
    target: Target, path: str, name: str
) -> None:
    said, code = MALFORMED[name]
    with target.under_attack():
        opcode, data = talk(target, path, said)[-1]
    assert (opcode, int.from_bytes(data[:2])) == (CLOSE, code)
    target.check_discretion([data])


def test_thousands_of_frames_made_by_chance(target: Target) -> None:
    dice = seeded("frames")
    said = junk_frames(dice, 800 * ROUNDS)
    payloads = [(handshake(dice.choice(PATHS)), junk) for junk in said]
    with target.under_attack():
        answers = exchange(target, payloads)
    target.check_discretion(answers)
    for answer in answers:
        head, _, sent = answer.partition(b"\r\n\r\n")
        assert head.startswith((b"HTTP/1.1 101 ", b"HTTP/1.1 503 "))
        assert b" 503 " in head or list(server_frames(sent)) or not sent


@pytest.mark.parametrize(
    "flood",
    [
        client_frame(PING, b"x" * 125),
        client_frame(PONG, b"x" * 125),
        client_frame(TEXT, b"ping"),
        client_frame(TEXT, b"x" * 4000),
        client_frame(TEXT, b"", 0) + client_frame(CONTINUATION),
    ],
    ids=["pings", "pongs", "asking for pongs", "messages", "empty messages"],
)
@pytest.mark.parametrize("path", PATHS)
def test_floods_of_frames_harm_nobody(target: Target, path: str, flood: bytes) -> None:
    async def flood_on() -> None:
        attackers = [await Attacker.connect(target) for _ in range(4)]
        try:
            for attacker in attackers:
                await attacker.send(handshake(path))
                await attacker.read_head()
            for _ in range(ROUNDS):
                for attacker in attackers:
                    attacker.push(flood * (2**18 // len(flood)))
                target.check_honest_viewer()
        finally:
            for attacker in attackers:
                attacker.cut()

    with target.under_attack(log_lines=50):
        asyncio.run(flood_on())


HANDSHAKES = {
    "no key": OPENING.replace(b"Sec-WebSocket-Key", b"X"),
    "short key": OPENING.replace(b"AAAA", b"A", 1),
    "key not base64": OPENING.replace(b"AAAA", b"!!!!", 1),
    "two keys": OPENING.replace(b"Host", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nHost"),
    "no version": OPENING.replace(b"Sec-WebSocket-Version", b"X"),
    "version 8": OPENING.replace(b"13", b"8"),
    "version of letters": OPENING.replace(b"13", b"xx"),
    "posted": OPENING.replace(b"GET", b"POST"),
    "of HTTP 1.0": OPENING.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "to nowhere": OPENING.replace(b"/ws/stream", b"/ws/nowhere"),
    "to a plain page": OPENING.replace(b"/ws/stream", b"/health"),
    "with a body": OPENING.replace(b"Host", b"Content-Length: 5\r\nHost") + b"hello",
    "with a chunked body": OPENING.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
    "with a path that is not text": OPENING.replace(b"/ws/stream", b"/%ff%fe"),
    "with a query that is not text": OPENING.replace(b"/ws/stream", b"/ws/stream?encoding=%ff"),
    "with a header that is not text": OPENING.replace(b"Host: x", b"Host: x\r\nX: \xff\xfe"),
    "with an extension that is none": OPENING.replace(
        b"Host", b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99\r\nHost"
    ),
    "with extensions by the hundred": OPENING.replace(
        b"Host", b"Sec-WebSocket-Extensions: " + b"permessage-deflate, " * 500 + b"x\r\nHost"
    ),
    "with an extension header that is no list": OPENING.replace(
        b"Host", b"Sec-WebSocket-Extensions: ;;;=,\r\nHost"
    ),
    "with subprotocols": OPENING.replace(b"Host", b"Sec-WebSocket-Protocol: a, b\r\nHost"),
    "to another protocol": OPENING.replace(b"websocket", b"h2c", 1),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_handshakes_that_are_none_are_refused_in_form(target: Target, name: str) -> None:
    with target.under_attack(log_lines=50):
        [answer] = exchange(target, [HANDSHAKES[name]])
    target.check_discretion([answer])
    assert answer.startswith((b"HTTP/1.1 101 ", b"HTTP/1.1 4"))


def test_thousands_of_handshakes_are_cut_in_the_middle(target: Target) -> None:
    """Some before the answer, some after it, some while the greeting is on its way."""
    dice = seeded("handshakes")

    async def cut_off() -> None:
        for _ in range(8 * ROUNDS):
            attackers = await asyncio.gather(*(Attacker.connect(target) for _ in range(100)))
            for attacker in attackers:
                attacker.push(
                    OPENING[: dice.randrange(1, 2 * len(OPENING))] + END * dice.randrange(2)
                )
            for attacker in dice.sample(attackers, 50):
                attacker.cut()
            await asyncio.gather(*(a.read_some() for a in attackers if dice.random() < 0.5))
            for attacker in attackers:
                attacker.cut()

    with target.under_attack():
        asyncio.run(cut_off())
