"""The camera whose recording an edge passes on: where it is, and how it is asked."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import h11
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from marketcam.server.errors import ServerError
from marketcam.server.history.catching_up import OutOfReachError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from websockets.asyncio.client import ClientConnection

    from marketcam.server.settings import Settings

__all__ = ["Answer", "RefusedError", "UnreachableError", "Upstream"]

_PATIENCE_SECONDS: Final = 10.0
"""How long the camera may take to take a connection, and to begin an answer."""

_PIECE: Final = 64 * 1024
_MOST_HEAD_BYTES: Final = 64 * 1024


class UnreachableError(OutOfReachError):
    """The camera with the recording does not answer; the message does not say where it is."""

    def __init__(self, what: str = "cannot be reached") -> None:
        super().__init__(f"the camera with the recording {what}")


class RefusedError(ServerError):
    """The camera refuses a connection.

    Attributes:
        status: its HTTP status.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Upstream:
    """How the camera is asked.

    Attributes:
        url: its address over HTTP.
        headers: shown with every request, such as its token.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Upstream | None:
        """Return what is configured; None for nothing."""
        if settings.history is None:
            return None
        token = settings.history_token
        shown = {} if token is None else {"authorization": f"Bearer {token.get_secret_value()}"}
        return cls(settings.history.rstrip("/"), shown)

    @asynccontextmanager
    async def get(
        self, method: str, target: str, headers: Iterable[tuple[str, str]]
    ) -> AsyncIterator[Answer]:
        """Ask for a target: a path with its query; the connection is closed at the end.

        Raises:
            UnreachableError: the camera cannot be reached, or does not answer.
        """
        parts = urlsplit(self.url)
        context = ssl.create_default_context() if parts.scheme == "https" else None
        port = parts.port or (443 if context else 80)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
        except (OSError, TimeoutError) as error:
            raise UnreachableError from error
        try:
            answer = Answer(reader, writer)
            request = h11.Request(
                method=method,
                target=f"{parts.path}{target}",
                headers=[
                    ("host", parts.netloc),
                    ("connection", "close"),
                    *headers,
                    *self.headers.items(),
                ],
            )
            await answer.ask(request)
            yield answer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    @asynccontextmanager
    async def websocket(
        self, path: str, query: Mapping[str, object] | str
    ) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket; the options that are None are left out.

        Raises:
            RefusedError: the camera refuses it.
            UnreachableError: the camera cannot be reached, or does not answer.
        """
        if not isinstance(query, str):
            query = urlencode({name: value for name, value in query.items() if value is not None})
        url = f"ws{self.url.removeprefix('http')}{path}?{query}"
        try:
            connection = await connect(
                url,
                additional_headers=dict(self.headers),
                compression=None,
                max_size=None,
                open_timeout=_PATIENCE_SECONDS,
                close_timeout=1,
                proxy=None,
            )
        except InvalidStatus as error:
            raise RefusedError(error.response.status_code, _said(error.response.body)) from error
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise UnreachableError from error
        async with connection:
            yield connection


def _said(body: bytes | bytearray | None) -> str:
    """Return what the camera says of a refusal."""
    try:
        return str(orjson.loads(body or b"")["error"])[:400]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "refused"


class Answer:
    """An answer over HTTP that has begun.

    Attributes:
        status: its status.
        headers: its headers, names in lower case.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD_BYTES)

    async def ask(self, request: h11.Request) -> None:
        """Send a request, and read the head of its answer.

        Raises:
            UnreachableError: there is none.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self._writer.write(self._protocol.send(request) or b"")
                self._writer.write(self._protocol.send(h11.EndOfMessage()) or b"")
                event = await self._next()
                while isinstance(event, h11.InformationalResponse):
                    event = await self._next()
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            raise UnreachableError("does not answer") from error
        if not isinstance(event, h11.Response):
            raise UnreachableError("does not answer")
        self.status, self.headers = event.status_code, list(event.headers)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            UnreachableError: it broke off.
        """
        try:
            while not isinstance(event := await self._next(), h11.EndOfMessage):
                if not isinstance(event, h11.Data):
                    raise UnreachableError("broke off its answer")
                yield bytes(event.data)
        except (OSError, h11.ProtocolError) as error:
            raise UnreachableError("broke off its answer") from error

    async def _next(self) -> Any:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(await self._reader.read(_PIECE))
        return event
