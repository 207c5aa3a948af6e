"""`marketcam serve`: the application on a port of its own, from the socket to the exit code.

In this order: the address is bound, so that a port in use is told before anything is touched; the
rig starts (source, recovery, compiled kernels); only then the port is listened at. Whoever
connects before that is refused, and whoever is let in finds the camera running.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import uvicorn
import uvloop

from marketcam.server.application import create_app
from marketcam.server.errors import ConfigurationError, ServerError
from marketcam.server.ingest.link import IngestProtocol
from marketcam.server.logs import get_logger
from marketcam.server.signals import StopSignals
from marketcam.server.stream.connection import MAX_CLIENT_MESSAGE
from marketcam.server.web.protocol import RequestProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marketcam.server.application import CameraApp
    from marketcam.server.settings import Settings

__all__ = ["Listening", "announce", "run"]

DOWNLOAD_SECONDS: Final = 5
"""How long requests that are being answered may go on when the server stops."""

PING_SECONDS: Final = 20.0
"""Time between WebSocket pings, which keep idle connections open on their way through NATs."""

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""

_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that has begun to listen.

    Attributes:
        host: what it listens at, as configured.
        port: the port, also where the configured one was 0.
        tls: whether it speaks TLS.
        app: the application.
        stop: ends it, in order; callable from any thread.
    """

    host: str
    port: int
    tls: bool
    app: CameraApp
    stop: Callable[[], None]

    @property
    def url(self) -> str:
        """Address of the HTTP side."""
        return f"http{'s' * self.tls}://{self._authority}"

    @property
    def stream_url(self) -> str:
        """Address of the WebSocket."""
        return f"ws{'s' * self.tls}://{self._authority}/ws/stream"

    @property
    def _authority(self) -> str:
        host = _WILDCARDS.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def announce(listening: Listening) -> None:
    """Print the addresses to open."""
    print(f"listening on {listening.url}")
    print(f"  stream   {listening.stream_url}")
    print(f"  health   {listening.url}/health")
    print(f"  history  {listening.url}/manifest/frames", flush=True)


def run(settings: Settings, on_listening: Callable[[Listening], None] = announce) -> int:
    """Run the camera until it is told to stop; return the exit code, 0.

    Raises:
        ConfigurationError: the certificate cannot be read.
        LimitError, SourceError: what is configured has no room, or is not there.
        ServerError: the address cannot be listened at, or the run has ended at an error in its
            ticks.
        MarketCameraError, OSError: a part cannot start; names what and why.
    """
    with ExitStack() as stack:
        sockets = _bind(settings.host, settings.port, stack)
        app = create_app(settings)
        server = _Server(_config(settings, app))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(server, app, sockets, on_listening))
    if app.rig.pipeline.fatal:
        raise ServerError(f"the run has failed: {app.rig.pipeline.error}")
    return 0


class _Server(uvicorn.Server):
    """A uvicorn that leaves the signals to `StopSignals`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Change nothing."""
        yield

    def leave(self) -> None:
        """End `serve` soon."""
        self.should_exit = True


async def _serve(
    server: _Server,
    app: CameraApp,
    sockets: list[socket.socket],
    on_listening: Callable[[Listening], None],
) -> None:
    """Start the rig, serve until told to stop, and stop the rig, whatever happens."""
    settings = app.rig.settings
    with StopSignals(app.rig.stop, server.leave) as signals:
        await app.rig.start(partial(signals.request_stop, "run_failed"))
        try:
            _listen(sockets, settings.host)
            listening = Listening(
                settings.host,
                sockets[0].getsockname()[1],
                settings.tls_cert is not None,
                app,
                partial(signals.request_stop, "asked"),
            )
            log.info("listening", url=listening.url, stream=listening.stream_url)
            on_listening(listening)
            await server.serve(sockets)
        finally:
            await app.rig.stop()


def _config(settings: Settings, app: CameraApp) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="uvloop",
        # h11 bounds the head of a request, which httptools, though faster, does not.
        http=RequestProtocol,
        ws=IngestProtocol,
        ws_max_size=MAX_CLIENT_MESSAGE,
        # The loop only moves bytes: deflating a frame for each client would take it 100 times
        # as long as sending it.
        ws_per_message_deflate=False,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=settings.client_slow_seconds,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DOWNLOAD_SECONDS,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except OSError as error:  # an ssl.SSLError is one as well
        paths = f"IG_TLS_CERT {settings.tls_cert} and IG_TLS_KEY {settings.tls_key}"
        raise ConfigurationError(f"cannot use {paths}: {_reason(error)}") from error
    return config


def _bind(host: str, port: int, stack: ExitStack) -> list[socket.socket]:
    """Bind every address of a host, to one port, without listening yet."""
    sockets = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address[0], port, *address[2:]))
            port = sock.getsockname()[1]
            sockets.append(sock)
    except (OSError, UnicodeError) as error:
        raise ServerError(f"cannot listen at {host}:{port}: {_reason(error)}") from error
    return sockets


def _listen(sockets: list[socket.socket], host: str) -> None:
    """Listen; two processes can bind an address, and the second to listen is refused only here."""
    try:
        for sock in sockets:
            sock.listen(BACKLOG)
    except OSError as error:
        port = sockets[0].getsockname()[1]
        raise ServerError(f"cannot listen at {host}:{port}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return (reason or str(error)).lower()
