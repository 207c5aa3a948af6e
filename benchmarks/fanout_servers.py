"""The servers that the fan-out benchmarks compare, each in a process of its own.

- ``hub``: ours, as `marketcam serve` sets it up, with a camera whose source gives no ticks; what is
  published is handed to its hub.
- ``bare``: the same process and the same connections; but the bytes go straight to the sockets.
  The floor: a server that writes to each client cannot do with less.
- ``broadcast``: `websockets.broadcast`, on uvloop.
- ``plain``: Starlette under uvicorn as they come, and `send_json` for one client after the other.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import selectors
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets

from benchmarks.fanout_messages import Turn, as_dict, as_text
from marketcam.server import logs, serve
from marketcam.server.settings import Settings
from marketcam.server.stream.messages import Entry, Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from multiprocessing.connection import Connection

    from marketcam.server.serve import Listening

    Figures = dict[str, float]
    Send = Callable[[Turn, range], Awaitable[None]]

__all__ = ["OTHERS", "Server", "allow_files", "environment_for_many", "running"]

OTHERS: Final = "broadcast", "plain"
"""The servers that are not ours, each with one way to send; ours has ``hub`` and ``bare``."""

PATIENCE: Final = 120.0
"""Seconds within which a server has to answer."""

_PIECE: Final = 64 * 1024
_MANY: Final = 100_000
_LIMITS: Final = {
    "max_clients": "IG_CAM_MAX_CLIENTS",
    "max_connections": "IG_MAX_CONNECTIONS",
    "max_connections_per_address": "IG_MAX_CONNECTIONS_PER_ADDRESS",
}
"""Settings that would keep so many clients of one address out."""


class Server:
    """A server's process, seen from the one that measures.

    Attributes:
        port: where it listens.
        process: for its memory and its open files.
    """

    def __init__(self, kind: str, pipe: Connection, pid: int) -> None:
        self.kind = kind
        self.process = psutil.Process(pid)
        self._pipe = pipe
        self.port: int = self._answer()

    @property
    def memory(self) -> int:
        """Bytes of memory that it holds."""
        return int(self.process.memory_info().rss)

    @property
    def files(self) -> int:
        """Files that it has open, sockets included."""
        return int(self.process.num_fds())

    def figures(self) -> Figures:
        """Return its processor seconds so far, and what else it counts."""
        self._pipe.send(("figures", None, None))
        found: Figures = self._answer()
        return found

    def send(self, turn: Turn, way: str | None = None) -> None:
        """Have it send a turn's messages to all its clients; wait until the last has begun."""
        self._pipe.send(("send", turn, way or self.kind))
        self._answer()

    def _answer(self) -> Any:
        if not self._pipe.poll(PATIENCE):
            raise TimeoutError(f"no answer from the server {self.kind} within {PATIENCE:g} s")
        return self._pipe.recv()


@contextmanager
def running(kind: str, **options: Any) -> Iterator[Server]:
    """Run a server in a process of its own; `options` are settings, for ours only."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_KINDS[kind], args=(theirs,), kwargs=options, daemon=True)
    process.start()
    theirs.close()
    assert process.pid is not None
    try:
        yield Server(kind, ours, process.pid)
    finally:
        process.terminate()
        process.join()


def allow_files(count: int) -> None:
    """Let this process, and those it starts, open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        sys.exit(
            f"a process may open {hard} files, this needs {count}: raise the limit (ulimit -Hn)"
        )
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def environment_for_many(store: Path) -> dict[str, str]:
    """Return the environment of a server that lets many clients in from one address."""
    ours = {name: value for name, value in os.environ.items() if name[:3] != "IG_"}
    limits = dict.fromkeys(_LIMITS.values(), str(_MANY))
    return ours | limits | {"IG_CAM_STORE_DIR": str(store)}


def _run_ours(pipe: Connection, **options: Any) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        ticks = Path(name) / "ticks"
        os.mkfifo(ticks)
        # For writing too, so that the source neither waits for a writer nor ends.
        stack.callback(os.close, os.open(ticks, os.O_RDWR))
        settings = Settings(
            port=0,
            ticks=str(ticks),
            tick_rate=0,
            store_dir=Path(name) / "store",
            log_level="error",
            **dict.fromkeys(_LIMITS, _MANY) | options,
        )
        logs.configure(settings)
        tasks = []

        def on_listening(listening: Listening) -> None:
            pipe.send(listening.port)
            hub = listening.app.rig.hub

            def figures() -> Figures:
                return {
                    "clients": len(hub),
                    "sent_away": hub.sent_away,
                    "waiting_bytes": hub.waiting_bytes,
                }

            async def publish(turn: Turn, ticks: range) -> None:
                hub.publish(
                    [Entry(None, Message.of_text(turn.kind, t, as_text(turn, t))) for t in ticks]
                )

            async def send_bare(turn: Turn, ticks: range) -> None:
                if sockets.shape != len(hub):
                    sockets.find(listening.port, len(hub))
                sockets.send(b"".join(_framed(as_text(turn, t)) for t in ticks))

            sockets = _Sockets()
            work = _obey(pipe, {"hub": publish, "bare": send_bare}, figures)
            tasks.append(asyncio.get_running_loop().create_task(work))

        serve.run(settings, on_listening)


class _Sockets:
    """The connections of this process's clients, as plain sockets."""

    def __init__(self) -> None:
        self.shape = 0
        self._sockets: list[socket.socket] = []

    def find(self, port: int, count: int) -> None:
        """Take hold of what is connected to a port of ours."""
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        for connection in psutil.Process().net_connections("tcp"):
            if connection.laddr.port == port and connection.status == psutil.CONN_ESTABLISHED:
                self._sockets.append(socket.socket(fileno=os.dup(connection.fd)))
        self.shape = count
        if len(self._sockets) != count:
            raise RuntimeError(f"{len(self._sockets)} connections for {count} clients")

    def send(self, data: bytes) -> None:
        """Send to all of them, in pieces where that is much, and wait until all have taken it."""
        if len(data) <= _PIECE:
            for sock in self._sockets:
                sock.send(data)
            return
        view = memoryview(data)
        sent = dict.fromkeys(self._sockets, 0)
        with selectors.DefaultSelector() as selector:
            for sock in sent:
                selector.register(sock, selectors.EVENT_WRITE)
            while selector.get_map():
                for key, _ in selector.select():
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    with suppress(BlockingIOError):
                        sent[sock] += sock.send(view[sent[sock] : sent[sock] + _PIECE])
                    if sent[sock] == len(data):
                        selector.unregister(sock)


def _framed(data: bytes) -> bytes:
    """Return a WebSocket frame, of text, unmasked."""
    size = len(data)
    if size < 126:
        return bytes((0x81, size)) + data
    wide = (126, size.to_bytes(2)) if size < 2**16 else (127, size.to_bytes(8))
    return bytes((0x81, wide[0])) + wide[1] + data


def _run_broadcast(pipe: Connection) -> None:
    async def run() -> None:
        clients: set[ServerConnection] = set()

        async def keep(client: ServerConnection) -> None:
            clients.add(client)
            await client.wait_closed()
            clients.discard(client)

        async def send(turn: Turn, ticks: range) -> None:
            for t in ticks:
                broadcast(clients, as_text(turn, t), text=True)

        async with serve_websockets(keep, "127.0.0.1", 0, compression=None) as server:
            pipe.send(next(iter(server.sockets)).getsockname()[1])
            await _obey(pipe, {"broadcast": send}, lambda: {"clients": len(clients)})

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def _run_plain(pipe: Connection) -> None:
    clients: set[WebSocket] = set()

    async def stream(client: WebSocket) -> None:
        await client.accept()
        clients.add(client)
        with suppress(WebSocketDisconnect):
            while True:
                await client.receive_text()
        clients.discard(client)

    async def send(turn: Turn, ticks: range) -> None:
        for t in ticks:
            message = as_dict(turn, t)
            for client in tuple(clients):
                await client.send_json(message)

    async def run() -> None:
        app = Starlette(routes=[WebSocketRoute("/ws/stream", stream)])
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
            server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
            serving = asyncio.create_task(server.serve([listening]))
            pipe.send(listening.getsockname()[1])
            await _obey(pipe, {"plain": send}, lambda: {"clients": len(clients)})
            await serving

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def _obey(pipe: Connection, ways: dict[str, Send], figures: Callable[[], Figures]) -> None:
    """Do what comes by the pipe, on the server's own loop, until it is closed."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(pipe.fileno(), came.set)
    while True:
        await came.wait()
        came.clear()
        while pipe.poll():
            try:
                word, turn, way = pipe.recv()
            except EOFError:
                return
            if word == "send":
                await _take_turn(turn, ways[way])
                pipe.send("sent")
            else:
                pipe.send(figures() | {"processor": time.process_time()})


async def _take_turn(turn: Turn, send: Send) -> None:
    """Send a turn's messages at its pace; who cannot keep it goes on as fast as it can."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for begin in turn.moments:
        await send(turn, range(begin, min(begin + turn.together, turn.last_t + 1)))
        due += turn.seconds
        await asyncio.sleep(max(0.0, due - loop.time()))


_KINDS: Final[dict[str, Callable[..., None]]] = {
    "hub": _run_ours,
    "broadcast": _run_broadcast,
    "plain": _run_plain,
}
