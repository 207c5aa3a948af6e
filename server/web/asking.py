"""What a query asks for: each option read once, and refused with its name, value and range."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import parse_qs

from marketcam.server.errors import ServerError
from marketcam.server.stream.messages import ENCODINGS, KINDS
from marketcam.server.stream.place import RANKS
from marketcam.server.stream.selection import Form, Selection
from marketcam.server.web.answers import JsonResponse

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import Receive, Scope, Send

    from marketcam.server.stream.messages import Encoding, Kind

__all__ = ["LATEST_RUN", "MAX_T", "Query", "QueryError", "Span", "refuse_websocket"]

LATEST_RUN: Final = "latest"
"""In place of a run's name: the run that was started last."""

MAX_T: Final = 2**53 - 1
"""Largest tick number, and largest count; what a JSON number carries exactly."""

_POLICY_VIOLATION: Final = 1008
_INTEGER: Final = re.compile(r"-?[0-9]{1,16}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,16}(\.[0-9]{1,16})?", re.ASCII)


class QueryError(ServerError):
    """An option that cannot be used; names the option, its value and what it may be."""


class Span(NamedTuple):
    """A part of a run, both ends included; None for as far as it goes."""

    from_t: int | None
    to_t: int | None


class Query:
    """The options of a request; of one that is given twice, the last counts.

    An option without a value counts as not given, and those that nobody asks about are ignored.
    """

    def __init__(self, scope: Scope) -> None:
        text = scope.get("query_string", b"").decode("latin-1")
        self._options = parse_qs(text, keep_blank_values=True)

    def text(self, name: str) -> str | None:
        """Return an option as it was given, None without a value."""
        return self._options.get(name, [""])[-1] or None

    def run(self) -> str | None:
        """Return the run asked for, as it was given; None for the latest."""
        run = self.text("run")
        return None if run == LATEST_RUN else run

    def integer(self, name: str, least: int, most: int) -> int | None:
        """Return an integer.

        Raises:
            QueryError: it is none, or out of its range.
        """
        text = self.text(name)
        if text is None:
            return None
        if _INTEGER.fullmatch(text) is None or not least <= int(text) <= most:
            raise QueryError(f"{name} must be an integer, {least} to {most}, got {text[:40]!r}")
        return int(text)

    def number(self, name: str) -> float | None:
        """Return a number that is not negative.

        Raises:
            QueryError: it is none.
        """
        text = self.text(name)
        if text is None:
            return None
        if _NUMBER.fullmatch(text) is None:
            raise QueryError(f"{name} must be a number, 0 or greater, got {text[:40]!r}")
        return float(text)

    def flag(self, name: str) -> bool:
        """Return whether an option is on: ``1`` or ``0``.

        Raises:
            QueryError: it is neither.
        """
        text = self.text(name)
        if text not in (None, "0", "1"):
            raise QueryError(f"{name} must be 0 or 1, got {text[:40]!r}")
        return text == "1"

    def span(self) -> Span:
        """Return `from_t` and `to_t`.

        Raises:
            QueryError: one is no tick number, or they are the wrong way round.
        """
        span = Span(self.tick("from_t"), self.tick("to_t"))
        if span.from_t is not None and span.to_t is not None and span.from_t > span.to_t:
            raise QueryError(f"from_t must be at most to_t={span.to_t}, got {span.from_t}")
        return span

    def tick(self, name: str) -> int | None:
        """Return a tick number.

        Raises:
            QueryError: it is none.
        """
        return self.integer(name, -MAX_T, MAX_T)

    def encoding(self) -> Encoding:
        """Return how frames are wanted.

        Raises:
            QueryError: there is no such encoding.
        """
        asked = self.text("encoding") or "json"
        if asked not in ENCODINGS:
            raise QueryError(f"encoding must be {' or '.join(ENCODINGS)}, got {asked[:40]!r}")
        return cast("Encoding", asked)

    def kinds(self, among: Collection[str] = RANKS) -> tuple[str, ...]:
        """Return which kinds of message are wanted, in their order within a tick.

        Raises:
            QueryError: there is no such kind.
        """
        text = self.text("kinds")
        asked = KINDS if text is None else text.split(",")
        if not set(asked) <= set(among):
            names = ", ".join(among)
            raise QueryError(f"kinds must be some of {names}, joined by commas, got {text!r:.60}")
        return tuple(kind for kind in RANKS if kind in asked)

    def every(self) -> int:
        """Return which of the messages of a kind are wanted: each so many-th.

        Raises:
            QueryError: it is no number that can be.
        """
        return self.integer("every", 1, MAX_T) or 1

    def form(self, *, can_deflate: bool) -> Form:
        """Return how frames are wanted.

        Args:
            can_deflate: whether the connection has agreed to compressed messages.

        Raises:
            QueryError: an option cannot be used, or two exclude each other.
        """
        encoding, deflate = self.encoding(), self.flag("deflate")
        if deflate and encoding != "json":
            raise QueryError(f"deflate must be 0 with encoding={encoding}, which is binary, got 1")
        if deflate and not can_deflate:
            raise QueryError(
                "deflate must be 0 where the connection has no permessage-deflate, which a client "
                "offers, without server_max_window_bits, got 1"
            )
        return Form(encoding, self.integer("edges", 0, MAX_T), deflate)

    def selection(self, *, can_deflate: bool) -> Selection:
        """Return what is wanted of a live stream.

        Raises:
            QueryError: as `form`, `every` and `kinds`.
        """
        kinds = cast("tuple[Kind, ...]", self.kinds(KINDS))
        return Selection(self.form(can_deflate=can_deflate), kinds, self.every())


async def refuse_websocket(
    reason: str, status: int, scope: Scope, receive: Receive, send: Send
) -> None:
    """Refuse a connection: before the handshake where the server can, else right after it."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await JsonResponse({"error": reason}, status)(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})
