"""Recorded lines over HTTP: `/range/{kind}`, streamed in constant memory.

Lines are read and compressed in threads, a piece at a time, and a piece is made when the one before
it has been taken: a client that reads slowly slows its own reading, and one that leaves ends it. An
answer that cannot be completed is broken off, so that no client takes a part for the whole.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from marketcam.io.store import ALL_RUNS, KINDS, StoreError, UnknownSegmentError
from marketcam.server.history.history import TooManyError, tell_unreadable
from marketcam.server.logs import get_logger
from marketcam.server.web.answers import NOT_CACHED
from marketcam.server.web.asking import MAX_T, Query, QueryError, Span
from marketcam.server.web.content_coding import CODERS, coding_for
from marketcam.server.web.whole import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Receive, Scope, Send

    from marketcam.server.history.history import History, Seats
    from marketcam.server.history.pieces import Piece, Pieces
    from marketcam.server.web.content_coding import Coder

__all__ = ["ABORT", "RUN_HEADER", "LineAnswers", "LinesAsked", "RangeLines"]

ABORT: Final = "marketcam.abort"
"""Name of the ASGI extension under which the server's protocol offers to cut the connection."""

RUN_HEADER: Final = "camera-run"
"""Header with the run that an answer was read from."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LinesAsked:
    """What a request for lines asks for.

    Attributes:
        kind: the kind of lines.
        span: the ticks.
        run: the run's name; None: the latest.
        limit: lines at most; None: all.
        every: each so many-th line.
        coding: the content coding.
    """

    kind: str
    span: Span
    run: str | None
    limit: int | None
    every: int
    coding: str

    @classmethod
    def by(cls, request: Request, kind: str) -> LinesAsked:
        """Read a request.

        Raises:
            HTTPException: 406, no coding that the client takes.
            QueryError: an option cannot be used.
        """
        query = Query(request.scope)
        return cls(
            kind,
            query.span(),
            query.run(),
            query.integer("limit", 1, MAX_T),
            query.integer("every", 1, MAX_T) or 1,
            coding_for(request.headers),
        )


class LineAnswers(ABC):
    """An ASGI endpoint, for GET and HEAD, that answers with lines made as they are read.

    Args:
        history: is read from.
        seats: for those who are answered.
        stall_seconds: a client that takes nothing for so long is given up.
    """

    def __init__(self, history: History, seats: Seats, stall_seconds: float) -> None:
        self._history = history
        self._seats = seats
        self._stall_seconds = stall_seconds

    @abstractmethod
    def read(self, request: Request) -> tuple[LinesAsked, Callable[[str], Pieces[bytes]]]:
        """Return what a request asks for, and what makes the lines of a run, or of `all`.

        Raises:
            HTTPException: it cannot be answered at all.
            QueryError: an option cannot be used.
        """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it with what is wrong with it.

        Raises:
            HTTPException: as `read`.
        """
        request = Request(scope, receive)
        try:
            asked, lines_of = self.read(request)
            with self._seats.seat():
                run = await self._run_asked_for(asked)
                end = await self._answer(asked, run, lines_of(run), request, send)
            # Once the place is free again: whoever has the whole answer may ask for the next.
            if end is not None:
                await send({"type": "http.response.body", "body": end})
        except (QueryError, UnknownSegmentError, TooManyError, _UnreadableError) as error:
            await refusal(error)(scope, receive, send)

    async def _answer(
        self, asked: LinesAsked, run: str, lines: Pieces[bytes], request: Request, send: Send
    ) -> bytes | None:
        """Send all but the end of an answer; return that, None where it has no good end."""
        async with lines as pieces:
            first = await _first_piece(pieces, request)
            if first.error is not None and not first.items:
                if isinstance(first.error, UnknownSegmentError):
                    raise first.error
                tell_unreadable("history_unreadable", first.error, run=run, kind=asked.kind)
                raise _UnreadableError("the recording cannot be read, see the server's log")
            headers = _headers(run, asked)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if request.method == "HEAD":
                return b""
            coder = CODERS[asked.coding]()
            body = _Body(coder, self._history, self._stall_seconds, request, send)
            return await body.send(first, pieces)

    async def _run_asked_for(self, asked: LinesAsked) -> str:
        if asked.run == ALL_RUNS:
            return ALL_RUNS
        try:
            return (await self._history.run(asked.run)).id
        except UnknownSegmentError:
            raise
        except StoreError as error:
            raise _UnreadableError(str(error)) from error


class RangeLines(LineAnswers):
    """The endpoint of `/range/{kind}`."""

    def __init__(self, history: History, stall_seconds: float) -> None:
        """Read from this history; a client that takes nothing for so long is given up."""
        super().__init__(history, history.readers, stall_seconds)

    def read(self, request: Request) -> tuple[LinesAsked, Callable[[str], Pieces[bytes]]]:
        """Read a request; 404 where there is no such kind."""
        kind = request.path_params["kind"]
        if kind not in KINDS:
            raise HTTPException(404, f"no such kind, there are {', '.join(KINDS)}")
        asked = LinesAsked.by(request, kind)
        return asked, lambda run: self._history.pieces(partial(self._lines, asked, run))

    def _lines(self, asked: LinesAsked, run: str) -> Iterator[tuple[bytes, int] | None]:
        """Yield the lines asked for, None for those between them: the time they take counts."""
        left = MAX_T if asked.limit is None else asked.limit
        store = self._history.store()
        runs = [each.id for each in store.runs()] if run == ALL_RUNS else [run]
        for of_run in runs or [ALL_RUNS]:  # without any, the kind may still be none
            with closing(store.lines(asked.kind, *asked.span, run=of_run)) as lines:
                for number, line in enumerate(lines):
                    if number % asked.every:
                        yield None
                        continue
                    yield line, len(line) + 1
                    left -= 1
                    if not left:
                        return


class _UnreadableError(StoreError):
    """Nothing of what was asked for can be read."""


async def _first_piece(pieces: Pieces[bytes], request: Request) -> Piece[bytes]:
    """Return the first piece with a line in it, or the last: what to answer depends on it."""
    piece = await pieces.next()
    while not piece.items and not piece.is_last and not await request.is_disconnected():
        piece = await pieces.next()
    return piece


def _headers(run: str, asked: LinesAsked) -> list[tuple[bytes, bytes]]:
    headers = {
        "content-type": "application/x-ndjson",
        "vary": "Accept-Encoding",
        RUN_HEADER: run,
        **NOT_CACHED,
    }
    if asked.coding != "identity":
        headers["content-encoding"] = asked.coding
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


class _Body:
    """The body of one answer."""

    def __init__(
        self, coder: Coder, history: History, stall_seconds: float, request: Request, send: Send
    ) -> None:
        self._coder = coder
        self._history = history
        self._stall_seconds = stall_seconds
        self._request = request
        self._send = send

    async def send(self, first: Piece[bytes], pieces: Pieces[bytes]) -> bytes | None:
        """Send piece after piece; return the end of the body.

        None where the client has left, or is not to take what it has got for the whole.
        """
        piece = first
        while not piece.is_last:
            if not await self._pass_on(piece):
                return None
            piece = await pieces.next()
        if not await self._pass_on(piece):
            return None
        if piece.error is None:
            return self._coder.finish()
        tell_unreadable("range_broken_off", piece.error, path=self._request.url.path)
        # Ended by the server without the last chunk, after all that was sent; to a client of
        # HTTP/1.0, which knows no chunks, that would look like the whole.
        if self._request.scope["http_version"] == "1.0":
            await self._cut()
        return None

    async def _pass_on(self, piece: Piece[bytes]) -> bool:
        """Send a piece; return whether the client is still there."""
        if await self._request.is_disconnected():
            return False
        if not piece.items:
            return True
        # What comes slowly is of use now; a flush after each piece would cost compression.
        data = await self._history.in_thread(partial(self._encoded, piece))
        try:
            async with asyncio.timeout(self._stall_seconds):
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
        except TimeoutError:
            log.warning("range_client_stalled", client=self._request.scope.get("client"))
            await self._cut()
            return False
        return True

    async def _cut(self) -> None:
        """Cut the connection, where the server has the means."""
        abort = self._request.scope.get("extensions", {}).get(ABORT)
        if abort is not None:
            abort()
            while not await self._request.is_disconnected():
                await asyncio.sleep(0)

    def _encoded(self, piece: Piece[bytes]) -> bytes:
        text = b"\n".join((*piece.items, b""))
        return self._coder.encode(text, flush=not piece.is_full or piece.error is not None)
