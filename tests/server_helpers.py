"""Real servers for tests: in this process, fed tick by tick, and as processes of their own."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from marketcam.io.store import Store
from marketcam.server import serve
from marketcam.server.settings import Settings
from tests.conforming import CheckedClient, connect
from tests.raw_ticks import STATE, tick

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import httpx
    from websockets.sync.client import ClientConnection

    from marketcam.server.serve import Listening

PATIENCE = 120.0
"""Seconds after which a test gives up waiting for an event that should have come."""


def state_tick(t: int, **fields: Any) -> dict[str, Any]:
    """Return a raw tick with a state, so that it makes a metric; two agents, one match."""
    quotes = {"buys": {1: 100.0}, "sells": {2: 100.1}, "agents": {1: 0.5, 2: None}}
    return tick(t, matches=[[1, 2]], **(quotes | fields)) | {"s": STATE}


def tick_lines(raws: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(raw) + b"\n" for raw in raws)


class TickFeed:
    """A named pipe as the source of ticks: the server takes them in as the test writes them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ticks.fifo"
        os.mkfifo(self.path)
        # For reading too, so that neither opening nor a server that stops early can block.
        self._pipe = os.fdopen(os.open(self.path, os.O_RDWR), "wb", buffering=0)

    def send(self, *raws: dict[str, Any]) -> None:
        self._pipe.write(tick_lines(raws))

    def send_ticks(self, first: int, last: int) -> None:
        """Send the ticks from `first` to `last`, inclusive."""
        for t in range(first, last + 1):
            self.send(state_tick(t))

    def send_text(self, text: bytes) -> None:
        self._pipe.write(text)

    def close(self) -> None:
        self._pipe.close()


@dataclass(frozen=True)
class Running:
    """A server in a thread of this process."""

    listening: Listening

    @property
    def rig(self) -> Any:
        return self.listening.app.rig

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.listening.port

    def http(self) -> httpx.Client:
        return CheckedClient(base_url=self.listening.url, timeout=PATIENCE)

    def stream(self, **options: Any) -> ClientConnection:
        return open_stream(self.listening.stream_url, **options)

    def ask_raw(self, request: bytes) -> bytes:
        """Send bytes as they are and return all that comes back until the server closes."""
        with socket.create_connection(self.address, PATIENCE) as sock:
            sock.sendall(request)
            return b"".join(iter(lambda: sock.recv(65_536), b""))


@contextmanager
def running_server(settings: Settings, run_it: Callable[..., int] = serve.run) -> Iterator[Running]:
    """Run a server, a camera's or an edge's, until the block ends; what it raises is raised."""
    events: queue.Queue[Any] = queue.Queue()

    def run() -> None:
        try:
            events.put(run_it(settings, events.put))
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            events.put(error)

    thread = threading.Thread(target=run)
    thread.start()
    listening = events.get(timeout=PATIENCE)
    if isinstance(listening, BaseException):
        raise listening
    try:
        yield Running(listening)
    finally:
        listening.stop()
        end = events.get(timeout=PATIENCE)
        thread.join()
        if isinstance(end, BaseException):
            raise end


@contextmanager
def fed_server(folder: Path, **options: Any) -> Iterator[tuple[Running, TickFeed]]:
    """Run a server with a window of 4 and stride 2 that takes in what the test sends."""
    feed = TickFeed(folder)
    given = {"window": 4, "stride": 2, "store_dir": folder / "store"} | options
    settings = Settings(port=0, ticks=str(feed.path), tick_rate=0, **given)
    with ExitStack() as stack:
        stack.callback(feed.close)
        yield stack.enter_context(running_server(settings)), feed


def open_stream(url: str, **options: Any) -> ClientConnection:
    """Connect; who goes while much is unread waits for the server's goodbye behind it, not long."""
    given = {"proxy": None, "max_size": None, "open_timeout": PATIENCE, "close_timeout": 0.5}
    return connect(url, **(given | options))


def receive(stream: ClientConnection, count: int = 1) -> list[dict[str, Any]]:
    return [orjson.loads(stream.recv(timeout=PATIENCE)) for _ in range(count)]


def named(messages: Iterable[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(message["type"], message["t"]) for message in messages]


def receive_until(stream: ClientConnection, kind: str, t: int) -> list[dict[str, Any]]:
    """Receive up to and including the first message of a kind that is of tick `t` or later."""
    messages = receive(stream)
    while messages[-1]["type"] != kind or messages[-1]["t"] < t:
        messages += receive(stream)
    return messages


class ServerProcess:
    """A process of a server. Its log is read as it comes, so that tests can wait for an event."""

    def __init__(self, folder: Path, *command: str, **variables: str) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("IG_") and name != "PORT"
        }
        self.store = folder / "store"
        self.process = subprocess.Popen(
            [sys.executable, *command],
            env=environment | {"IG_CAM_STORE_DIR": str(self.store)} | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
        )
        self.url = ""
        self._log: list[str] = []
        self._logged = threading.Condition()
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()

    @property
    def log(self) -> str:
        return "".join(self._log)

    @property
    def stream_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/ws/stream"

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def http(self) -> httpx.Client:
        return CheckedClient(base_url=self.url, timeout=PATIENCE)

    def stream(self) -> ClientConnection:
        return open_stream(self.stream_url)

    def wait_until_listening(self) -> None:
        """Read stdout up to the address; fails with the log where it ends before."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(b"listening on "):
                self.url = line.split()[2].decode()
                return
        raise AssertionError(f"the server ended with {self.process.wait()}:\n{self.log}")

    def wait_for_log(self, text: str, *, after: int = 0) -> str:
        """Wait until a line of the log holds a text, beyond so many that do; return the line."""
        with self._logged:
            found = self._logged.wait_for(lambda: self._lines_with(text)[after:], PATIENCE)
        assert found, f"no {text!r} in the log:\n{self.log}"
        return found[0]

    def count_in_log(self, text: str) -> int:
        with self._logged:
            return len(self._lines_with(text))

    def feed(self, text: bytes) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def stop(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Kill it if it still runs, and let go of its pipes."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._logged:
                self._log.append(line.decode())
                self._logged.notify_all()

    def _lines_with(self, text: str) -> list[str]:
        return [line for line in self._log if text in line]


@contextmanager
def any_process(folder: Path, *command: str, **variables: str) -> Iterator[ServerProcess]:
    """Run a Python command with the store in `folder`, and nothing else from the environment."""
    server = ServerProcess(folder, *command, **variables)
    try:
        yield server
    finally:
        server.end()


@contextmanager
def server_process(folder: Path, *flags: str, **variables: str) -> Iterator[ServerProcess]:
    """Run `marketcam serve` on a free port, listening when the block begins."""
    command = ("-m", "marketcam.server.cli", "serve", "--port", "0", *flags)
    with any_process(folder, *command, **variables) as server:
        server.wait_until_listening()
        yield server


def recorded(store: Path, kind: str) -> list[bytes]:
    """Return all recorded lines of a kind."""
    return list(Store(store).lines(kind))
