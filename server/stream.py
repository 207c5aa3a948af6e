"""The WebSocket endpoint: a hub's client on one side, a connection on the other.

Messages go out in one of two ways. Under `StreamProtocol` the endpoint finds a `Wire` in its scope
and writes ready-made pieces to it, in turns with all other connections. Under any other server it
sends them by ASGI. Either way a peer that does not read blocks its own task and nothing else.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qs

from marketcam.server.answers import JsonResponse
from marketcam.server.hub import TRY_AGAIN_LATER
from marketcam.server.logs import get_logger
from marketcam.server.messages import ENCODINGS, PONG
from marketcam.server.writing import FairWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from marketcam.server.hub import Client, Hub
    from marketcam.server.messages import Body, Encoding
    from marketcam.server.writing import Wire

__all__ = ["CLOSE_SECONDS", "MAX_CLIENT_MESSAGE", "WIRE", "Stream"]

WIRE: Final = "marketcam.wire"
"""Name of the ASGI extension under which the server's protocol offers a `Wire`."""

MAX_CLIENT_MESSAGE: Final = 4096
"""Bytes of a message from a client at most; a longer one ends its connection."""

CLOSE_SECONDS: Final = 2.0
"""How long a client may take to read the message in hand when its connection ends, and as long to
be told of the end, before it is cut."""

_POLICY_VIOLATION: Final = 1008
_TOO_LARGE: Final = 1009

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stream:
    """The ASGI endpoint of `/ws/stream`.

    Attributes:
        hub: where the messages come from.
        heartbeat_seconds: a client that was sent nothing for so long is sent a heartbeat.
        last_t: gives the last tick taken in, or None.
        writer: shares the loop's time for writing out.
    """

    hub: Hub
    heartbeat_seconds: float
    last_t: Callable[[], int | None]
    writer: FairWriter = field(default_factory=FairWriter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end, or refuse it for what it asks for."""
        wanted = _wanted_encoding(scope)
        if wanted not in ENCODINGS:
            names = " or ".join(ENCODINGS)
            await _refuse(f"encoding must be {names}, got {wanted[:40]!r}", scope, receive, send)
            return
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        client = self.hub.join(wanted)
        try:
            await _Connection(self, client, scope, receive, send).run()
        finally:
            self.hub.leave(client)


def _wanted_encoding(scope: Scope) -> Encoding:
    """Return what the query asks for, unchecked; other options are not for us."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    return cast("Encoding", query.get("encoding", ["json"])[-1])


async def _refuse(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a connection: before the handshake where the server can, else right after it."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await JsonResponse({"error": reason}, 400)(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})


class _Connection:
    """One accepted connection. It ends when the peer goes, or when the client is closed."""

    def __init__(
        self, stream: Stream, client: Client, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._stream = stream
        self._client = client
        self._address = scope.get("client")
        self._wire: Wire | None = scope.get("extensions", {}).get(WIRE)
        if (wire := self._wire) is not None:
            client.is_held_up = lambda: wire.lacked_room
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._spoke_at = self._loop.time()
        self._speaking = asyncio.Lock()  # one message after the other, not piece by piece

    async def run(self) -> None:
        """Send and answer until one of the ends comes; then let nothing of it go on."""
        work = (
            self._send_messages(),
            self._answer(),
            self._break_silences(),
            self._client.closed.wait(),
        )
        tasks = [asyncio.create_task(part) for part in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._client.closing is not None:
                # A close frame between the fragments of a message is an error to many clients.
                await asyncio.wait(tasks[:1], timeout=CLOSE_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, OSError):  # the peer has gone
                raise end
        if self._client.closing is not None:
            await self._close(*self._client.closing)

    async def _send_messages(self) -> None:
        """Send what there is, until the client is closed."""
        while self._client.closing is None:
            bodies = self._client.take()
            for body in bodies:
                await self._say(body)
            if bodies:
                self._client.note_sent()
            else:
                await self._client.wait()

    async def _answer(self) -> None:
        while (event := await self._receive())["type"] != "websocket.disconnect":
            message = event.get("text") or event.get("bytes") or ""
            if len(message.encode() if isinstance(message, str) else message) > MAX_CLIENT_MESSAGE:
                reason = f"message too large, the limit is {MAX_CLIENT_MESSAGE} bytes"
                self._client.close(_TOO_LARGE, reason)
                return
            if message == "ping":
                await self._say(PONG)  # nothing more is read before this is out

    async def _break_silences(self) -> None:
        """Keep one timer for this client, set anew when it fires and not at every message."""
        limit = self._stream.heartbeat_seconds
        while True:
            silence = self._loop.time() - self._spoke_at
            if silence >= limit:
                self._client.break_silence(self._stream.last_t())
                silence = 0.0
            await asyncio.sleep(limit - silence)

    async def _say(self, body: Body) -> None:
        """Send a message, unless the client is closed before it has begun."""
        if not body.is_ready:
            await asyncio.to_thread(body.prepare)
        async with self._speaking:
            if self._client.closing is not None:
                return
            if self._wire is not None:
                await self._stream.writer.write(self._wire, body.pieces)
            elif body.is_text:
                await self._send({"type": "websocket.send", "text": body.text})
            else:
                await self._send({"type": "websocket.send", "bytes": body.data})
        self._spoke_at = self._loop.time()

    async def _close(self, code: int, reason: str) -> None:
        if code == TRY_AGAIN_LATER:
            log.warning("client_sent_away", client=self._address, reason=reason)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
