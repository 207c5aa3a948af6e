"""What a camera has recorded, passed on by an edge: over HTTP as it is, and replays."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from websockets.exceptions import ConnectionClosed

from marketcam.server.edges.recorded import body_of
from marketcam.server.edges.upstream import RefusedError, UnreachableError
from marketcam.server.history.history import TooManyError
from marketcam.server.logs import get_logger
from marketcam.server.stream.connection import Connection
from marketcam.server.stream.deflate import has_agreed
from marketcam.server.stream.ending import TRY_AGAIN_LATER, Ending, stalled
from marketcam.server.web.answers import JsonResponse
from marketcam.server.web.asking import Query, QueryError, refuse_websocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from starlette.types import Receive, Scope, Send
    from websockets.asyncio.client import ClientConnection

    from marketcam.server.edges.upstream import Answer, Upstream
    from marketcam.server.history.history import Seats
    from marketcam.server.stream.hub import Hub

__all__ = ["ForwardHttp", "ForwardReplay"]

_ASKED: Final = {b"accept", b"accept-encoding", b"if-none-match", b"if-range", b"range"}
"""Headers of a request that are passed on; what the client shows to this edge is not."""

_ANSWERED: Final = {
    *(b"accept-ranges", b"cache-control", b"camera-run", b"content-encoding", b"content-length"),
    *(b"content-range", b"content-type", b"etag", b"retry-after", b"vary"),
}
"""Headers of an answer that are passed on; those of security are this edge's own."""

log = get_logger(__name__)


class ForwardHttp:
    """The ASGI endpoint of what was recorded, for GET and HEAD: asked of the camera, passed on."""

    def __init__(self, upstream: Upstream, seats: Seats) -> None:
        """Ask this camera; `seats` bounds how many ask at the same time."""
        self._upstream = upstream
        self._seats = seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            with self._seats.seat():
                await _unless_left(receive, self._pass_on(request, send))
        except TooManyError as error:
            await JsonResponse({"error": str(error)}, 503, {"retry-after": "1"})(
                scope, receive, send
            )
        except RefusedError as error:
            await JsonResponse({"error": str(error)}, error.status)(scope, receive, send)
        except UnreachableError as error:
            await JsonResponse({"error": str(error)}, 502)(scope, receive, send)

    async def _pass_on(self, request: Request, send: Send) -> None:
        asked = [header for header in request.scope["headers"] if header[0] in _ASKED]
        async with self._upstream.get(request.method, _target(request.scope), asked) as answer:
            headers = [header for header in answer.headers if header[0] in _ANSWERED]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            try:
                await _send_body(answer, send)
            except UnreachableError as error:
                # Without its end, which tells the client that this is not the whole.
                log.warning("forwarding_broken_off", path=request.url.path, error=str(error))


async def _unless_left(receive: Receive, answering: Coroutine[Any, Any, None]) -> None:
    """Answer a client, so long as it is there: while the camera is silent as well."""

    async def leave() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.ensure_future(answering), asyncio.ensure_future(leave())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # what came of it is told above


async def _send_body(answer: Answer, send: Send) -> None:
    async for piece in answer.pieces():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


def _target(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


class ForwardReplay:
    """The ASGI endpoint of `/ws/replay`: each viewer has a replay of the camera's own.

    Heartbeats are the camera's too, which knows where the replay is. Compression is this edge's:
    between it and the camera there is none.
    """

    def __init__(self, upstream: Upstream, hub: Hub, seats: Seats) -> None:
        """Ask this camera.

        Args:
            upstream: the camera.
            hub: closes replays when the server stops; its writer shares the loop's time.
            seats: bounds how many there are.
        """
        self._upstream = upstream
        self._hub = hub
        self._seats = seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end, or refuse it as the camera does."""
        try:
            deflates = Query(scope).form(can_deflate=has_agreed(scope)).deflate
        except QueryError as error:
            await refuse_websocket(str(error), 400, scope, receive, send)
            return
        try:
            with self._seats.seat():
                async with self._upstream.websocket("/ws/replay", _query(scope)) as replay:
                    await receive()  # websocket.connect
                    await send({"type": "websocket.accept"})
                    await self._serve(replay, scope, receive, send, deflates=deflates)
        except TooManyError as error:
            await refuse_websocket(str(error), 503, scope, receive, send)
        except RefusedError as error:
            await refuse_websocket(str(error), error.status, scope, receive, send)
        except UnreachableError as error:
            await refuse_websocket(str(error), 502, scope, receive, send)

    async def _serve(
        self,
        replay: ClientConnection,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        deflates: bool,
    ) -> None:
        ending = Ending()
        self._hub.admit(ending)
        connection = Connection(ending, self._hub.writer, scope, send)
        seconds = self._hub.options.client_slow_seconds

        async def pass_on() -> None:
            async for message in _messages(replay, ending):
                await connection.say(body_of(message, deflates=deflates))

        async def tell(text: str | bytes) -> None:
            try:
                await replay.send(text)
            except ConnectionClosed:
                return  # which `pass_on` sees too, after all that came before

        try:
            await connection.run(
                pass_on(),
                connection.answer(receive, tell),
                connection.watch_progress(
                    seconds, partial(ending.close, TRY_AGAIN_LATER, stalled(seconds))
                ),
            )
        finally:
            self._hub.dismiss(ending)


async def _messages(replay: ClientConnection, ending: Ending) -> AsyncIterator[bytes]:
    """Yield what the camera sends, and end as it ends."""
    try:
        while True:
            yield await replay.recv(decode=False)
    except ConnectionClosed as error:
        if error.rcvd is not None and error.rcvd.code != 1005:
            ending.close(error.rcvd.code, error.rcvd.reason)
        else:
            ending.close(TRY_AGAIN_LATER, str(UnreachableError("is gone")))


def _query(scope: Scope) -> str:
    options = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return urlencode([(name, value) for name, value in options if name != "deflate"])
