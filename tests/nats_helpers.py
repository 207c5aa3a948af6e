"""A real nats-server for tests: started, killed and started again where it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = {"nats_silence_seconds": 1.0}
"""Settings with which a loss of NATS that no packet tells of is found soon."""


def missing(what: str) -> None:
    """Skip where a test cannot run here, or fail where it has to run."""
    if os.environ.get("MARKETCAM_REQUIRE_NATS"):
        pytest.fail(f"{what}, and MARKETCAM_REQUIRE_NATS is set")
    pytest.skip(what)


def program() -> str:
    path = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if path is None:
        missing("no nats-server is installed")
    assert path is not None
    return path


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


class NatsServer:
    """A nats-server with JetStream in a folder of its own; it keeps its port and its store.

    Attributes:
        url: where clients find it.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", *before: str, **config: Any) -> None:
        """Prepare it; `before` is what its command line begins with."""
        self.folder = folder
        self.port = free_port() if host == "127.0.0.1" else 4222
        self.url = f"nats://{host}:{self.port}"
        store = {"jetstream": {"store_dir": str(folder / "jetstream")}}
        given = {"host": host, "port": self.port, **store, **config}
        folder.mkdir(exist_ok=True)
        (folder / "nats.conf").write_text(json.dumps(given))
        self._before = before
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it listens when this returns."""
        command = [*self._before, program(), "-c", str(self.folder / "nats.conf")]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.folder,
        )
        assert self._process.stderr is not None
        log = b""
        for line in self._process.stderr:
            log += line
            if b"Server is ready" in line:
                self._reader = threading.Thread(target=self._process.stderr.read)
                self._reader.start()
                return
        raise AssertionError(f"nats-server ended with {self._process.wait()}:\n{log.decode()}")

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it with a signal, where it runs."""
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(PATIENCE)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None

    def forget(self) -> None:
        """Remove what it has kept, while it does not run."""
        shutil.rmtree(self.folder / "jetstream")


@contextmanager
def nats_server(folder: Path, **config: Any) -> Iterator[NatsServer]:
    """Run a nats-server until the block ends."""
    server = NatsServer(folder / "nats", **config)
    server.start()
    try:
        yield server
    finally:
        server.end()
