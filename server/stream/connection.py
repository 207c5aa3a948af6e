"""A WebSocket connection as all our endpoints have it: said to, listened to, kept alive, ended.

Messages go out in one of two ways. Under `StreamProtocol` the endpoint finds a `Wire` in its scope
and writes ready-made pieces to it, in turns with all other connections. Under any other server it
sends them by ASGI. Either way a peer that does not read blocks its own task and nothing else.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from marketcam.server.logs import get_logger
from marketcam.server.stream.ending import TOO_LARGE, TRY_AGAIN_LATER
from marketcam.server.stream.messages import PONG
from marketcam.server.stream.writing import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from starlette.types import Receive, Scope, Send

    from marketcam.server.stream.direct import DirectClient
    from marketcam.server.stream.ending import Ending
    from marketcam.server.stream.messages import Body
    from marketcam.server.stream.writing import FairWriter, Wire

__all__ = [
    "CLOSE_SECONDS",
    "MAX_CLIENT_MESSAGE",
    "WIRE",
    "Connection",
    "DirectConnection",
    "ignore_message",
]

WIRE: Final = "marketcam.wire"
"""Name of the ASGI extension under which the server's protocol offers a `Wire`."""

MAX_CLIENT_MESSAGE: Final = 4096
"""Bytes of a message from a client at most; a longer one ends its connection."""

CLOSE_SECONDS: Final = 2.0
"""How long a client may take to read the message in hand when its connection ends, and as long to
be told of the end, before it is cut."""

_LOOKS: Final = 4
"""How often, within the time a peer may take nothing, it is looked whether it did."""

log = get_logger(__name__)


async def ignore_message(_: str | bytes) -> None:
    """Do nothing with what a client says."""


class Connection:
    """One accepted connection. It ends when the peer goes, or when its `Ending` is closed.

    Attributes:
        wire: where it writes to below ASGI, None where the server offers no such thing.
    """

    def __init__(self, ending: Ending, writer: FairWriter, scope: Scope, send: Send) -> None:
        self.wire: Wire | None = scope.get("extensions", {}).get(WIRE)
        self._ending = ending
        self._writer = writer
        self._address = scope.get("client")
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._spoke_at = self._loop.time()
        self._speaking = asyncio.Lock()  # one message after the other, not piece by piece

    async def run(
        self, sending: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]
    ) -> None:
        """Do all of it until one part ends, or the connection; then let nothing of it go on.

        Args:
            sending: is let finish the message in hand.
            others: are not.
        """
        work = (sending, *others, self._wait_until_closed())
        tasks = [asyncio.create_task(part) for part in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._ending.closing is not None:
                # A close frame between the fragments of a message is an error to many clients.
                await asyncio.wait(tasks[:1], timeout=CLOSE_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, OSError):  # the peer has gone
                raise end
        if self._ending.closing is not None:
            await self._close(*self._ending.closing)

    async def answer(
        self,
        receive: Receive,
        on_message: Callable[[str | bytes], Awaitable[None]] = ignore_message,
    ) -> None:
        """Answer pings and hand on what else the client says, until it goes."""
        while (event := await receive())["type"] != "websocket.disconnect":
            message = event.get("text") or event.get("bytes") or ""
            if len(message.encode() if isinstance(message, str) else message) > MAX_CLIENT_MESSAGE:
                reason = f"message too large, the limit is {MAX_CLIENT_MESSAGE} bytes"
                self._ending.close(TOO_LARGE, reason)
                return
            if message == "ping":
                await self.say(PONG)  # nothing more is read before this is out
            else:
                await on_message(message)

    async def watch_silences(self, limit: float, on_silence: Callable[[], Awaitable[None]]) -> None:
        """Call back whenever nothing was said for so many seconds.

        One timer, set anew when it fires and not at every message.
        """
        while True:
            silence = self._loop.time() - self._spoke_at
            if silence >= limit:
                await on_silence()
                silence = 0.0
            await asyncio.sleep(limit - silence)

    async def watch_progress(self, limit: float, on_stall: Callable[[], None]) -> None:
        """Call back once nothing was taken by the peer for so many seconds while more waited.

        A peer that reads slowly is none that has stopped. What counts is a piece's worth: a few
        bytes now and then would hold a place for ever.
        """
        wire = self.wire
        if wire is None:  # another server's; it judges by its own means
            await self._wait_until_closed()
            return
        taken, since = wire.taken, self._loop.time()
        while True:
            await asyncio.sleep(limit / _LOOKS)
            now = self._loop.time()
            if wire.has_room or wire.taken - taken >= PIECE_BYTES:
                taken, since = wire.taken, now
            elif now - since >= limit:
                on_stall()
                return

    async def say(self, body: Body) -> None:
        """Send a message, unless the connection is to end before it has begun."""
        if not body.is_ready:
            await asyncio.to_thread(body.prepare)
        async with self._speaking:
            if self._ending.closing is not None:
                return
            if self.wire is not None:
                await self._writer.write(self.wire, body.pieces)
            else:
                content = {"text": body.text} if body.is_text else {"bytes": body.data}
                await self._send({"type": "websocket.send", **content})
                await asyncio.sleep(0)  # a peer that takes all at once would hold the loop
        self._spoke_at = self._loop.time()

    async def _wait_until_closed(self) -> None:
        await self._ending.closed.wait()

    def _note_close(self, code: int, reason: str) -> None:
        if code == TRY_AGAIN_LATER:
            log.warning("client_sent_away", client=self._address, reason=reason)

    async def _close(self, code: int, reason: str) -> None:
        self._note_close(code, reason)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})


class DirectConnection(Connection):
    """The connection of a client that is written to directly: one task, that of its endpoint."""

    def __init__(self, client: DirectClient, writer: FairWriter, scope: Scope, send: Send) -> None:
        super().__init__(client, writer, scope, send)
        self._client = client
        self._farewell: asyncio.Task[None] | None = None

    async def live(
        self, receive: Receive, catching_up: Coroutine[Any, Any, None] | None = None
    ) -> None:
        """Answer what the client says until it goes, or is to go; catch up beside that."""
        client = self._client
        client.on_closing = self._begin_farewell
        if client.closing is not None:  # there was no place for it
            self._begin_farewell()
        before = None if catching_up is None else asyncio.create_task(catching_up)
        if before is not None:
            before.add_done_callback(self._end_at_fault)
        try:
            with suppress(OSError):  # the peer has gone
                await self.answer(receive)
        finally:
            if before is not None:
                before.cancel()
                await asyncio.wait([before])
            if self._farewell is not None:
                await self._farewell
        if before is not None and not before.cancelled():
            _raise_fault(before.exception())

    async def say(self, body: Body) -> None:
        """Send a message, unless the connection is to end before it has begun."""
        await self._client.say(body)

    def _end_at_fault(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._client.wire.abort()

    def _begin_farewell(self) -> None:
        self._farewell = asyncio.create_task(self._bid_farewell())

    async def _bid_farewell(self) -> None:
        """Tell the peer why the connection ends, after the message in hand; cut it if need be."""
        client = self._client
        assert client.closing is not None  # noqa: S101 - it is what began this
        try:
            # A close frame between the fragments of a message is an error to many clients.
            await asyncio.wait_for(client.finish(), CLOSE_SECONDS)
        except TimeoutError:
            self._note_close(*client.closing)
        else:
            await self._close(*client.closing)
        client.wire.abort()


def _raise_fault(error: BaseException | None) -> None:
    """Raise what is a fault, and not the peer's going."""
    if error is not None and not isinstance(error, OSError):
        raise error
