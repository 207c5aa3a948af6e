"""`marketcam tail`: the live messages of a running camera."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from marketcam.io.access import reader_headers
from marketcam.io.store.errors import StoreError
from marketcam.server.cli.follow import Camera, follow
from marketcam.server.cli.lines import KINDS, line_of
from marketcam.server.cli.parsing import (
    OK,
    CommandError,
    CommandTexts,
    UsageError,
    add_command,
    add_log_level,
    add_token,
    at_least,
    say,
)

if TYPE_CHECKING:
    from marketcam.server.cli.follow import Message
    from marketcam.server.cli.parsing import Subparsers

__all__ = ["add_parser", "run", "stream_url"]

_STREAM_PATH: Final = "/ws/stream"
_DEFAULT_PORT: Final = 8000
_STREAMED: Final = {"metric", "frame"}
_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}

_TEXTS: Final = CommandTexts(
    name="tail",
    arguments="[FLAG …] URL",
    description="""\
Show the live messages of a running camera, one line each: the last metrics and the latest frame
at once, then all that come. A lost connection is made again, and said on stderr. Ctrl-C ends.""",
    examples="""\
  marketcam tail localhost:8000
  marketcam tail https://example.org --kinds frame --count 1 --json | jq .edges
  marketcam tail https://example.org --kinds frame --every 10 --edges 100 --deflate
  marketcam tail ws://localhost:8000/ws/stream --no-reconnect""",
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument(
        "url",
        metavar="URL",
        type=stream_url,
        help="http(s)://HOST:PORT, ws(s)://HOST:PORT/ws/stream, or HOST:PORT",
    )
    parser.add_argument("--json", action="store_true", help="print messages as they come")
    parser.add_argument(
        "--kinds",
        metavar="KIND,…",
        type=_kinds,
        help=f"show only these: {', '.join(KINDS)} [default: all]",
    )
    parser.add_argument(
        "--every",
        metavar="N",
        type=at_least(1),
        help="have each N-th metric and frame sent, by the number of its tick",
    )
    parser.add_argument(
        "--edges", metavar="N", type=at_least(0), help="have the N best edges of a frame sent"
    )
    parser.add_argument("--deflate", action="store_true", help="have frames sent compressed")
    parser.add_argument("--count", metavar="N", type=at_least(1), help="end after so many messages")
    parser.add_argument(
        "--no-reconnect",
        dest="reconnect",
        action="store_false",
        help="end when the connection is lost",
    )
    parser.add_argument(
        "--insecure", action="store_true", help="accept any TLS certificate (self-signed)"
    )
    add_token(parser)
    add_log_level(parser)


def run(args: argparse.Namespace) -> int:
    """Show messages until there have been enough of them, or Ctrl-C; return the exit code."""
    show = _show_json if args.json else _show_line
    shown = 0
    try:
        with closing(follow(_camera(args))) as messages:
            for message in messages:
                if args.kinds is None or message.kind in args.kinds:
                    show(message)
                    shown += 1
                elif message.kind == "gap":
                    say(_line(message))  # what is missing is said even where it is not asked for
                if shown == args.count:
                    break
    except KeyboardInterrupt:
        pass
    return OK


def _camera(args: argparse.Namespace) -> Camera:
    try:
        headers = reader_headers(args.token)
    except StoreError as error:
        raise UsageError(str(error)) from error
    return Camera(_asking_for(args), args.reconnect, args.insecure, headers)


def stream_url(text: str) -> str:
    """Return the WebSocket URL of what a user typed; the port of a bare host is 8000.

    Raises:
        argparse.ArgumentTypeError: it is no address of a camera.
    """
    refusal = argparse.ArgumentTypeError(
        f"must be http(s)://HOST:PORT, ws(s)://HOST:PORT/ws/stream or HOST:PORT, got {text!r}"
    )
    is_bare = "://" not in text
    try:
        parts = urlsplit(f"ws://{text}" if is_bare else text)
        port = parts.port
    except ValueError:
        raise refusal from None
    if parts.scheme not in _SCHEMES or not parts.hostname or re.search(r"\s", text):
        raise refusal
    place = f"{parts.netloc}:{_DEFAULT_PORT}" if is_bare and port is None else parts.netloc
    path = parts.path.rstrip("/").removesuffix(_STREAM_PATH) + _STREAM_PATH
    return urlunsplit((_SCHEMES[parts.scheme], place, path, parts.query, ""))


def _asking_for(args: argparse.Namespace) -> str:
    """Return the URL with what the flags ask of the camera, behind what it asks for itself."""
    options: dict[str, object] = {}
    if args.kinds is not None and args.kinds <= _STREAMED:
        options["kinds"] = ",".join(kind for kind in KINDS if kind in args.kinds)
    for name in ("every", "edges"):
        if (value := getattr(args, name)) is not None:
            options[name] = value
    if args.deflate:
        options["deflate"] = 1
    url: str = args.url
    parts = urlsplit(url)
    query = "&".join(text for text in (parts.query, urlencode(options, safe=",")) if text)
    return urlunsplit(parts._replace(query=query))


def _kinds(text: str) -> frozenset[str]:
    kinds = frozenset(text.split(","))
    if unknown := sorted(kinds.difference(KINDS)):
        raise argparse.ArgumentTypeError(
            f"must be of {', '.join(KINDS)}, got {', '.join(map(repr, unknown))}"
        )
    return kinds


def _show_json(message: Message) -> None:
    sys.stdout.buffer.write(message.raw + b"\n")
    sys.stdout.buffer.flush()


def _show_line(message: Message) -> None:
    print(_line(message), flush=True)


def _line(message: Message) -> str:
    try:
        return line_of(message.content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CommandError(f"not a {message.kind} of a camera: {message.raw[:60]!r}") from error
