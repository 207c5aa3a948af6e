"""What an edge passes on of a camera that stalls, refuses, or is asked odd things."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.server.edges import upstream
from marketcam.server.edges.forwarding import ForwardHttp, ForwardReplay
from marketcam.server.edges.upstream import UnreachableError, Upstream
from marketcam.server.history.history import Seats
from marketcam.server.settings import Settings
from marketcam.server.stream.hub import Hub, HubOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SEGMENT = "/segment/frames/a"
STALLS = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc"
REFUSES = (
    b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\nconnection: close\r\n"
    b"content-length: 2\r\n\r\n{}"
)
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Camera:
    """Answers whatever it is asked with the same bytes, and keeps the connection.

    Attributes:
        heads: what it was asked.
    """

    def __init__(self, answer: bytes) -> None:
        self.heads: list[bytes] = []
        self._answer = answer
        self._end = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self._answer)
        await reader.read()  # until the edge closes it
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Upstream]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield Upstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")


class Client:
    """An ASGI client: what it is sent, and when it leaves."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.has_body = asyncio.Event()
        self.leaves = asyncio.Event()
        self._has_asked = False

    async def receive(self) -> dict[str, Any]:
        if not self._has_asked:
            self._has_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if message.get("body"):
            self.has_body.set()

    @property
    def status(self) -> int:
        return self.sent[0]["status"]


def http(target: bytes = SEGMENT.encode(), headers: Any = (), query: bytes = b"") -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": SEGMENT,
        "raw_path": target,
        "query_string": query,
        "headers": list(headers),
    }


def test_a_client_that_leaves_while_the_camera_stalls_frees_its_seat():
    async def run():
        seats = Seats(1, "clients that read history")
        async with Camera(STALLS).running() as camera:
            forward, client = ForwardHttp(camera, seats), Client()
            asking = asyncio.create_task(forward(http(), client.receive, client.send))
            await client.has_body.wait()
            with pytest.raises(Exception, match="clients that read history"), seats.seat():
                pass
            client.leaves.set()
            await asking
            with seats.seat():
                pass
        assert client.sent[-1]["more_body"]

    asyncio.run(run())


def test_a_camera_that_stalls_breaks_the_answer_off(monkeypatch):
    monkeypatch.setattr(upstream, "_SILENCE_SECONDS", 0.05)

    async def run():
        async with Camera(STALLS).running() as camera:
            forward, client = ForwardHttp(camera, Seats(1, "clients")), Client()
            await forward(http(), client.receive, client.send)
        assert [message.get("body") for message in client.sent] == [None, b"abc"]
        assert client.sent[-1]["more_body"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        (http(b"/segment/frames/\xff%2F"), b"GET /segment/frames/%FF%2F HTTP/1.1\r\n"),
        (http(b"/runs", query=b"a=\xe9&b=1"), b"GET /runs?a=%E9&b=1 HTTP/1.1\r\n"),
        (http(headers=[(b"range", b"bytes=\xff")]), b"range: bytes=\xff\r\n"),
    ],
)
def test_bytes_that_are_no_ascii_are_passed_on(scope, asked):
    async def run():
        own = Camera(EMPTY)
        async with own.running() as camera:
            client = Client()
            await ForwardHttp(camera, Seats(1, "clients"))(scope, client.receive, client.send)
        assert client.status == 200
        assert asked in own.heads[0]

    asyncio.run(run())


def test_what_http_does_not_allow_is_refused():
    async def run():
        client = Client()
        forward = ForwardHttp(Upstream("http://127.0.0.1:9"), Seats(1, "clients"))
        await forward(http(headers=[(b"range", b"a\x00b")]), client.receive, client.send)
        assert client.status == 400

    asyncio.run(run())


def test_that_the_camera_refuses_the_edge_is_no_matter_of_the_edge_s_clients():
    async def run():
        async with Camera(REFUSES).running() as camera:
            client = Client()
            await ForwardHttp(camera, Seats(1, "clients"))(http(), client.receive, client.send)
            assert client.status == 502
            assert b"refuses this edge" in client.sent[1]["body"]

            viewer = Client()
            replay = ForwardReplay(camera, Hub(HubOptions()), Seats(1, "replays"))
            scope = {
                "type": "websocket",
                "path": "/ws/replay",
                "query_string": b"",
                "headers": [],
                "extensions": {"websocket.http.response": {}},
            }
            await replay(scope, viewer.receive, viewer.send)
            assert viewer.status == 502
            with pytest.raises(UnreachableError, match="refuses this edge"):
                async with camera.websocket("/ws/replay", ""):
                    pass

    asyncio.run(run())


@pytest.mark.parametrize(("scheme", "checks"), [("http", False), ("https", True)])
def test_how_a_certificate_is_checked_is_read_once(scheme, checks):
    made = Upstream.of(Settings(history=f"{scheme}://camera/"))
    assert (made.tls is not None) == checks
    assert made.url == f"{scheme}://camera"
