"""The WebSocket endpoint: its rules against a scripted peer, and real sockets."""

from __future__ import annotations

import asyncio
import logging
import queue
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from marketcam.io import decode_frame_columns
from marketcam.server.stream.connection import MAX_CLIENT_MESSAGE
from marketcam.server.stream.endpoint import Stream
from marketcam.server.stream.hub import Hub, HubOptions
from marketcam.server.stream.messages import Entry, Message
from tests.conforming import connect
from tests.server_helpers import (
    PATIENCE,
    fed_server,
    named,
    open_stream,
    receive,
    receive_until,
    recorded,
    state_tick,
)

if TYPE_CHECKING:
    from pathlib import Path


class Peer:
    """The other side of an ASGI connection, which reads only while it wants to."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.says: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.says.put_nowait({"type": "websocket.connect"})

    async def send(self, event: Any) -> None:
        await self.reads.wait()
        self.sent.put_nowait(event)

    async def receive(self) -> Any:
        return await self.says.get()

    def say(self, text: str) -> None:
        self.says.put_nowait({"type": "websocket.receive", "text": text})

    def go(self) -> None:
        self.says.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await self.sent.get()


def metric(t: int, size: int = 0) -> Entry:
    text = orjson.dumps({"type": "metric", "t": t, "fill": "x" * size})
    return Entry(None, Message.of_text("metric", t, text))


async def connected(hub: Hub, heartbeat_seconds: float = 1e6) -> tuple[Peer, asyncio.Task[None]]:
    peer = Peer()
    stream = Stream(hub, heartbeat_seconds, lambda: 42)
    task = asyncio.create_task(stream({}, peer.receive, peer.send))
    assert (await peer.next())["type"] == "websocket.accept"
    return peer, task


def test_sends_what_is_published_and_ends_when_the_peer_goes() -> None:
    async def scenario() -> None:
        hub = Hub(HubOptions())
        peer, task = await connected(hub)
        hub.publish([metric(1), metric(2)])
        texts = [(await peer.next())["text"] for _ in range(2)]
        assert [orjson.loads(text)["t"] for text in texts] == [1, 2]
        peer.go()
        await task
        assert len(hub) == 0

    asyncio.run(scenario())


def test_a_silence_is_broken_by_heartbeats() -> None:
    async def scenario() -> None:
        hub = Hub(HubOptions())
        peer, task = await connected(hub, heartbeat_seconds=0.02)
        for _ in range(3):
            assert (await peer.next())["text"] == '{"type":"heartbeat","t":42}'
        peer.go()
        await task

    asyncio.run(scenario())


def test_a_client_that_is_spoken_to_gets_no_heartbeat() -> None:
    async def scenario() -> None:
        hub = Hub(HubOptions())
        peer, task = await connected(hub, heartbeat_seconds=3600.0)
        hub.publish([metric(1)])
        await peer.next()
        loop = asyncio.get_running_loop()
        timers = sum(not timer.cancelled() for timer in loop._scheduled)  # type: ignore[attr-defined]
        for t in range(2, 100):
            hub.publish([metric(t)])
            assert orjson.loads((await peer.next())["text"])["t"] == t
        # And no timer is made at each message.
        assert sum(not timer.cancelled() for timer in loop._scheduled) == timers  # type: ignore[attr-defined]
        peer.go()
        await task

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("x" * MAX_CLIENT_MESSAGE, False),
        ("x" * (MAX_CLIENT_MESSAGE + 1), True),
        ("é" * (MAX_CLIENT_MESSAGE // 2), False),  # it is bytes that count
        ("é" * (MAX_CLIENT_MESSAGE // 2 + 1), True),
    ],
    ids=["most", "more", "most-bytes", "more-bytes"],
)
def test_a_message_that_is_too_large_is_refused_where_the_server_lets_it_through(
    text: str, is_refused: bool
) -> None:
    async def scenario() -> Any:
        peer, task = await connected(Hub(HubOptions()))
        peer.say(text)
        peer.say("ping")
        answer = await peer.next()
        peer.go()
        await task
        return answer

    answer = asyncio.run(scenario())
    if is_refused:
        reason = "message too large, the limit is 4096 bytes"
        assert answer == {"type": "websocket.close", "code": 1009, "reason": reason}
    else:
        assert answer == {"type": "websocket.send", "text": '{"type":"pong"}'}


def test_an_error_of_the_connection_ends_it_quietly() -> None:
    async def scenario() -> None:
        hub = Hub(HubOptions())
        peer, task = await connected(hub)

        async def broken(_: Any) -> None:
            raise OSError("gone")

        peer.send = broken  # type: ignore[method-assign]
        hub_task = asyncio.create_task(Stream(hub, 1e6, lambda: 0)({}, Peer().receive, broken))
        with pytest.raises(OSError, match="gone"):
            await hub_task  # before it was accepted: the server's to deal with
        peer.go()
        await task
        assert len(hub) == 0

    asyncio.run(scenario())


def test_a_fault_in_a_connection_is_not_hidden() -> None:
    async def scenario() -> None:
        hub = Hub(HubOptions())
        peer = Peer()

        async def faulty(event: Any) -> None:
            if event["type"] == "websocket.send":
                raise ZeroDivisionError
            await peer.send(event)

        task = asyncio.create_task(Stream(hub, 1e6, lambda: 0)({}, peer.receive, faulty))
        await peer.next()
        hub.publish([metric(1)])
        with pytest.raises(ZeroDivisionError):
            await task
        assert len(hub) == 0

    asyncio.run(scenario())


def test_a_peer_that_does_not_read_delays_nobody_and_is_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("marketcam.server.stream.connection.CLOSE_SECONDS", 0.01)

    async def scenario() -> None:
        now = [0.0]
        hub = Hub(HubOptions(client_queue_bytes=2000, client_slow_seconds=5.0), lambda: now[0])
        stuck, stuck_task = await connected(hub)
        quick, quick_task = await connected(hub)
        stuck.reads.clear()
        for t in range(100):
            now[0] = 0.05 * t
            hub.publish([metric(t, size=100)])
            assert orjson.loads((await quick.next())["text"])["t"] == t
            assert hub.waiting_bytes <= 2000
        assert not stuck_task.done()
        now[0] = 100.0
        hub.publish([metric(100)])
        await stuck_task  # although it could not even be told
        assert stuck.sent.empty()
        assert len(hub) == 1
        quick.go()
        await quick_task

    asyncio.run(scenario())


def test_the_message_in_hand_is_finished_before_the_end_and_none_is_begun() -> None:
    async def scenario() -> list[Any]:
        hub = Hub(HubOptions())
        peer, task = await connected(hub)
        peer.reads.clear()
        (client,) = hub._clients
        hub.publish([metric(1), metric(2)])
        waiting = client.waiting_bytes
        while client.waiting_bytes == waiting:  # until it is at the first
            await asyncio.sleep(0)
        client.close(1013, "too slow")
        peer.say("ping")  # which is not answered any more
        while not peer.says.empty():
            await asyncio.sleep(0)
        peer.reads.set()
        await task
        assert hub.sent == {"metric": 1, "frame": 0}
        return [peer.sent.get_nowait() for _ in range(peer.sent.qsize())]

    message, end = asyncio.run(scenario())
    assert orjson.loads(message["text"])["t"] == 1
    assert end == {"type": "websocket.close", "code": 1013, "reason": "too slow"}


def test_greets_then_streams_without_a_seam(tmp_path: Path) -> None:
    with fed_server(tmp_path, connect_metrics=3) as (server, feed), server.stream() as early:
        feed.send_ticks(0, 7)
        assert named(receive_until(early, "metric", 7)) == [
            *[("metric", t) for t in range(5)],
            ("frame", 4),
            ("metric", 5),
            ("metric", 6),
            ("frame", 6),
            ("metric", 7),
        ]
        with server.stream() as late:
            assert named(receive(late, 4)) == [
                ("metric", 5),
                ("metric", 6),
                ("metric", 7),
                ("frame", 6),
            ]
            feed.send_ticks(8, 9)
            after = [("metric", 8), ("frame", 8), ("metric", 9)]
            assert named(receive(late, 3)) == after
            assert named(receive(early, 3)) == after


def test_frames_and_metrics_are_as_recorded(tmp_path: Path) -> None:
    with fed_server(tmp_path, record_ticks=True) as (server, feed), server.stream() as stream:
        feed.send_ticks(0, 8)
        texts = [str(stream.recv(timeout=PATIENCE)) for _ in range(12)]
    streamed = [(orjson.loads(text)["type"], text.encode()) for text in texts]
    for kind in ("metric", "frame"):
        lines = [text for of_kind, text in streamed if of_kind == kind]
        assert lines == recorded(tmp_path / "store", f"{kind}s")
    assert len(recorded(tmp_path / "store", "ticks")) == 9
    metric_text = '{"type":"metric","t":0,"s":{"price_norm":0.5,"volatility":0.3,"liquidity":0.5,'
    assert texts[0].startswith(metric_text)
    assert texts[5].startswith('{"type":"frame","t":4,"window":{"W":4,"t0":1,"t1":4,')


@pytest.mark.parametrize("t", [None, 3])
def test_heartbeat_names_the_last_tick_taken_in(tmp_path: Path, t: int | None) -> None:
    with fed_server(tmp_path, heartbeat_seconds=0.05, connect_metrics=0) as (server, feed):
        if t is not None:
            feed.send_ticks(0, t)
        with server.stream() as stream:
            messages = receive_until_heartbeat(stream, t)
        assert messages[-1] == {"type": "heartbeat", "t": t}


def receive_until_heartbeat(stream: Any, t: int | None) -> list[dict[str, Any]]:
    messages = receive(stream)
    while messages[-1] != {"type": "heartbeat", "t": t}:
        messages += receive(stream)
    return messages


def test_one_client_too_many_is_told_so(tmp_path: Path) -> None:
    with fed_server(tmp_path, max_clients=1) as (server, feed), server.stream() as first:
        with server.stream() as second, pytest.raises(ConnectionClosedError) as closed:
            second.recv(timeout=PATIENCE)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        assert closed.value.rcvd.reason == "too many clients, the limit is 1"
        feed.send(state_tick(0))
        assert named(receive(first)) == [("metric", 0)]


def test_a_client_costs_one_task_and_no_timer_of_ours(tmp_path: Path) -> None:
    def tasks() -> int:
        counted: queue.Queue[int] = queue.Queue()
        loop.call_soon_threadsafe(lambda: counted.put(len(asyncio.all_tasks(loop))))
        return counted.get(timeout=PATIENCE)

    with fed_server(tmp_path) as (server, feed), ExitStack() as stack:
        loop = server.rig.handover._loop
        assert loop is not None
        before = tasks()
        streams = [stack.enter_context(server.stream()) for _ in range(10)]
        feed.send(state_tick(0))
        for stream in streams:
            receive(stream)
        assert tasks() - before == 10


def test_ping_is_answered_and_the_rest_ignored(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.stream() as stream:
        for message in ("PING", "ping ", '{"type":"ping"}', "", b"ping", b"\xff", "x" * 4000):
            stream.send(message)
        stream.send("ping")
        assert receive(stream) == [{"type": "pong"}]
        feed.send(state_tick(0))
        assert named(receive(stream)) == [("metric", 0)]


@pytest.mark.parametrize(
    "message", ["x" * (MAX_CLIENT_MESSAGE + 1), "é" * MAX_CLIENT_MESSAGE, b"x" * 10**6]
)
def test_a_message_that_is_too_large_ends_the_connection(
    tmp_path: Path, message: str | bytes
) -> None:
    with fed_server(tmp_path) as (server, _), server.stream() as stream:
        stream.send(message)
        with pytest.raises(ConnectionClosedError) as closed:
            stream.recv(timeout=PATIENCE)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_a_flood_of_pings_is_answered_as_far_as_it_is_read(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, client_message_rate=10**6) as (server, _),
        server.stream() as stream,
    ):
        for _ in range(2000):
            stream.send("ping")
        assert receive(stream, 2000) == [{"type": "pong"}] * 2000


def test_invalid_text_ends_the_connection_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "marketcam")
    with fed_server(tmp_path) as (server, feed), server.stream() as other:
        with server.stream() as stream:
            stream.socket.sendall(b"\x81\x82\x00\x00\x00\x00\xff\xfe")  # text that is not UTF-8
            with pytest.raises(ConnectionClosed) as closed:
                stream.recv(timeout=PATIENCE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007
        feed.send(state_tick(0))
        assert named(receive(other)) == [("metric", 0)]
    assert "client_text_invalid" in caplog.text
    assert faults_in(caplog) == []


def faults_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged as a fault of the server."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_frames_come_as_columns_to_those_who_ask(tmp_path: Path) -> None:
    with fed_server(tmp_path, record_ticks=True) as (server, feed), server.stream() as plain:
        columns_url = f"{server.listening.stream_url}?encoding=columns&other=1"
        with open_stream(columns_url) as columns:
            feed.send_ticks(0, 6)
            texts = receive_until(plain, "frame", 6)
            got = [columns.recv(timeout=PATIENCE) for _ in texts]
        with open_stream(columns_url) as late:  # and they are there for who joins
            greeting = [late.recv(timeout=PATIENCE) for _ in range(8)]
    for message, data in zip(texts, got, strict=True):
        if message["type"] == "frame":
            assert isinstance(data, bytes)
            assert decode_frame_columns(data).to_dict() == message
        else:
            assert orjson.loads(data) == message
    assert greeting == [data for data in got if isinstance(data, str)] + [got[-1]]


def test_the_latest_frame_is_encoded_for_the_first_who_wants_it_so(tmp_path: Path) -> None:
    with fed_server(tmp_path, connect_metrics=0) as (server, feed), server.stream() as plain:
        feed.send_ticks(0, 4)
        frame = receive_until(plain, "frame", 4)[-1]
        with open_stream(f"{server.listening.stream_url}?encoding=columns") as late:
            data = late.recv(timeout=PATIENCE)
        with open_stream(f"{server.listening.stream_url}?encoding=json") as late:
            text = late.recv(timeout=PATIENCE)
    assert isinstance(data, bytes)
    assert decode_frame_columns(data).to_dict() == frame == orjson.loads(text)


@pytest.mark.parametrize("asked", ["xml", "JSON", "columns&encoding=text", "x" * 100])
def test_an_unknown_encoding_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, asked: str
) -> None:
    with fed_server(tmp_path) as (server, _):
        url = f"{server.listening.stream_url}?encoding={asked}"
        with pytest.raises(InvalidStatus) as refused, open_stream(url):
            pass
        assert refused.value.response.status_code == 400
        problem = orjson.loads(refused.value.response.body or b"")["error"]
        last = asked.rsplit("=", maxsplit=1)[-1]
        assert problem == f"encoding must be json or columns, got {last[:40]!r}"
        assert len(server.rig.hub) == 0
    assert faults_in(caplog) == []


def test_an_unknown_encoding_is_refused_where_the_server_can_only_close() -> None:
    async def scenario() -> list[Any]:
        peer = Peer()
        stream = Stream(Hub(HubOptions()), 1e6, lambda: 0)
        await stream({"query_string": b"encoding=xml"}, peer.receive, peer.send)
        return [await peer.next() for _ in range(2)]

    reason = "encoding must be json or columns, got 'xml'"
    assert asyncio.run(scenario()) == [
        {"type": "websocket.accept"},
        {"type": "websocket.close", "code": 1008, "reason": reason},
    ]


def test_a_burst_of_frames_reaches_a_client_whole(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, window=1, stride=1) as (server, feed),
        server.stream() as stream,
    ):
        for first in range(1, 400, 20):  # 20 ticks in one write, as a tick file is flushed
            feed.send(*(state_tick(t) for t in range(first, first + 20)))
        messages = receive_until(stream, "frame", 400)
    expected = [(kind, t) for t in range(1, 401) for kind in ("metric", "frame")]
    assert named(messages) == expected


def test_a_slow_client_is_told_what_it_missed(tmp_path: Path) -> None:
    options = {"client_queue_bytes": 65_536, "window": 2, "stride": 2, "connect_metrics": 0}
    with fed_server(tmp_path, **options) as (server, feed):
        slow_socket = small_socket(server.address)
        with server.stream(sock=slow_socket, max_queue=1) as slow, server.stream() as quick:
            crowded = dict.fromkeys(range(500), 0.5)
            for t in range(401):
                feed.send(state_tick(t, agents=crowded))
                receive_until(quick, "metric" if t % 2 or t < 2 else "frame", t)  # not delayed
            largest_frame = 200_000
            assert server.rig.hub.waiting_bytes <= 65_536 / 2 + largest_frame
            messages = receive_until(slow, "frame", 400)
    assert_complete(messages, "metric", list(range(401)))
    assert_complete(messages, "frame", list(range(2, 401, 2)))
    gaps = [message for message in messages if message["type"] == "gap"]
    assert {gap["kind"] for gap in gaps} == {"metric", "frame"}
    # Before the buffers on its way are full it is the server that has not come to it yet.
    assert {"slow"} <= {gap["reason"] for gap in gaps} <= {"slow", "busy"}
    order = [(message["t"], message["type"]) for message in messages if "t" in message]
    assert order == sorted(order, key=lambda key: (key[0], key[1] == "frame"))


def small_socket(address: tuple[str, int]) -> socket.socket:
    """Connect with a receive buffer so small that what is not read soon blocks the sender."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(address)
    return sock


def assert_complete(messages: list[dict[str, Any]], kind: str, due: list[int]) -> None:
    """Check that every message that was due was sent, or lies in a gap declared before it."""
    seen: list[int] = []
    for message in messages:
        if message["type"] == kind:
            seen.append(message["t"])
        elif message["type"] == "gap" and message["kind"] == kind:
            missed = [t for t in due if message["from_t"] <= t <= message["to_t"]]
            assert missed
            seen += missed
    assert seen == due


def test_a_client_that_never_reads_is_sent_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"client_queue_bytes": 65_536, "client_slow_seconds": 0.5, "window": 2, "stride": 1}
    with fed_server(tmp_path, **options) as (server, feed), small_socket(server.address) as deaf:
        deaf.sendall(
            b"GET /ws/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        with server.stream() as quick:
            crowded = dict.fromkeys(range(500), 0.5)
            t = 0
            while server.rig.hub.sent_away == 0 or len(server.rig.hub) > 1:
                feed.send(state_tick(t, agents=crowded))
                receive_until(quick, "metric", t)
                t += 1
            assert server.rig.hub.sent_away == 1
        deaf.settimeout(PATIENCE)
        read_to_the_end(deaf)  # it was cut: there is an end
    assert caplog.text.count("client_sent_away") == 1
    assert "too slow: " in caplog.text
    assert faults_in(caplog) == []


def read_to_the_end(sock: socket.socket) -> None:
    with suppress(ConnectionResetError):
        while sock.recv(65_536):
            pass


def test_a_client_that_vanishes_is_forgotten(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.stream() as other:
        with server.stream() as gone:
            feed.send(state_tick(0))
            receive(gone)
            gone.socket.shutdown(socket.SHUT_RDWR)
        t = 0
        while len(server.rig.hub) > 1:
            t += 1
            feed.send(state_tick(t))
            receive_until(other, "metric", t)
        assert len(server.rig.hub) == 1


def test_stopping_closes_with_1001(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed):
        streams = [server.stream() for _ in range(3)]
        for stream in streams:
            stream.__enter__()
        feed.send(state_tick(0))
        for stream in streams:
            receive(stream)
    for stream in streams:
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(timeout=PATIENCE)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert closed.value.rcvd.reason == "the server is shutting down"
        stream.__exit__(None, None, None)


def test_other_paths_are_no_websockets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with fed_server(tmp_path) as (server, _):
        for path in ("/", "/ws", "/ws/stream/", "/ws/Stream", "/health"):
            url = f"ws://127.0.0.1:{server.listening.port}{path}"
            with pytest.raises(InvalidStatus) as refused, connect(url, proxy=None):
                pass
            assert refused.value.response.status_code == 404
            assert refused.value.response.body == b'{"error":"no such path"}'
    assert faults_in(caplog) == []
