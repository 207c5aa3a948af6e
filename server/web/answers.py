"""What all answers over HTTP have in common: JSON, CORS, and how a refusal or a fault is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import orjson
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["NOT_CACHED", "FaultBarrier", "JsonResponse", "NotFound", "cors", "refuse"]

NOT_CACHED: Final = {"cache-control": "no-cache"}
"""Header of answers that are of the moment."""

log = get_logger(__name__)


def cors(origins: Sequence[str]) -> Middleware:
    """Return the middleware that has browsers let pages of these origins read; ``*``: of any."""
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "HEAD"],
        allow_headers=["Authorization", "If-None-Match", "If-Range", "Range"],
        expose_headers=[
            "Accept-Ranges",
            "Camera-Run",
            "Content-Length",
            "Content-Range",
            "ETag",
            "Retry-After",
            "WWW-Authenticate",
        ],
        max_age=86_400,
    )


class JsonResponse(Response):
    """A value as JSON, not to be kept by caches: all these answers are of the moment."""

    media_type = "application/json"

    def __init__(
        self, value: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(value, status, {**NOT_CACHED, **(headers or {})})

    def render(self, content: object) -> bytes:
        """Encode the value."""
        return orjson.dumps(content)


class NotFound:
    """The ASGI endpoint of all other paths, for HTTP and for WebSocket alike."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request."""
        await JsonResponse({"error": "no such path"}, 404)(scope, receive, send)


async def refuse(_: Request, error: Exception) -> Response:
    """Say in JSON why a request is refused."""
    refusal = cast("HTTPException", error)
    return JsonResponse({"error": refusal.detail.lower()}, refusal.status_code, refusal.headers)


class FaultBarrier:
    """Middleware: a fault in an answer is logged here, and told as no more than that.

    Starlette's own would answer too, but then raise the error again, for which the server closes
    a connection that it has just offered to keep.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; WebSockets have the server's own way to end."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_on(event: Message) -> None:
            nonlocal started
            started = True
            await send(event)

        try:
            await self._app(scope, receive, send_on)
        except Exception:
            if started:
                raise
            log.exception("request_failed", path=scope["path"])
            await JsonResponse({"error": "internal server error"}, 500)(scope, receive, send)
