"""Answers that are made of the recording, step by step, and sent whole.

They are made in the history's threads, in which others have their turns between two pieces of work;
a client that leaves ends it. Whoever waits for one takes a place among those who read history.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response

from marketcam.io.store import StoreError, UnknownSegmentError
from marketcam.server.history.history import TooManyError, tell_unreadable
from marketcam.server.security.telling import told
from marketcam.server.web.answers import NOT_CACHED, JsonResponse
from marketcam.server.web.asking import QueryError
from marketcam.server.web.content_coding import CODERS, coding_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from marketcam.engine import MarketCameraError
    from marketcam.io.store import Run
    from marketcam.server.history.history import History

__all__ = ["REFUSED", "answer_whole", "refusal"]

REFUSED: Final = (QueryError, UnknownSegmentError, TooManyError, StoreError)
"""What keeps a question about the recording from being answered, and is told to who asks."""

_RETRY_AFTER: Final = {"retry-after": "1"}
_CLIENT_HAS_LEFT: Final = 499


def refusal(error: MarketCameraError) -> Response:
    """Say why a question about the recording is not answered; `error` is one of `REFUSED`."""
    body = {"error": told(error)}
    if isinstance(error, QueryError):
        return JsonResponse(body, 400)
    if isinstance(error, UnknownSegmentError):
        return JsonResponse(body, 404)
    if isinstance(error, TooManyError):
        return JsonResponse(body, 503, _RETRY_AFTER)
    return JsonResponse(body, 500)


async def answer_whole(
    request: Request,
    history: History,
    run: str | None,
    make: Callable[[Run], Iterator[dict[str, Any] | None]],
) -> Response:
    """Answer a request with what is made of a run, as JSON, or say why not.

    Args:
        request: what asks.
        history: what it is made from.
        run: the run's name; None: the latest.
        make: yields None after each step of work, and the answer at the end, in which arrays may
            stand for lists and NaN for null.

    Raises:
        HTTPException: 406, the client takes no content coding of ours.
    """
    coding = coding_for(request.headers)
    try:
        with history.readers.seat():
            of_run = await history.run(run)
            body = await _made(request, history, partial(_encoded, make, of_run, coding))
    except REFUSED as error:
        if not isinstance(error, QueryError | UnknownSegmentError | TooManyError):
            tell_unreadable("history_unreadable", error, path=request.url.path)
        return refusal(error)
    headers = {**NOT_CACHED, "content-type": "application/json", "vary": "Accept-Encoding"}
    if coding != "identity":
        headers["content-encoding"] = coding
    return Response(body, _CLIENT_HAS_LEFT if body is None else 200, headers)


async def _made(
    request: Request, history: History, make: Callable[[], Iterator[tuple[bytes, int] | None]]
) -> bytes | None:
    """Make a body; None where the client has left meanwhile."""
    async with history.pieces(make) as pieces:
        while not await request.is_disconnected():
            piece = await pieces.next()
            if piece.items:
                return piece.items[0]
            if piece.error is not None:
                raise piece.error
    return None


def _encoded(
    make: Callable[[Run], Iterator[dict[str, Any] | None]], run: Run, coding: str
) -> Iterator[tuple[bytes, int] | None]:
    for answer in make(run):
        if answer is None:
            yield None
            continue
        text = orjson.dumps({"run": run.id, **answer}, option=orjson.OPT_SERIALIZE_NUMPY)
        coder = CODERS[coding]()
        body = coder.encode(text, flush=False) + coder.finish()
        yield body, len(body)
