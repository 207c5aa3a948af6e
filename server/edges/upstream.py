"""The camera whose recording an edge passes on: where it is, and how it is asked."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import h11
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from marketcam.server.errors import ServerError
from marketcam.server.history.catching_up import OutOfReachError
from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from websockets.asyncio.client import ClientConnection

    from marketcam.server.settings import Settings

__all__ = ["Answer", "RefusedError", "UnreachableError", "Upstream"]

_PATIENCE_SECONDS: Final = 10.0
"""How long the camera may take to take a connection, and to begin an answer."""

_SILENCE_SECONDS: Final = 60.0
"""How long it may be silent within an answer: it may have to read far for what comes next."""

_PIECE: Final = 64 * 1024
_MOST_HEAD_BYTES: Final = 64 * 1024
_NOT_ADMITTED: Final = {401, 403}
_AS_IT_IS: Final = "".join(map(chr, range(0x21, 0x7F)))
"""Of what is asked for; other bytes are escaped, since HTTP has no place for them in a target."""

log = get_logger(__name__)


class UnreachableError(OutOfReachError):
    """The camera with the recording does not answer; the message does not say where it is."""

    def __init__(self, what: str = "cannot be reached") -> None:
        super().__init__(f"the camera with the recording {what}")


class RefusedError(ServerError):
    """The camera refuses what it is asked, or would: such a thing cannot be asked over HTTP.

    Attributes:
        status: the HTTP status of that.
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
        tls: how its certificate is checked; None over plain HTTP.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Upstream | None:
        """Return what is configured; None for nothing."""
        if settings.history is None:
            return None
        token = settings.history_token
        shown = {} if token is None else {"authorization": f"Bearer {token.get_secret_value()}"}
        url = settings.history.rstrip("/")
        # Made once: reading the system's authorities takes some 30 ms.
        tls = ssl.create_default_context() if urlsplit(url).scheme == "https" else None
        return cls(url, shown, tls)

    @asynccontextmanager
    async def get(
        self, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]
    ) -> AsyncIterator[Answer]:
        """Ask for a target: a path with its query; the connection is closed at the end.

        Raises:
            RefusedError: HTTP does not allow such a request.
            UnreachableError: the camera cannot be reached, does not answer, or does not admit
                this edge.
        """
        request = self._request(method, target, headers)
        parts = urlsplit(self.url)
        port = parts.port or (443 if self.tls else 80)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=self.tls)
        except (OSError, TimeoutError) as error:
            raise UnreachableError from error
        try:
            answer = Answer(reader, writer)
            await answer.ask(request)
            _check_admitted(answer.status)
            yield answer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _request(
        self, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]
    ) -> h11.Request:
        parts = urlsplit(self.url)
        named = {"host": parts.netloc, "connection": "close", **self.headers}
        own = [(name.encode(), value.encode()) for name, value in named.items()]
        try:
            return h11.Request(
                method=method,
                target=quote(parts.path.encode() + target, safe=_AS_IT_IS),
                headers=[*own, *headers],
            )
        except h11.LocalProtocolError as error:
            raise RefusedError(400, f"cannot be asked: {error}") from error

    @asynccontextmanager
    async def websocket(
        self, path: str, query: Mapping[str, object] | str
    ) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket; the options that are None are left out.

        Raises:
            RefusedError: the camera refuses it.
            UnreachableError: the camera cannot be reached, does not answer, or does not admit
                this edge.
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
                ssl=self.tls,
            )
        except InvalidStatus as error:
            _check_admitted(error.response.status_code)
            raise RefusedError(error.response.status_code, _said(error.response.body)) from error
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise UnreachableError from error
        async with connection:
            yield connection


def _check_admitted(status: int) -> None:
    """Look whether the camera takes what this edge shows; its clients have shown it nothing.

    Raises:
        UnreachableError: it does not.
    """
    if status in _NOT_ADMITTED:
        log.error("history_refused", status=status, note="is IG_HISTORY_TOKEN the camera's?")
        raise UnreachableError("refuses this edge")


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
            UnreachableError: it broke off, or was silent for too long.
        """
        while not isinstance(event := await self._next_of_body(), h11.EndOfMessage):
            yield bytes(event.data)

    async def _next_of_body(self) -> h11.Data | h11.EndOfMessage:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                event = await self._next()
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            raise UnreachableError("broke off its answer") from error
        if not isinstance(event, h11.Data | h11.EndOfMessage):
            raise UnreachableError("broke off its answer")
        return event

    async def _next(self) -> Any:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(await self._reader.read(_PIECE))
        return event
