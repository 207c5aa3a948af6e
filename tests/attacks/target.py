"""A server to attack: a process of its own, an honest viewer beside it, and what is held to it."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from tests.conforming import CheckedClient
from tests.server_helpers import PATIENCE, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["MORE_MEMORY", "STRIDE", "Target", "running_target"]

HERE: Final = Path(__file__).parent
STRIDE: Final = 5
FLAGS: Final = ("--agents", "10", "--W", "20", "--stride", str(STRIDE), "--tick-rate", "100")

MOST_LAG: Final = 100
"""Messages that an honest viewer may be behind what the server has taken in, once it has had a core
after an attack."""

MORE_MEMORY: Final = 24 * 2**20
"""Bytes that a server may have grown by after an attack, once it has given back every free page
(`served.py`): for code that was first needed, and pages that are held by a bit of them. What
thousands of attackers leave behind each is far more."""

ONE_ARENA: Final = {"MALLOC_ARENA_MAX": "1"}
"""Each of a server's threads would have an arena of its own, with pages that are held by a bit of
them: which of them an attack meets is chance."""

LETTING_GO_SECONDS: Final = 60.0
"""When a test gives up waiting for what should have been long before: that connections are let go,
that a viewer is served."""

INDISCREET: Final = re.compile(
    rb"Traceback|File \"|\.py\b|site-packages|uvicorn|starlette|websockets/|h11|python",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a server holds."""

    descriptors: int
    memory: int


class HonestViewer:
    """The program `honest.py`; asked from here."""

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "honest.py"), url, str(STRIDE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        self._lock = threading.Lock()

    def report(self) -> dict[str, Any]:
        """Return what it has seen so far."""
        return self._ask("report")

    def reach(self, t: int) -> dict[str, Any]:
        """Return what it has seen once the metric of a tick is there, or something is wrong."""
        return self._ask(f"reach {t}")

    def end(self) -> None:
        """Let it go."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, question: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(f"{question}\n")
            self._process.stdin.flush()
            report: dict[str, Any] = json.loads(self._process.stdout.readline())
        return report


class Target:
    """A server under attack.

    Attributes:
        address: where it listens.
        secret: what no answer may hold: it stands in files that are nobody's to read.
    """

    secret = b"what-nobody-may-read"

    def __init__(
        self, server: ServerProcess, trust: Path | None, token: str | None, stack: ExitStack
    ) -> None:
        self.server = server
        self._viewers = {} if trust is None else {"SSL_CERT_FILE": str(trust)}
        if token is not None:
            self._viewers["IG_READ_TOKEN"] = token
        self.address = "127.0.0.1", server.port
        self._process = psutil.Process(server.process.pid)
        verify = True if trust is None else ssl.create_default_context(cafile=trust)
        self._http = stack.enter_context(
            CheckedClient(base_url=server.url, timeout=PATIENCE, verify=verify)
        )
        if token is not None:
            self._http.headers["Authorization"] = f"Bearer {token}"
        self._log_read = 0
        stack.callback(self.end)
        self.viewer = self._new_viewer()
        self.viewer.reach(50)

    def end(self) -> None:
        """Let go of the honest viewer."""
        self.viewer.end()

    def _new_viewer(self) -> HonestViewer:
        return HonestViewer(self.server.stream_url, self._viewers)

    @contextmanager
    def under_attack(self, log_lines: int | None = None) -> Iterator[None]:
        """Do what is in the block; then hold the server to all that it promises.

        Args:
            log_lines: what it may have written to its log at most.
        """
        if self.viewer.report()["faults"]:  # told where they came; the next attack begins anew
            self.viewer.end()
            self.viewer = self._new_viewer()
        before = self.figures()
        self._log_read = len(self.server.log)
        yield
        self.check_honest_viewer()
        self.wait_until_let_go(before)
        self.wait_until_small(before)
        self.check_log(log_lines)
        assert self.server.process.poll() is None

    def figures(self) -> Figures:
        """Measure what it holds, while nothing of ours is under way but one idle connection."""
        self.server.process.send_signal(signal.SIGUSR1)  # what is free is given back
        self.ticks()
        return Figures(self._process.num_fds(), self._process.memory_info().rss)

    def ticks(self) -> int:
        """Ask how many ticks it has taken in."""
        ticks: int = self._http.get("/health").raise_for_status().json()["meta"]["ticks"]
        return ticks

    def check_honest_viewer(self) -> None:
        """Check that the honest viewer has everything, and is not left behind."""
        deadline = time.monotonic() + LETTING_GO_SECONDS
        behind = MOST_LAG + 1
        while behind > MOST_LAG:
            assert time.monotonic() < deadline, f"the honest viewer is {behind} messages behind"
            t = self.ticks() - 1
            report = self.viewer.report()
            assert report["faults"] == []
            behind = t - report["last"]["metric"]
        assert self.viewer.reach(t)["faults"] == []

    def wait_until_let_go(self, before: Figures) -> None:
        """Wait until it has no more descriptors than before."""
        deadline = time.monotonic() + LETTING_GO_SECONDS
        while self.figures().descriptors > before.descriptors:
            connections = [f"{c.laddr}-{c.raddr}" for c in self._process.net_connections()]
            held = [*connections, *(f"{f.path}:{f.mode}" for f in self._process.open_files())]
            assert time.monotonic() < deadline, f"held: {held}; before: {before}"

    def wait_until_small(self, before: Figures) -> None:
        """Wait until it has hardly more memory than before: what ends last gives back last."""
        deadline = time.monotonic() + LETTING_GO_SECONDS
        while (grown := self.figures().memory - before.memory) > MORE_MEMORY:
            assert time.monotonic() < deadline, f"{grown / 2**20:.1f} MB more than before"

    def check_log(self, most_lines: int | None) -> None:
        """Check that no fault of a peer is told as one of the server."""
        lines = self.server.log[self._log_read :].splitlines()
        bad = [
            line for line in lines if re.search(r"level=(error|critical)|Traceback|exc_info", line)
        ]
        assert not bad, bad[:3]
        assert most_lines is None or len(lines) <= most_lines, lines[:3]

    def check_discretion(self, answers: Iterable[bytes]) -> None:
        """Check that no answer tells what is the server's own."""
        for answer in answers:
            assert self.secret not in answer
            if b'"cam_store"' in answer:  # the contract's own, of GET /
                continue
            assert not INDISCREET.search(answer), answer[:2000]
            assert str(self.server.store).encode() not in answer, answer[:2000]
            assert str(HERE.parent.parent).encode() not in answer, answer[:2000]


@contextmanager
def running_target(
    folder: Path, *flags: str, trust: Path | None = None, **variables: str
) -> Iterator[Target]:
    """Run a server to attack, with what is nobody's to read in its store and beside it.

    Args:
        folder: where it keeps its store.
        flags: of the command line, beside `FLAGS`.
        trust: the certificate of one that speaks TLS.
        variables: of the environment.
    """
    folder.mkdir(exist_ok=True)
    (folder / "secret.txt").write_bytes(Target.secret)
    command = (str(HERE / "served.py"), "serve", "--port", "0", *FLAGS, *flags)
    with ExitStack() as stack:
        server = ServerProcess(folder, *command, **ONE_ARENA, **variables)
        stack.callback(server.end)
        server.wait_until_listening()
        for place in (server.store, server.store / "frames", server.store / "metrics"):
            (place / "secret.txt").write_bytes(Target.secret)
        yield Target(server, trust, variables.get("IG_READ_TOKEN"), stack)
