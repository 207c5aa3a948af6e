"""The connection of a publisher: sends what waits, hears what became of it, and mends itself."""

from __future__ import annotations

import asyncio
import random
import ssl
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    WebSocketException,
)
from websockets.frames import CloseCode

from marketcam.io.publisher_errors import PublishError
from marketcam.io.publisher_outbox import IngestRun

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from marketcam.io.publisher_address import IngestAddress
    from marketcam.io.publisher_outbox import Outbox

__all__ = ["Link", "Patience"]

_MESSAGE_BYTES: Final = 256 * 1024
"""Small ticks leave together up to this; what a system call costs is then shared by many."""

_MOST_ANSWER_BYTES: Final = 64 * 1024
_OCCUPIED: Final = 409
_ENDED: Final = 410
_LATER: Final = frozenset({408, _OCCUPIED, 425, 429})
_FINAL_CODES: Final = frozenset(
    {
        CloseCode.PROTOCOL_ERROR,
        CloseCode.UNSUPPORTED_DATA,
        CloseCode.INVALID_DATA,
        CloseCode.POLICY_VIOLATION,
        CloseCode.MESSAGE_TOO_BIG,
    }
)
"""What would be answered in the same way again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a link waits for what, in seconds.

    Attributes:
        reach: until a server that cannot be reached, or takes nothing, is given up.
        occupied: until it is given up that another producer is connected. The server lets go of
            one that gives no sign of life within some seconds: our own that broke, perhaps.
        handshake: for a connection.
        silence: without a byte, after which the connection is taken for broken. The server sends
            pings more often, every 5 s, or 20 under a plain uvicorn.
        first_pause: before the first attempt to connect again; each next one is twice as long.
        longest_pause: the longest of them.
    """

    reach: float
    occupied: float = 15.0
    handshake: float = 10.0
    silence: float = 30.0
    first_pause: float = 0.1
    longest_pause: float = 5.0


class Link:
    """Keeps a connection to the camera until all is said or nothing helps.

    Args:
        address: where it connects to.
        outbox: what it sends, and whom it tells of acknowledgements, refusals and failure.
        patience: see there.
    """

    def __init__(self, address: IngestAddress, outbox: Outbox, patience: Patience) -> None:
        self._address = address
        self._outbox = outbox
        self._patience = patience
        self._failing_since: float | None = None
        self._occupied_since: float | None = None
        self._said_end = False
        self._pauses = 0

    async def run(self) -> None:
        """Connect, again and again, until the end was said; then stop the outbox.

        It never raises: a failure is the outbox's, for whoever publishes.
        """
        try:
            await self._keep_connected()
        except asyncio.CancelledError:
            self._outbox.stop()
        except PublishError as error:
            self._outbox.stop(error)
        except BaseException as error:
            self._outbox.stop(PublishError(f"{self._address.uri}: {type(error).__name__}: {error}"))
            raise
        else:
            self._outbox.stop()
        finally:
            self._outbox.on_news(None)

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._session()
            except (OSError, WebSocketException) as error:
                if self._said_end and _was_answered(error):
                    return
                self._give_up_in_the_end(error, loop.time())
            else:
                return
            await asyncio.sleep(self._pause())

    def _give_up_in_the_end(self, error: Exception, now: float) -> None:
        """Raise where trying again is of no use, or was tried for long enough."""
        if self._failing_since is None:
            self._failing_since = now
        if not _is_occupied(error):
            self._occupied_since = None
        elif self._occupied_since is None:
            self._occupied_since = now
        said = f"{self._address.uri}: {_said(error)}"
        if _is_final(error):
            raise PublishError(said) from error
        failing, since = now - self._failing_since, self._occupied_since
        occupied = since is not None and now - since >= self._patience.occupied
        if occupied or failing >= self._patience.reach:
            raise PublishError(f"{said} (tried for {failing:.0f} s)") from error

    def _pause(self) -> float:
        """Return how long to wait: longer each time, and not the same for all who wait."""
        doubled = self._patience.first_pause * 2.0 ** min(self._pauses, 20)
        longest = min(self._patience.longest_pause, doubled)
        self._pauses += 1
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def _made_progress(self) -> None:
        self._failing_since = None
        self._pauses = 0

    async def _session(self) -> None:
        """Connect once and send until the end was said.

        Raises:
            OSError, WebSocketException: no connection, or a broken one.
            PublishError: the server does not speak as it should.
        """
        async with self._connection() as opened:
            connection = cast("_HeardConnection", opened)
            await _first_of(self._greet(connection), self._watch(connection))
            self._occupied_since = None
            if self._outbox.is_empty:
                self._made_progress()
            await _first_of(self._hear(connection), self._send(connection), self._watch(connection))

    async def _greet(self, connection: _HeardConnection) -> None:
        """Hear what run it is.

        That may take long, though the server gives signs of life: what came over an earlier
        connection is dealt with first, by a camera that is perhaps slow.
        """
        greeting = _message(await connection.recv())
        self._outbox.begin(_run_of(greeting, self._address))

    def _connection(self) -> connect:
        return connect(
            self._address.uri,
            additional_headers={"Authorization": f"Bearer {self._address.token}"},
            user_agent_header="marketcam",
            create_connection=_HeardConnection,
            compression=None,
            proxy=None,
            open_timeout=self._patience.handshake,
            # A server that makes us wait does not read, and would not answer pings; it sends its
            # own, so that silence is what tells a broken connection.
            ping_interval=None,
            close_timeout=1.0,
            max_size=_MOST_ANSWER_BYTES,
            ssl=(self._address.tls or True) if self._address.is_secure else None,
        )

    async def _send(self, connection: ClientConnection) -> None:
        news = asyncio.Event()
        loop = asyncio.get_running_loop()
        while True:
            data = self._outbox.take(_MESSAGE_BYTES)
            if data:
                await connection.send(data)
            elif self._outbox.is_ending:
                self._said_end = True
                await connection.send('{"type":"end"}')
                return await connection.wait_closed()  # how it closed is heard beside this
            else:
                news.clear()
                self._outbox.on_news(partial(loop.call_soon_threadsafe, news.set))
                await news.wait()

    async def _hear(self, connection: ClientConnection) -> None:
        while True:
            message = _message(await connection.recv())
            kind = message.get("type")
            if kind == "ack":
                dealt_with, refused = _integer(message, "ticks"), _integer(message, "refused")
                if self._outbox.acknowledge(dealt_with, refused):
                    self._made_progress()
            elif kind == "refused":
                self._outbox.refuse(_integer(message, "tick"), str(message.get("error")))
            elif kind == "hello":
                raise PublishError("the camera greets twice")
            # Heartbeats, and what later versions say.

    async def _watch(self, connection: _HeardConnection) -> None:
        """Cut the connection when nothing was heard for too long."""
        loop = asyncio.get_running_loop()
        while True:
            left = connection.heard_at + self._patience.silence - loop.time()
            if left <= 0:
                connection.transport.abort()
                raise TimeoutError(f"nothing was heard for {self._patience.silence:g} s")
            await asyncio.sleep(left)


class _HeardConnection(ClientConnection):
    """A connection that knows when it last heard anything, pings included."""

    heard_at: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.heard_at = self.loop.time()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        super().data_received(data)


async def _first_of(*parts: Coroutine[Any, Any, None]) -> None:
    """Run parts until one ends, end the others, and raise what that one raised."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in done:
            task.result()


def _message(text: str | bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise PublishError(f"the camera sent no JSON: {text[:60]!r}") from error
    if not isinstance(message, dict):
        raise PublishError(f"the camera sent no object: {text[:60]!r}")
    return message


def _integer(message: dict[str, Any], field: str) -> int:
    value = message.get(field)
    if type(value) is not int:
        raise PublishError(
            f"the camera's {message['type']!r:.20} must hold an integer {field}, got {value!r:.60}"
        )
    return value


def _run_of(greeting: dict[str, Any], address: IngestAddress) -> IngestRun:
    if greeting.get("type") != "hello":
        raise PublishError(f"{address.uri}: greets with {greeting.get('type')!r:.40}, not hello")
    last_t = None if greeting.get("last_t") is None else _integer(greeting, "last_t")
    return IngestRun(
        source=address.source,
        run=None if greeting.get("run") is None else str(greeting["run"]),
        last_t=last_t,
        window=_integer(greeting, "window"),
        stride=_integer(greeting, "stride"),
        max_message_bytes=_integer(greeting, "max_message_bytes"),
    )


def _is_final(error: Exception) -> bool:
    """Tell whether the same would come of trying again."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return status < 500 and status not in _LATER
    if isinstance(error, ConnectionClosed):
        return error.rcvd is not None and error.rcvd.code in _FINAL_CODES
    if isinstance(error, InvalidMessage):
        return False  # the connection broke within the answer
    return isinstance(error, InvalidHandshake | ssl.SSLCertVerificationError)


def _is_occupied(error: Exception) -> bool:
    return isinstance(error, InvalidStatus) and error.response.status_code == _OCCUPIED


def _was_answered(error: Exception) -> bool:
    """Tell whether the server itself ended the connection, or knows that the source has ended."""
    if isinstance(error, ConnectionClosed):
        return error.rcvd is not None
    return isinstance(error, InvalidStatus) and error.response.status_code == _ENDED


def _said(error: Exception) -> str:
    """Return in a line what was said of a failure."""
    if isinstance(error, InvalidStatus):
        text = f"status {error.response.status_code}: {_reason(error.response.body)}"
    elif isinstance(error, ConnectionClosed):
        text = _closing(error)
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror.lower()
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())[:400].removesuffix(": ")


def _reason(body: bytes | bytearray) -> str:
    try:
        return str(orjson.loads(body)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return bytes(body[:200]).decode(errors="replace")


def _closing(error: ConnectionClosed) -> str:
    if error.rcvd is None:
        return "the connection broke"
    return f"closed with {error.rcvd.code}: {error.rcvd.reason}"
