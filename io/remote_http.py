"""GET over HTTP for readers of a camera's history: one connection a request, plain errors.

The standard library's client, with what it leaves out: a compressed answer is unfolded in bounded
memory, and one that broke off is told from one that has ended.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, cast
from urllib.parse import quote, urlencode, urlsplit

import orjson
import zstandard

from marketcam.io.lines import MAX_WINDOW_BYTES
from marketcam.io.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

__all__ = ["Address", "Answer", "BrokenTransferError", "HttpStatusError", "RemoteStoreError"]

_PIECE: Final = 256 * 1024
_MOST_ERROR_BYTES: Final = 4096
_MOST_JSON_BYTES: Final = 256 * 2**20
"""A list of a million segments is as long."""


class RemoteStoreError(StoreError):
    """A history behind a URL cannot be had; names the URL and what happened."""


class HttpStatusError(RemoteStoreError):
    """The server refused.

    Attributes:
        status: its HTTP status.
        reason: what it said.
    """

    def __init__(self, url: str, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"{url}: status {status}: {reason}")


class BrokenTransferError(RemoteStoreError):
    """An answer broke off, or none came."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a camera's HTTP is, and how to talk to it.

    Attributes:
        url: ``http://host:port`` or ``https://…``, perhaps with a path before the camera's own.
        timeout: seconds without a byte after which a request has failed.
        headers: sent with every request, such as an ``Authorization``.
        tls: how to check an ``https`` server; None: against the system's authorities.
    """

    url: str
    timeout: float = 30.0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError as error:
            raise StoreError(f"not an address: {self.url!r:.120}: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StoreError(f"address must be http://… or https://…, got {self.url!r:.120}")
        if not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise StoreError(f"address must be of printable ASCII without spaces, got {self.url!r}")
        if parts.query or parts.fragment or parts.username is not None:
            raise StoreError(
                f"address must have no query, fragment or user, got {_without_user(self.url)!r}"
            )

    def url_of(self, path: str, query: Mapping[str, object]) -> str:
        """Return the whole URL of a path, with the options that are not None."""
        given = {name: value for name, value in query.items() if value is not None}
        asked = f"?{urlencode(given)}" if given else ""
        return f"{self.url.rstrip('/')}{quote(path)}{asked}"

    def get(self, path: str, query: Mapping[str, object] | None, media_type: str) -> Answer:
        """Ask for a path; the answer has been begun, and is to be closed.

        Raises:
            HttpStatusError: it is refused.
            RemoteStoreError: what comes is no `media_type`, or in a form that cannot be trusted.
            BrokenTransferError: the server cannot be reached, or does not answer.
        """
        url = self.url_of(path, query or {})
        connection = self._connection()
        try:
            parts = urlsplit(url)
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request("GET", target, headers={**_HEADERS, **self.headers})
            answer = Answer(url, connection, connection.getresponse())
            answer.check(media_type)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise BrokenTransferError(f"{url}: {_said(error)}") from error
        except BaseException:
            connection.close()
            raise
        return answer

    def json(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        """Return the JSON value that a path answers.

        Raises:
            RemoteStoreError: as `get`, or the answer is no JSON.
        """
        with self.get(path, query, "application/json") as answer:
            text = bytearray()
            for piece in answer.pieces():
                text += piece
                if len(text) > _MOST_JSON_BYTES:
                    raise RemoteStoreError(f"{answer.url}: more than {_MOST_JSON_BYTES} bytes")
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise RemoteStoreError(f"{answer.url}: not JSON: {bytes(text[:60])!r}") from error

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self.timeout)
        context = self.tls or ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context)


_HEADERS: Final = {"Accept-Encoding": "zstd", "User-Agent": "marketcam"}


class Answer:
    """An answer whose body is still to come. Closing it ends the transfer.

    Attributes:
        url: what was asked.
    """

    def __init__(
        self, url: str, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self.url = url
        self._connection = connection
        self._response = response
        self._closed = False
        self._coding = response.getheader("Content-Encoding", "identity").lower()

    def check(self, media_type: str) -> None:
        """Raise for an answer that is none: refused, or in a form that cannot be trusted."""
        response = self._response
        if response.status != http.client.OK:
            raise HttpStatusError(self.url, response.status, self._reason())
        if response.length is None and not response.chunked:
            raise RemoteStoreError(
                f"{self.url}: the answer has no length, so that nobody could tell whether it ended"
            )
        found = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
        if found != media_type:
            raise RemoteStoreError(f"{self.url}: answered {found!r:.60}, not {media_type}")
        if self._coding not in ("identity", "zstd"):
            raise RemoteStoreError(f"{self.url}: asked for zstd, answered {self._coding!r:.40}")

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes, unfolded, at most 256 KiB a piece.

        Raises:
            BrokenTransferError: it broke off.
            RemoteStoreError: it is not what its header says.
        """
        try:
            yield from self._unfolded() if self._coding == "zstd" else self._raw()
        except (OSError, http.client.HTTPException) as error:
            raise BrokenTransferError(f"{self.url}: {_said(error)}") from error
        except zstandard.ZstdError as error:
            raise RemoteStoreError(f"{self.url}: damaged: {error}") from error

    def close(self) -> None:
        """Let go of the connection; more than once is fine."""
        self._closed = True
        self._response.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _raw(self) -> Iterator[bytes]:
        while piece := self._read(_PIECE):
            yield piece

    def _unfolded(self) -> Iterator[bytes]:
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        with decompressor.stream_reader(
            cast("BinaryIO", _Readable(self._read)), read_across_frames=True
        ) as reader:
            while piece := reader.read1(_PIECE):
                yield piece

    def _read(self, size: int) -> bytes:
        """Return what has come, b"" at the end; the end has to be the one that was announced."""
        if self._closed:
            raise RemoteStoreError(f"{self.url}: was closed before its end")
        piece = self._response.read1(size)
        if not piece and self._response.length:
            raise http.client.IncompleteRead(b"", self._response.length)
        return piece

    def _reason(self) -> str:
        """Return what the server says of its refusal."""
        text = b"" if self._coding != "identity" else self._response.read(_MOST_ERROR_BYTES)
        try:
            reason = str(orjson.loads(text)["error"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            reason = self._response.getheader("Location") or self._response.reason
        return " ".join(reason.split())[:400]


class _Readable:
    """What a decompressor reads from: as much as has come, instead of as much as it asks for."""

    def __init__(self, read: Any) -> None:
        self.read = read


def _said(error: Exception) -> str:
    """Return what a foreign error says, in lower case; its name where it says nothing."""
    if isinstance(error, TimeoutError):
        return "nothing came before the timeout"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer broke off"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(text.split())
    return text[:1].lower() + text[1:] if text else type(error).__name__


def _without_user(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
