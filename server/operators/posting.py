"""One POST over HTTP/1.1, from the event loop, bounded in time and in what is read of the answer.

h11 speaks the protocol here as it does in the server. Nothing is followed that an answer names: a
redirect is an answer like any other, and no proxy is asked for.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple, Self
from urllib.parse import quote, unquote, urlsplit

import h11

from marketcam.server.errors import ConfigurationError, ServerError

__all__ = ["POST_SECONDS", "PostError", "Posted", "Target", "post"]

POST_SECONDS: Final = 10.0
"""How long one attempt may take, from the name that is looked up to the status that comes back."""

_PIECE: Final = 16 * 1024
_PORTS: Final = {"http": 80, "https": 443}
_ALREADY_QUOTED: Final = "/%:=&?~+!$,;'@()*[]"


class PostError(ServerError):
    """No answer came; says why, and names neither the address nor anything of the body."""


class Posted(NamedTuple):
    """An answer.

    Attributes:
        status: its status.
        retry_after: the seconds after which it asks to be tried again, where it says so.
    """

    status: int
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post to. What is not the place itself may be a secret, and is never shown.

    Attributes:
        host: name or address.
        port: the port.
        path: path and query.
        headers: what the address itself asks for, such as a user.
        tls: how the certificate is checked; None without TLS.
    """

    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...]
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str) -> Self:
        """Read an address.

        Raises:
            ConfigurationError: it is none.
        """
        refusal = ConfigurationError("IG_WEBHOOK_URL must be an http or https address with a host")
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").encode("idna").decode()
            port = parts.port
        except ValueError:
            raise refusal from None
        if parts.scheme not in _PORTS or not host:
            raise refusal
        path = quote(parts.path or "/", _ALREADY_QUOTED)
        query = f"?{quote(parts.query, _ALREADY_QUOTED)}" if parts.query else ""
        authority = f"[{host}]" if ":" in host else host
        headers = [("Host", authority if port is None else f"{authority}:{port}")]
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            headers.append(("Authorization", f"Basic {b64encode(user).decode()}"))
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        return cls(host, port or _PORTS[parts.scheme], path + query, tuple(headers), tls)


async def post(target: Target, body: bytes) -> Posted:
    """Send a JSON body and return what is answered, as soon as the status is known.

    Raises:
        PostError: no answer came, or none that is HTTP.
    """
    try:
        async with asyncio.timeout(POST_SECONDS):
            return await _post(target, body)
    except TimeoutError:
        raise PostError(f"no answer within {POST_SECONDS:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise PostError(f"certificate refused: {error.verify_message}") from error
    except OSError as error:
        raise PostError(_reason(error)) from error
    except h11.RemoteProtocolError as error:
        raise PostError("what answers does not speak HTTP") from error


async def _post(target: Target, body: bytes) -> Posted:
    reader, writer = await asyncio.open_connection(target.host, target.port, ssl=target.tls)
    try:
        connection = h11.Connection(h11.CLIENT)
        request = h11.Request(
            method="POST",
            target=target.path,
            headers=[
                *target.headers,
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("User-Agent", "marketcam"),
                ("Connection", "close"),
            ],
        )
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        with suppress(ConnectionError):  # one that refuses may answer before it has read it all
            await writer.drain()
        return _posted(await _response(connection, reader))
    finally:
        writer.transport.abort()


async def _response(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Response:
    """Return the head of the answer. h11 bounds it."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_PIECE))
        elif isinstance(event, h11.Response):
            return event
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("no response")


def _posted(response: h11.Response) -> Posted:
    after = dict(response.headers).get(b"retry-after", b"")
    return Posted(response.status_code, float(after[:9]) if after.isdigit() else None)


def _reason(error: OSError) -> str:
    """Say what is wrong without the address, which the library's text may have."""
    if isinstance(error, socket.gaierror):
        return "the host's name is not known"
    if isinstance(error, ssl.SSLError):
        return "the other side does not speak TLS as it should"
    return os.strerror(error.errno).lower() if error.errno else "the connection broke off"
