from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from marketcam.server.stream import messages
from marketcam.server.stream.messages import FRAGMENT_BYTES, PONG, Body, Gap, Message, heartbeat
from marketcam.server.stream.selection import Form
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.server.stream.writing import Piece


def received(pieces: tuple[Piece, ...]) -> list[Frame]:
    """Return what a client reads in these pieces."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN)
    for piece in pieces:
        client.receive_data(b"".join(piece))
    assert client.parser_exc is None
    return [event for event in client.events_received() if isinstance(event, Frame)]


def want_at_once(want: Callable[[], None]) -> None:
    """Call something from four threads at the same time, and wait for all of them."""
    all_there = threading.Barrier(4)

    def call(_: int) -> None:
        all_there.wait(PATIENCE)
        want()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(4)))


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (0, [0]),
        (1, [1]),
        (125, [125]),
        (126, [126]),
        (1024, [1024]),
        (1025, [1025]),
        (FRAGMENT_BYTES, [FRAGMENT_BYTES]),
        (FRAGMENT_BYTES + 1, [FRAGMENT_BYTES, 1]),
        (3 * FRAGMENT_BYTES, [FRAGMENT_BYTES] * 3),
    ],
)
@pytest.mark.parametrize("is_text", [True, False])
def test_large_messages_go_in_fragments(size: int, sizes: list[int], is_text: bool) -> None:
    data = bytes(range(65, 91)) * (size // 26 + 1)
    frames = received(Body(data[:size], is_text=is_text).pieces)
    assert [len(frame.data) for frame in frames] == sizes
    opcode = Opcode.TEXT if is_text else Opcode.BINARY
    assert [frame.opcode for frame in frames] == [opcode, *[Opcode.CONT] * (len(sizes) - 1)]
    assert [frame.fin for frame in frames] == [False] * (len(sizes) - 1) + [True]
    assert b"".join(bytes(frame.data) for frame in frames) == data[:size]


def test_a_piece_is_made_once_for_all() -> None:
    body = Body(b"x" * 100_000)
    assert body.pieces is body.pieces
    assert all(sum(map(len, piece)) <= 2**16 for piece in body.pieces)


def test_a_body_holds_its_bytes_once() -> None:
    body = Body(b"x" * 1_000_000)
    body.prepare()
    for header, payload in body.pieces:
        assert isinstance(payload, memoryview)
        assert payload.obj is body.data
        assert len(header) <= 4


def test_a_body_is_framed_once_however_many_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    framed = []
    frame = messages._fragments

    def counted(data: bytes, opcode: int) -> tuple[Piece, ...]:
        framed.append(1)
        return frame(data, opcode)

    monkeypatch.setattr(messages, "_fragments", counted)
    body = Body(b"x" * 1_000_000)
    assert body.is_ready
    want_at_once(body.prepare)
    assert framed == [1]


def test_a_body_is_made_once_however_many_want_it() -> None:
    made = []

    def make() -> bytes:
        made.append(1)
        return b"made"

    body = Body(make)

    assert body.size is None
    assert not body.is_ready
    want_at_once(body.prepare)
    assert body.data == b"made"
    assert made == [1]
    assert body.size == 4


def test_texts() -> None:
    gap = Gap("frame", 10, 20, "slow")
    assert gap.body.text == ('{"type":"gap","kind":"frame","from_t":10,"to_t":20,"reason":"slow"}')
    assert heartbeat(None).data == b'{"type":"heartbeat","t":null}'
    assert PONG.text == '{"type":"pong"}'
    message = Message.of_text("metric", 1, '{"µ":1}'.encode())
    assert message.body(Form("columns", edges=3, deflate=True)) is message.body()
    assert message.body().text == '{"µ":1}'
    assert message.body().text is message.body().text
    assert message.size() == 8
