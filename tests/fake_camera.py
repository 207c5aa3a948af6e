"""A camera's `/ws/ingest` for tests: takes ticks, and misbehaves as it is told."""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections import deque
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from marketcam.io import TickPublisher, decode_tick_binary
from marketcam.io.publisher_link import Patience
from marketcam.io.tick_binary import split_ticks
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest
    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection

TOKEN = "a-token-for-tests-0123"


class Line:
    """One connection of a producer, as a test's script plays it."""

    def __init__(self, camera: FakeCamera, connection: ServerConnection) -> None:
        self.camera = camera
        self.connection = connection
        self._ticks: deque[int] = deque()

    def say(self, kind: str, **fields: Any) -> None:
        self.connection.send(orjson.dumps({"type": kind, **fields}).decode())

    def hello(self, last_t: int | None = None, **fields: Any) -> None:
        given = {"run": "run-1", "window": 4, "stride": 2, "max_message_bytes": 2**20} | fields
        self.say("hello", source="python", last_t=last_t, **given)

    def take(self, count: int) -> list[int]:
        """Receive ticks without a word; return their numbers."""
        while len(self._ticks) < count:
            message = self.connection.recv(PATIENCE)
            assert isinstance(message, bytes), message
            self._ticks.extend(decode_tick_binary(part).t for part in split_ticks(message))
        taken = [self._ticks.popleft() for _ in range(count)]
        self.camera.taken += taken
        return taken

    def ack(self, count: int, **fields: Any) -> None:
        self.say("ack", ticks=count, **({"t": None, "refused": 0} | fields))

    def close(self, code: int, reason: str = "") -> None:
        self.connection.close(code, reason)

    def cut(self) -> None:
        """End the connection without a word, as a killed process does."""
        self.connection.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.connection.close_socket()

    def take_all(self) -> None:
        """Take and acknowledge whatever comes until the end is said, then close."""
        count = 0
        for message in self.connection:
            if isinstance(message, str):
                assert orjson.loads(message) == {"type": "end"}
                self.camera.ended.set()
                self.close(1000)
                return
            ticks = [decode_tick_binary(part).t for part in split_ticks(message)]
            self.camera.taken += ticks
            count += len(ticks)
            self.ack(count, t=ticks[-1])


def refuse_second(line: Line) -> None:
    """The script of a camera that refuses the second of three ticks."""
    line.hello()
    line.take(3)
    line.say("refused", tick=2, t=2, error="tick 2: out of order")
    line.ack(3, refused=1)
    line.take_all()


def taking(line: Line) -> None:
    """The script of a camera that behaves: it goes on after what it has taken."""
    line.hello(max(line.camera.taken, default=None))
    line.take_all()


class FakeCamera:
    """Plays a script a connection; the last one again and again.

    Attributes:
        url: where it listens.
        taken: numbers of the ticks it has taken, in order.
        ended: set when the end was said.
        statuses: HTTP statuses with which the next connections are refused.
        tokens: what was shown, a connection each.
    """

    def __init__(self, *scripts: Callable[[Line], None]) -> None:
        self.taken: list[int] = []
        self.ended = threading.Event()
        self.statuses: deque[int] = deque()
        self.tokens: list[str | None] = []
        self.paths: list[str] = []
        self.failures: queue.Queue[BaseException] = queue.Queue()
        self.scripts = deque(scripts or (taking,))
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        self.tokens.append(request.headers.get("Authorization"))
        self.paths.append(request.path)
        if not self.statuses:
            return None
        status = HTTPStatus(self.statuses.popleft())
        return connection.respond(status, orjson.dumps({"error": f"said {status}"}).decode())

    def play(self, connection: ServerConnection) -> None:
        script = self.scripts.popleft() if len(self.scripts) > 1 else self.scripts[0]
        try:
            script(Line(self, connection))
        except ConnectionClosed:
            pass
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            self.failures.put(error)


@contextmanager
def fake_camera(*scripts: Callable[[Line], None]) -> Iterator[FakeCamera]:
    """Run a camera of scripts until the block ends; what a script raises is raised here."""
    camera = FakeCamera(*scripts)
    with serve(
        camera.play,
        "127.0.0.1",
        0,
        process_request=camera.refuse,
        max_size=None,
        ping_interval=None,
        close_timeout=1,
    ) as server:
        camera.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield camera
        finally:
            server.shutdown()
            thread.join()
    if not camera.failures.empty():
        raise camera.failures.get()


def publisher_of(camera: FakeCamera, **options: Any) -> TickPublisher:
    return TickPublisher(camera.url, TOKEN, **options)


def be_patient(monkeypatch: pytest.MonkeyPatch, **given: float) -> None:
    """Have publishers wait as long as given, and connect again at once."""
    patience = partial(Patience, **({"first_pause": 0.001, "longest_pause": 0.01} | given))
    monkeypatch.setattr("marketcam.io.publisher.Patience", patience)
