"""The WebSocket endpoint: a hub's client on one side, an ASGI connection on the other.

`send` waits while the peer does not read (uvicorn pauses it when the transport's buffer is
full), so a slow peer blocks its own task and nothing else.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from marketcam.server.messages import PONG

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from marketcam.server.hub import Client, Hub

__all__ = ["CLOSE_SECONDS", "MAX_CLIENT_MESSAGE", "Stream"]

MAX_CLIENT_MESSAGE: Final = 4096
"""Bytes of a message from a client at most; a longer one ends its connection."""

CLOSE_SECONDS: Final = 2.0
"""How long a client may take to be told that its connection ends, before it is cut."""

_TOO_LARGE: Final = 1009


@dataclass(frozen=True, slots=True)
class Stream:
    """The ASGI endpoint of `/ws/stream`.

    Attributes:
        hub: where the messages come from.
        heartbeat_seconds: a client that was sent nothing for so long is sent a heartbeat.
        last_t: gives the last tick taken in, or None.
    """

    hub: Hub
    heartbeat_seconds: float
    last_t: Callable[[], int | None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end."""
        del scope
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        client = self.hub.join()
        try:
            await _Connection(self, client, receive, send).run()
        finally:
            self.hub.leave(client)


class _Connection:
    """One accepted connection. It ends when the peer goes, or when the client is closed."""

    def __init__(self, stream: Stream, client: Client, receive: Receive, send: Send) -> None:
        self._stream = stream
        self._client = client
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._spoke_at = self._loop.time()

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
        while True:
            texts = self._client.take()
            for text in texts:
                await self._say(text)
            if not texts:
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

    async def _say(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})
        self._spoke_at = self._loop.time()

    async def _close(self, code: int, reason: str) -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
