"""uvicorn's WebSocket protocol, with an end to every closing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from marketcam.server.stream import CLOSE_SECONDS

if TYPE_CHECKING:
    from typing import Any

__all__ = ["StreamProtocol"]


class StreamProtocol(WebSocketsSansIOProtocol):
    """Waits for the answer to a close frame, and cuts a connection whose peer does not read.

    uvicorn closes a transport gracefully: what is in its buffer is sent first. To a peer that has
    stopped reading that never happens, and the connection stays, at shutdown too. And it counts
    a connection as done once the close frame is written, when cutting the connection may still
    take the frame from the peer; here `send` returns when the peer has answered.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lost = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the connection is gone."""
        super().connection_lost(exc)
        self._lost.set()

    async def run_asgi(self) -> None:
        """Run the application, and see to it that the connection ends after it."""
        await super().run_asgi()
        await self._wait_until_lost()
        self.transport.abort()

    async def send(self, message: Any) -> None:
        """Take a message from the application.

        Raises:
            ClientDisconnected: the connection has ended, or is being closed by the other side.
        """
        try:
            await super().send(message)
        except RuntimeError as error:
            if self.close_sent:  # by the protocol itself, so the application could not know
                raise ClientDisconnected from error
            raise
        if message["type"] == "websocket.close":
            await self._wait_until_lost()

    async def _wait_until_lost(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            pass
