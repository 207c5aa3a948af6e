"""What a peer can hold of the server: connections, time, memory; and what it cannot change."""

from __future__ import annotations

import asyncio
import queue
import random
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import orjson
import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import Close

from marketcam.server import serve
from marketcam.server.stream import connection
from marketcam.server.stream import protocol as protocols
from marketcam.server.stream.direct import DirectClient
from marketcam.server.stream.protocol import StreamProtocol
from tests.raw_streams import (
    CONTINUATION,
    FIN,
    PING,
    PONG,
    TEXT,
    connected_socket,
    frame,
    next_frame,
    raw_stream,
    read_to_the_end,
)
from tests.server_helpers import PATIENCE, fed_server, receive_until, state_tick

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

    from marketcam.server.stream.writing import Piece
    from tests.server_helpers import Running, TickFeed

LARGE_FRAMES = {"connect_metrics": 0, "window": 1, "stride": 1, "proximity": "neighbors"}


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the kernel take little for a peer; over loopback it may take all of a frame."""
    connection_made = StreamProtocol.connection_made

    def with_little_room(protocol: StreamProtocol, transport: asyncio.BaseTransport) -> None:
        server_side = transport.get_extra_info("socket")
        server_side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        connection_made(protocol, transport)

    monkeypatch.setattr(StreamProtocol, "connection_made", with_little_room)


def test_viewers_do_not_touch_the_generator_of_a_simulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "PING_SECONDS", 0.001)
    with fed_server(tmp_path) as (server, _), raw_stream(server) as (sock, reader):
        before = random.getstate()
        payloads = set()
        for _ in range(5):
            opcode, payload = next_frame(reader)
            assert opcode == PING
            payloads.add(payload)
            sock.sendall(frame(PONG, payload))
        assert random.getstate() == before
    assert len(payloads) == 5


def test_pings_of_a_client_that_does_not_read_take_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [0]
    handle_ping = StreamProtocol.handle_ping

    def measured(protocol: StreamProtocol) -> None:
        handle_ping(protocol)
        sizes.append(protocol.transport.get_write_buffer_size())

    monkeypatch.setattr(StreamProtocol, "handle_ping", measured)
    with (
        fed_server(tmp_path, client_message_rate=10**6) as (server, _),
        raw_stream(server) as (sock, reader),
    ):
        pings = [frame(PING, b"%125d" % number) for number in range(80_000)]
        sock.sendall(b"".join(pings))
        answers = [int(next_frame(reader)[1])]
        while answers[-1] < len(pings) - 1:  # the last one is answered, whatever was left out
            answers.append(int(next_frame(reader)[1]))
        assert answers == sorted(answers)
        assert len(answers) < len(pings)
    assert max(sizes) < 2**20


def test_empty_fragments_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[int] = []
    deliver = StreamProtocol.send_receive_event_to_app

    def measured(protocol: StreamProtocol) -> None:
        parts.append(len(protocol.frames))
        deliver(protocol)

    monkeypatch.setattr(StreamProtocol, "send_receive_event_to_app", measured)
    with (
        fed_server(tmp_path, client_message_rate=10**6) as (server, _),
        raw_stream(server) as (sock, reader),
    ):
        sock.sendall(frame(TEXT, b"pi", fin=0) + 1000 * frame(CONTINUATION, fin=0))
        sock.sendall(frame(CONTINUATION, b"ng", fin=0) + frame(CONTINUATION))
        assert next_frame(reader) == (TEXT, b'{"type":"pong"}')
    assert parts == [3]


def large_ticks(server: Running, feed: TickFeed, last: int) -> None:
    """Have frames of 3 MB made, which is more than the buffers of a connection on its way take."""
    with server.stream() as quick:
        for t in range(last + 1):
            feed.send(state_tick(t, agents=dict.fromkeys(range(10_000), 0.5)))
        receive_until(quick, "frame", last)


def read_message(reader: BufferedReader) -> tuple[list[int], bytes]:
    """Read a message in whatever fragments; return all opcodes met, pings among them, and it."""
    opcodes, data, fin = [], b"", False
    while not fin:
        first, size = reader.read(2)
        if size == 126:
            size = int.from_bytes(reader.read(2))
        payload = reader.read(size)
        opcodes.append(first & 0x0F)
        if first & 0x0F <= TEXT:
            data, fin = data + payload, bool(first & FIN)
    return opcodes, data


def test_a_large_message_leaves_room_for_pings_between_its_fragments(tmp_path: Path) -> None:
    with fed_server(tmp_path, **LARGE_FRAMES) as (server, feed):
        large_ticks(server, feed, 1)
        with raw_stream(server) as (sock, reader):
            # The frame is larger than all buffers in between: it is under way when this comes.
            sock.sendall(frame(PING, b"now"))
            opcodes, data = read_message(reader)
    assert orjson.loads(data)["t"] == 1
    fragments = [opcode for opcode in opcodes if opcode != PONG]
    assert fragments == [TEXT, *[CONTINUATION] * (len(fragments) - 1)]
    assert len(fragments) > 40
    assert PONG in opcodes


@pytest.fixture
def told_to_end(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """An event that is set once a server is about to end the connections of its viewers."""
    told = threading.Event()
    close = DirectClient.close

    def noted(client: DirectClient, code: int, reason: str) -> None:
        close(client, code, reason)
        told.set()

    monkeypatch.setattr(DirectClient, "close", noted)
    return told


def test_a_viewer_that_reads_gets_the_large_message_in_hand_and_then_the_end(
    tmp_path: Path, told_to_end: threading.Event
) -> None:
    with ExitStack() as stack:
        server, feed = stack.enter_context(fed_server(tmp_path, **LARGE_FRAMES))
        large_ticks(server, feed, 1)
        sock = stack.enter_context(connected_socket(server))
        viewer = stack.enter_context(server.stream(sock=sock, max_queue=1))
        fragments = viewer.recv_streaming(decode=False)
        message = [next(fragments)]  # it has begun, and is larger than all buffers in between
        server.listening.stop()
        assert told_to_end.wait(PATIENCE)
        message += fragments
        with pytest.raises(ConnectionClosedOK) as closed:
            viewer.recv(timeout=PATIENCE)
    assert orjson.loads(b"".join(message))["t"] == 1
    assert closed.value.rcvd == Close(1001, "the server is shutting down")


def test_a_viewer_that_does_not_read_is_cut_in_the_middle_of_a_large_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(protocols, "CLOSE_SECONDS", 0.05)
    with ExitStack() as stack:
        with fed_server(tmp_path, **LARGE_FRAMES) as (server, feed):
            large_ticks(server, feed, 1)
            sock, reader = stack.enter_context(raw_stream(server))
            assert reader.read(2)[0] == TEXT  # it has begun, and is not final
        # The server has gone; nothing was read while it went.
        assert b'"events"' not in read_to_the_end(sock)


def test_a_piece_is_written_at_once_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    write = StreamProtocol.write

    def measured(protocol: StreamProtocol, piece: Piece) -> None:
        waiting.append(protocol.transport.get_write_buffer_size())
        write(protocol, piece)

    monkeypatch.setattr(StreamProtocol, "write", measured)
    with fed_server(tmp_path, **LARGE_FRAMES) as (server, feed):
        large_ticks(server, feed, 1)
        with raw_stream(server) as (_, reader):
            read_message(reader)
    assert len(waiting) > 10
    assert max(waiting) <= 1


def test_a_viewer_that_is_late_gets_the_latest_large_frame(tmp_path: Path) -> None:
    with fed_server(tmp_path, **LARGE_FRAMES) as (server, feed):
        feed.send(state_tick(0))
        with raw_stream(server) as (_, reader):
            large_ticks(server, feed, 30)
            messages = []
            while not messages or messages[-1].get("t") != 30 or messages[-1]["type"] != "frame":
                messages.append(orjson.loads(read_message(reader)[1]))
    frames = [message["t"] for message in messages if message["type"] == "frame"]
    gaps = [message for message in messages if message["type"] == "gap"]
    assert len(frames) < 30
    assert {gap["kind"] for gap in gaps} == {"frame"}
    # Before the buffers on its way are full it is the server that has not come to it yet.
    assert {"slow"} <= {gap["reason"] for gap in gaps} <= {"slow", "busy"}
    missed = [t for gap in gaps for t in range(gap["from_t"], gap["to_t"] + 1)]
    assert sorted(frames + missed) == list(range(1, 31))


def test_of_a_connection_that_is_closed_it_can_still_be_asked_what_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: queue.Queue[StreamProtocol] = queue.Queue()
    connection_lost = StreamProtocol.connection_lost

    def note(protocol: StreamProtocol, exc: Exception | None) -> None:
        connection_lost(protocol, exc)
        asyncio.get_running_loop().call_later(0, ended.put, protocol)  # its socket is closed then

    monkeypatch.setattr(StreamProtocol, "connection_lost", note)
    with fed_server(tmp_path) as (server, _):
        with raw_stream(server):
            pass
        assert ended.get(timeout=PATIENCE).taken == 0
