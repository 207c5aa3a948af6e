"""Headers of every answer, which tell browsers what its content may do: next to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COMMON", "DATA_POLICY", "PAGE_POLICY", "SafeHeaders"]

COMMON: Final = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
"""On every answer: a browser takes it for what it says it is, and tells nobody of the address."""

DATA_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The Content-Security-Policy of what is no page: opened as one, it loads and runs nothing. Its
console may ask the camera, as the README shows."""

PAGE_POLICY: Final = (
    "default-src 'none'; "
    "script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self'; "
    "img-src 'self' data: blob:; "
    "font-src 'self'; "
    "connect-src 'self'; "
    "worker-src 'self' blob:; "
    "manifest-src 'self'; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'; "
    "object-src 'none'"
)
"""The Content-Security-Policy of our pages and scripts: nothing from elsewhere, nothing in line, no
text becomes code (compiled WebAssembly may run), no other page may hold ours in a frame. For
``connect-src`` the page's own origin covers its WebSockets."""

_NOT_MODIFIED: Final = 304
"""Its headers take the place of those that the browser has kept with what it has: the policy of
these is the right one, and this answer does not know what it is about."""

_PAGES: Final = ("text/html", "text/javascript", "application/xhtml+xml", "image/svg+xml")


@dataclass(frozen=True, slots=True)
class SafeHeaders:
    """Middleware: sets the headers on all answers over HTTP, refused handshakes included.

    Attributes:
        app: what answers.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""

        async def send_on(event: Message) -> None:
            if event["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = MutableHeaders(raw=list(event["headers"]))
                headers.update(COMMON)
                if event["status"] != _NOT_MODIFIED:
                    is_page = headers.get("content-type", "").startswith(_PAGES)
                    headers["content-security-policy"] = PAGE_POLICY if is_page else DATA_POLICY
                event = {**event, "headers": headers.raw}
            await send(event)

        await self.app(scope, receive, send if scope["type"] == "lifespan" else send_on)
