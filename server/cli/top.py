"""`marketcam top`: how a running camera is doing, live in a terminal."""

from __future__ import annotations

import argparse
import os
import re
import select
import ssl
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from rich.console import Console
from rich.live import Live

from marketcam.io.access import reader_headers
from marketcam.io.remote_http import Address, HttpStatusError, RemoteStoreError
from marketcam.io.store.errors import StoreError
from marketcam.server.cli.parsing import (
    OK,
    CommandError,
    CommandTexts,
    UsageError,
    add_command,
    add_log_level,
    add_token,
    say,
)
from marketcam.server.operators.pager import Pager
from marketcam.server.operators.screen import screen
from marketcam.server.operators.watching import Interval, look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marketcam.server.cli.parsing import Subparsers
    from marketcam.server.operators.watching import Look

__all__ = ["add_parser", "camera_url", "run"]

_DEFAULT_PORT: Final = 8000
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_TIMEOUT_SECONDS: Final = 5.0
_LEAVE: Final = frozenset({b"q", b"Q", b"\x1b"})
_TURN: Final = b" "
_WIDTH: Final = 110

_TEXTS: Final = CommandTexts(
    name="top",
    arguments="[FLAG …] URL",
    description="""\
Show how a running camera is doing: whether it is ready, or degraded and why; ticks a second, the
stages and their queues, lags, viewers, what was lost, the recording. q or Ctrl-C ends;
space turns the page where the terminal has no room for all. A camera that goes away is waited for.
Where the output is no terminal, the figures are printed anew each time.""",
    examples="""\
  marketcam top localhost:8000
  marketcam top https://example.org --interval 5
  marketcam top localhost:8000 --once | grep lost""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument(
        "url", metavar="URL", type=camera_url, help="http(s)://HOST:PORT, or HOST:PORT"
    )
    parser.add_argument(
        "--interval",
        metavar="SECONDS",
        type=_seconds,
        default=1.0,
        help="from one look to the next [default: 1]",
    )
    parser.add_argument("--once", action="store_true", help="look for one interval, and end")
    parser.add_argument(
        "--insecure", action="store_true", help="accept any TLS certificate (self-signed)"
    )
    add_token(parser)
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Show the figures until q, Ctrl-C, or once; return the exit code."""
    address = _address(args)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    try:
        first = _first_look(address)
        if args.once:
            time.sleep(args.interval)
            console.print(screen(args.url, Interval(first, _first_look(address))))
        elif console.is_terminal:
            _show_live(address, first, args.interval, console)
        else:
            _print_on(address, first, args.interval, console)
    except KeyboardInterrupt:
        pass
    return OK


def camera_url(text: str) -> str:
    """Return the HTTP address of what a user typed; the port of a bare host is 8000.

    Raises:
        argparse.ArgumentTypeError: it is no address of a camera.
    """
    refusal = argparse.ArgumentTypeError(
        f"must be http(s)://HOST:PORT or HOST:PORT, got {text.rpartition('@')[2]!r}"
    )
    is_bare = "://" not in text
    try:
        parts = urlsplit(f"http://{text}" if is_bare else text)
        port = parts.port
    except ValueError:
        raise refusal from None
    if parts.scheme not in _SCHEMES or not parts.hostname or re.search(r"\s|@", text):
        raise refusal
    place = f"{parts.netloc}:{_DEFAULT_PORT}" if is_bare and port is None else parts.netloc
    path = parts.path.rstrip("/").removesuffix("/ws/stream").removesuffix("/health")
    return urlunsplit((_SCHEMES[parts.scheme], place, path, "", ""))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"must be 0.01 to 3600 seconds, got {text!r}")
    return seconds


def _address(args: argparse.Namespace) -> Address:
    try:
        headers = reader_headers(args.token)
    except StoreError as error:
        raise UsageError(str(error)) from error
    tls = None
    if args.insecure and args.url.startswith("https:"):
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return Address(args.url, _TIMEOUT_SECONDS, headers, tls)


def _first_look(address: Address) -> Look:
    try:
        return look_at(address)
    except HttpStatusError as error:
        hint = " (--token @FILE, or IG_READ_TOKEN)" if error.status == 401 else ""
        raise CommandError(f"{error}{hint}") from error


def _looks(
    address: Address, first: Look, pause: Callable[[], bool]
) -> Iterator[tuple[Interval, str | None]]:
    """Yield what there is to show after each pause, until one says that it was the last."""
    interval = Interval(first, first)
    while pause():
        try:
            interval = Interval(interval.now, look_at(address))
        except RemoteStoreError as error:
            yield interval, str(error)
        else:
            yield interval, None


def _print_on(address: Address, first: Look, seconds: float, console: Console) -> None:
    def pause() -> bool:
        time.sleep(seconds)
        return True

    for interval, problem in _looks(address, first, pause):
        if problem is None:
            console.print(screen(address.url, interval), "")
        else:
            say(f"{problem}; trying again")


def _show_live(address: Address, first: Look, seconds: float, console: Console) -> None:
    pager = Pager(screen(address.url, Interval(first, first)))
    with _keys() as pressed, Live(pager, console=console, screen=True, auto_refresh=False) as live:

        def pause() -> bool:
            until = time.monotonic() + seconds
            while (left := until - time.monotonic()) > 0:
                key = pressed(left)
                if key in _LEAVE:
                    return False
                if key == _TURN:
                    pager.turn()
                    live.refresh()
            return True

        live.refresh()
        for interval, problem in _looks(address, first, pause):
            pager.content = screen(address.url, interval, problem)
            live.refresh()


@contextmanager
def _keys() -> Iterator[Callable[[float], bytes]]:
    """Give what waits so many seconds for a key at most, and returns it; empty for none."""
    if not sys.stdin.isatty():
        yield _no_key
        return
    import termios  # noqa: PLC0415 - only where there is a terminal
    import tty  # noqa: PLC0415 - as above

    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    tty.setcbreak(stdin)
    try:
        yield lambda seconds: _pressed(stdin, seconds)
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


def _no_key(seconds: float) -> bytes:
    time.sleep(seconds)
    return b""


def _pressed(stdin: int, seconds: float) -> bytes:
    """Return a key: its byte, or all bytes of one that has more, such as an arrow.

    A terminal that is gone is as good as the key that ends it all.
    """
    if not select.select([stdin], [], [], seconds)[0]:
        return b""
    pressed = os.read(stdin, 64)
    if pressed.startswith(b"\x1b"):
        return pressed
    leaving = next((key for key in _LEAVE if key in pressed), None)
    return leaving or pressed[-1:] or b"q"
