"""Gates in front of endpoints: they let in who shows the token, and endpoints do not know of them.

Over HTTP, and by programs that open a WebSocket, the token is shown as ``Authorization: Bearer
TOKEN``. The WebSocket of a browser cannot send headers, so a connection that shows none is taken,
and has to say ``{"type":"auth","token":"TOKEN"}`` first. It is told nothing before that, and then
``{"type":"auth","ok":true}``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
from starlette.datastructures import Headers

from marketcam.server.security.tokens import is_token
from marketcam.server.stream.connection import MESSAGE_BYTES
from marketcam.server.web.answers import JsonResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from marketcam.server.security.origins import Origins
    from marketcam.server.security.refusals import Refusals

__all__ = ["SEAT", "Gate", "TokenRequired"]

SEAT: Final = "marketcam.seat"
"""Name of the ASGI extension with what counts the connection: its `Seat`, or the `GuardedProtocol`
of a WebSocket."""

_POLICY_VIOLATION: Final = 1008
_BEARER: Final = "bearer "
_OK: Final = '{"type":"auth","ok":true}'


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of one WebSocket endpoint; an ASGI endpoint itself.

    Attributes:
        endpoint: whom it guards. It finds the connection as if it had just come.
        token: what has to be shown; None: nothing.
        origins: of which pages connections are taken.
        seconds: how long a page may take to show the token.
        message_bytes: messages of those who are let in may be as long.
        refusals: told of those who are not.
        any_rate: they may come as fast as they do: it is for the endpoint to slow them.
    """

    endpoint: ASGIApp
    token: SecretStr | None
    origins: Origins
    seconds: float
    message_bytes: int
    refusals: Refusals
    any_rate: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on, or refuse it."""
        headers = Headers(scope=scope)
        if not _has_room(scope):
            await _refuse(429, "too many connections from your address", scope, receive, send)
        elif not all(map(self.origins.allow, headers.getlist("origin"))):
            self.refusals.tell("origin", scope.get("client"), path=scope["path"])
            await _refuse(403, "origin not allowed", scope, receive, send)
        elif self.token is None:
            await self._pass_on(scope, receive, send)
        elif (shown := _bearer(headers)) is None:
            await self._ask(self.token, scope, receive, send)
        elif is_token(shown, self.token):
            await self._pass_on(scope, receive, send)
        else:
            self.refusals.tell("token", scope.get("client"), path=scope["path"])
            await _refuse(401, "wrong token", scope, receive, send)

    async def _ask(self, token: SecretStr, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the connection of one who has shown nothing yet, and wait for the token."""
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        try:
            async with asyncio.timeout(self.seconds):
                event = await receive()
        except TimeoutError:
            await _close(f"no token within {self.seconds:g} s", send)
            return
        if event["type"] == "websocket.disconnect":
            return
        shown = _token_in(event)
        if not is_token(shown, token):
            self.refusals.tell("token", scope.get("client"), path=scope["path"])
            await _close("wrong token" if shown else "no token in the first message", send)
            return
        await send({"type": "websocket.send", "text": _OK})
        opened = _Opened(receive, send)
        extensions = dict(scope.get("extensions", {}))
        extensions.pop("websocket.http.response", None)  # it is too late for one
        await self._pass_on({**scope, "extensions": extensions}, opened.receive, opened.send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        seat = scope.get("extensions", {}).get(SEAT)
        if seat is not None:
            seat.admit(self.message_bytes if self.any_rate else None)
        with suppress(ConnectionError):  # the connection has ended meanwhile, which is no fault
            await self.endpoint({**scope, MESSAGE_BYTES: self.message_bytes}, receive, send)


class _Opened:
    """A connection that is open already, for an endpoint that expects to open it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._was_announced = False

    async def receive(self) -> Message:
        """Return what comes, after the event that begins a connection."""
        if not self._was_announced:
            self._was_announced = True
            return {"type": "websocket.connect"}
        return await self._receive()

    async def send(self, event: Message) -> None:
        """Send, but for the acceptance, which the peer has."""
        if event["type"] != "websocket.accept":
            await self._send(event)


@dataclass(frozen=True, slots=True)
class TokenRequired:
    """Middleware: requests over HTTP have to show the token. WebSockets have gates of their own.

    Attributes:
        app: what is behind it.
        token: what has to be shown; None: nothing.
        refusals: told of those who show another one.
        is_open: says of a request that it is open to all.
    """

    app: ASGIApp
    token: SecretStr | None
    refusals: Refusals
    is_open: Callable[[Scope], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and not _has_room(scope):
            await _refuse(429, "too many connections from your address", scope, receive, send)
            return
        if scope["type"] == "http" and self.token is not None and not self.is_open(scope):
            shown = _bearer(Headers(scope=scope))
            if shown is None:
                await _refuse(401, "a token is needed", scope, receive, send)
                return
            if not is_token(shown, self.token):
                self.refusals.tell("token", scope.get("client"), path=scope["path"])
                await _refuse(401, "wrong token", scope, receive, send)
                return
        await self.app(scope, receive, send)


def _has_room(scope: Scope) -> bool:
    """Return whether the address that a proxy speaks for may have one more connection."""
    seat, client = scope.get("extensions", {}).get(SEAT), scope.get("client")
    return seat is None or client is None or seat.speak_for(client[0])


def _bearer(headers: Headers) -> str | None:
    """Return the token of the header; None without one, empty where it is in no form we know."""
    given = headers.getlist("authorization")
    if not given:
        return None
    text = given[0]
    is_bearer = len(given) == 1 and text[: len(_BEARER)].lower() == _BEARER
    return text[len(_BEARER) :].strip() if is_bearer else ""


def _token_in(event: Message) -> str:
    """Return the token of a first message; empty where it has none."""
    try:
        message = orjson.loads(event.get("text") or b"")
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(message, dict) or message.get("type") != "auth":
        return ""
    token = message.get("token")
    return token if isinstance(token, str) else ""


async def _refuse(status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse, with an HTTP answer; a WebSocket whose server cannot have one is closed."""
    if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
        headers = {"www-authenticate": 'Bearer realm="marketcam"'} if status == 401 else None
        await JsonResponse({"error": reason}, status, headers)(scope, receive, send)
        return
    await receive()  # websocket.connect
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})


async def _close(reason: str, send: Send) -> None:
    with suppress(OSError):  # the peer has gone meanwhile
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})
