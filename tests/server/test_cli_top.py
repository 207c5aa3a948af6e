"""`marketcam top` against real cameras, in a terminal and without one."""

from __future__ import annotations

import argparse
import io
import os
import pty
import select
import signal
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from marketcam.server.cli import main
from marketcam.server.cli.top import _address, camera_url
from marketcam.server.operators.pager import Pager
from tests.server_helpers import PATIENCE, fed_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "marketcam.server.cli", "top"]


def test_once_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fed_server(tmp_path) as (server, _):
        assert main(["top", server.listening.url, "--once", "--interval", "0.01"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"{server.listening.url}  ")
    assert "\x1b" not in out
    assert {len(line) for line in out.splitlines()} <= set(range(111))
    assert "viewers" in out


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "127.0.0.1:1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "marketcam: http://127.0.0.1:1/health: connection refused"


@contextmanager
def answering(status: int) -> Iterator[tuple[str, list[str | None]]]:
    """Run a server that answers all with one status; give its address and the tokens it saw."""
    shown: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("authorization"))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_token_is_shown_to_who_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IG_READ_TOKEN", "wrong-token-0123456789")
    with answering(401) as (url, shown):
        assert main(["top", url]) == 1
    assert shown == ["Bearer wrong-token-0123456789"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"marketcam: {url}/health: status 401")
    assert line.endswith("(--token @FILE, or IG_READ_TOKEN)")
    assert "wrong-token" not in line


def test_a_token_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = "0123456789abcdef0123"
    (tmp_path / "token").write_text(token + "\n")
    with fed_server(tmp_path, read_token=token) as (server, _):
        flags = ["--token", f"@{tmp_path / 'token'}", "--once", "--interval", "0.01"]
        assert main(["top", server.listening.url, *flags]) == 0
        assert main(["top", server.listening.url]) == 1
    assert main(["top", "localhost", "--token", f"@{tmp_path / 'other'}"]) == 2
    out, err = capsys.readouterr()
    assert "viewers" in out
    assert token not in out + err


def test_any_certificate_is_taken_where_it_is_asked_for() -> None:
    given = {"url": "https://h", "token": None}
    assert _address(argparse.Namespace(**given, insecure=False)).tls is None
    context = _address(argparse.Namespace(**given, insecure=True)).tls
    assert context is not None
    assert context.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("localhost", "http://localhost:8000"),
        ("localhost:9000", "http://localhost:9000"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("https://example.org/", "https://example.org"),
        ("wss://example.org/a/ws/stream", "https://example.org/a"),
        ("http://h/health", "http://h"),
    ],
)
def test_what_one_may_type(typed: str, url: str) -> None:
    assert camera_url(typed) == url


@pytest.mark.parametrize("typed", ["", "ftp://h", "http://", "h:99999", "h o", "http://u:secret@h"])
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        camera_url(typed)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "nan", "inf", "3601"])
def test_what_is_no_interval(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["top", "localhost", "--interval", seconds])
    assert caught.value.code == 2
    assert "must be 0.01 to 3600 seconds" in capsys.readouterr().err


class Terminal:
    """A process in a terminal of its own, and all that it has shown there."""

    def __init__(self, *command: str, lines: int = 60) -> None:
        self._main, other = pty.openpty()
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "110", "LINES": str(lines)}
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, env=environment, close_fds=True
        )
        os.close(other)
        self.text = ""

    def read_until(self, said: str) -> None:
        while said not in self.text:
            self._read()

    def read_to_the_end(self) -> int:
        try:
            while True:
                self._read()
        except OSError:  # nobody has the other side open any more
            return self.process.wait(PATIENCE)

    def press(self, keys: bytes) -> None:
        os.write(self._main, keys)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._main)

    def _read(self) -> None:
        assert select.select([self._main], [], [], PATIENCE)[0], self.text
        piece = os.read(self._main, 65_536)
        assert piece, self.text
        self.text += piece.decode(errors="replace")


@contextmanager
def terminal(*command: str) -> Iterator[Terminal]:
    made = Terminal(*command)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("key", [b"q", b"\x1b", None], ids=["q", "escape", "interrupt"])
def test_live_in_a_terminal_until_it_is_told_to_end(tmp_path: Path, key: bytes | None) -> None:
    with (
        fed_server(tmp_path) as (server, _),
        terminal(*COMMAND, server.listening.url, "--interval", "0.05") as shown,
    ):
        shown.read_until("viewers")
        shown.press(b"x")  # no key of ours
        shown.text = ""
        shown.read_until("viewers")
        if key is None:
            shown.process.send_signal(signal.SIGINT)
        else:
            shown.press(key)
        assert shown.read_to_the_end() == 0
    assert "Traceback" not in shown.text
    assert "\x1b[?1049l" in shown.text  # what was there before is shown again


def test_on_a_small_terminal_pages_are_turned(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _):
        shown = Terminal(*COMMAND, server.listening.url, "--interval", "0.05", lines=12)
        try:
            shown.read_until("page 1 of ")
            assert "recording" not in shown.text
            shown.press(b"\x1b[B")  # an arrow begins with an escape, and is none
            while "recording" not in shown.text:
                shown.press(b" ")
                shown.text = ""
                shown.read_until("space for the next")
            shown.press(b"q")
            assert shown.read_to_the_end() == 0
        finally:
            shown.close()


@pytest.mark.parametrize("height", [2, 5, 10, 40])
def test_all_pages_together_are_the_whole(height: int) -> None:
    lines = [f"line {number}" for number in range(23)]
    pager = Pager("\n".join(lines))
    seen: list[str] = []
    for _ in range(30):
        text = io.StringIO()
        Console(file=text, width=40, height=height).print(pager)
        shown = [line.strip() for line in text.getvalue().splitlines()]
        assert len(shown) <= height
        seen += [line for line in shown if line.startswith("line")]
        pager.turn()
    assert seen[: len(lines)] == lines


def test_live_it_waits_for_a_camera_that_has_gone(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _):
        shown = Terminal(*COMMAND, server.listening.url, "--interval", "0.05")
        shown.read_until("viewers")
    try:
        shown.read_until("connection refused; trying again")
        shown.press(b"q")
        assert shown.read_to_the_end() == 0
    finally:
        shown.close()


def test_without_a_terminal_it_prints_on_and_waits(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _):
        command = [*COMMAND, server.listening.url, "--interval", "0.05"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        heads = (line for line in process.stdout if line.startswith(b"http://"))
        assert next(heads)
        assert next(heads)
    assert process.stderr is not None
    for line in process.stderr:
        if line.endswith(b": connection refused; trying again\n"):
            break
    process.terminate()
    process.communicate()
