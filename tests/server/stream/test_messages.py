from __future__ import annotations

import random
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from marketcam.engine import film
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_frame, encode_frame_columns
from marketcam.server.stream import messages
from marketcam.server.stream.deflate import deflated
from marketcam.server.stream.messages import FRAGMENT_BYTES, PONG, Body, Gap, Message, heartbeat
from marketcam.server.stream.selection import Form
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from websockets.extensions import Extension

    from marketcam.engine import Frame as MarketFrame
    from marketcam.server.stream.writing import Piece


def received(pieces: tuple[Piece, ...], extensions: Sequence[Extension] = ()) -> list[Frame]:
    """Return what a client reads in these pieces."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN)
    client.extensions = list(extensions)
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


def frame_of_a_market() -> MarketFrame:
    camera = film(islice(InfiniteGameMarket(agents=30, seed=1), 7), W=6, stride=1, eps_pct=0.1)
    return list(camera)[-1]


def test_a_frame_is_written_in_any_form() -> None:
    frame = frame_of_a_market()
    message = Message.of_frame(frame, match_share=0.2)
    fewer = frame.with_fewer_edges(30, 0.2)
    assert encode_frame(fewer) != encode_frame(frame.with_fewer_edges(30, 0.8))
    assert message.body().data == encode_frame(frame)
    assert message.body(Form(edges=30)).data == encode_frame(fewer)
    columns = message.body(Form("columns", edges=30))
    assert columns.data == encode_frame_columns(fewer)
    assert not columns.is_text


def test_each_form_is_made_once_and_by_whoever_wants_it_first() -> None:
    frame = frame_of_a_market()
    read = []

    def read_frame() -> MarketFrame:
        read.append(1)
        return frame

    message = Message("frame", frame.t, Body(encode_frame(frame)), read_frame)
    compressed = Form(edges=5, deflate=True)
    assert message.body(compressed) is message.body(compressed)
    assert message.size(compressed) == len(message.body().data)  # before it is made
    want_at_once(lambda: message.body(compressed).prepare())
    want_at_once(lambda: message.body(Form("columns", edges=5)).prepare())
    assert read == [1]
    assert message.body(Form(edges=5)).is_ready  # of which the other was made
    assert message.size(compressed) == len(message.body(compressed).data)


def test_of_a_message_one_form_can_be_had_alone() -> None:
    message = Message.of_frame(frame_of_a_market())
    message.at = 3.0
    form = Form("columns")
    alone = message.only(form)
    columns = message.body(form).data
    assert (alone.kind, alone.t, alone.at) == ("frame", message.t, 3.0)
    assert all(alone.body(each).data is columns for each in (form, Form(), Form(edges=5)))
    assert not alone.body(form).is_text
    assert alone.size() == len(columns)
    assert alone.check == message.check == zlib.crc32(message.body().data)


@pytest.mark.parametrize("edges", [0, None])
def test_a_compressed_message_says_so_in_its_first_fragment(edges: int | None) -> None:
    message = Message.of_frame(frame_of_a_market())
    plain, body = message.body(Form(edges=edges)), message.body(Form(edges=edges, deflate=True))
    assert len(body.data) < len(plain.data) / 3
    deflate = PerMessageDeflate(True, True, 15, 15)
    (frame,) = received(body.pieces, [deflate])
    assert frame.data == plain.data
    assert frame.opcode == Opcode.TEXT


def test_a_compressed_message_of_many_fragments() -> None:
    data = random.Random(0).randbytes(3 * FRAGMENT_BYTES)
    body = Body(deflated(data), is_deflated=True)
    frames = received(body.pieces, [PerMessageDeflate(True, True, 15, 15)])
    assert len(frames) == 4
    assert b"".join(bytes(frame.data) for frame in frames) == data


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
