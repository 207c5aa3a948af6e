"""`marketcam serve`: the application on a port of its own, from the socket to the exit code.

In this order: the address is bound, so that a port in use is told before anything is touched; the
rig starts (source, recovery, compiled kernels); only then the port is listened at. Whoever
connects before that is refused, and whoever is let in finds the camera running.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn
import uvloop

from marketcam.server.application import create_app
from marketcam.server.edges.application import create_edge
from marketcam.server.errors import ConfigurationError, ServerError
from marketcam.server.logs import get_logger
from marketcam.server.operators.service_manager import ServiceManager
from marketcam.server.operators.supervision import Supervision
from marketcam.server.security.addresses import Proxies
from marketcam.server.security.bounds import Bounds
from marketcam.server.security.descriptors import room_for
from marketcam.server.security.seats import Seats
from marketcam.server.security.tls import Doorway, tls_context
from marketcam.server.security.websocket import GuardedProtocol
from marketcam.server.signals import StopSignals
from marketcam.server.sockets import BACKLOG, bind_all, listen_all, reason_of
from marketcam.server.web.protocol import RequestProtocol

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator

    from marketcam.server.application import CameraApp
    from marketcam.server.edges.application import EdgeApp
    from marketcam.server.security.refusals import Refusals
    from marketcam.server.security.seats import Seat
    from marketcam.server.settings import Settings

__all__ = ["Listening", "announce", "announce_edge", "run", "run_edge"]

DOWNLOAD_SECONDS: Final = 5
"""How long requests that are being answered may go on when the server stops."""

PING_SECONDS: Final = 20.0
"""Time between WebSocket pings, which keep idle connections open on their way through NATs."""

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
    app: CameraApp | EdgeApp
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
    print(f"  viewer   {listening.url}/viewer/")
    print(f"  stream   {listening.stream_url}")
    print(f"  health   {listening.url}/health")
    print(f"  history  {listening.url}/manifest/frames", flush=True)


def announce_edge(listening: Listening) -> None:
    """Print the addresses to open at an edge."""
    print(f"listening on {listening.url}")
    print(f"  viewer   {listening.url}/viewer/")
    print(f"  stream   {listening.stream_url}")
    print(f"  health   {listening.url}/health", flush=True)


def run_edge(settings: Settings, on_listening: Callable[[Listening], None] = announce_edge) -> int:
    """Run an edge until it is told to stop; return the exit code, 0.

    Raises:
        ConfigurationError: the certificate cannot be read, or NATS cannot be used so.
        ServerError: the address cannot be listened at.
        MarketCameraError, OSError: a part cannot start; names what and why.
    """
    return _run(settings, create_edge, on_listening)


def run(settings: Settings, on_listening: Callable[[Listening], None] = announce) -> int:
    """Run the camera until it is told to stop; return the exit code, 0.

    Raises:
        ConfigurationError: the certificate cannot be read.
        LimitError, SourceError: what is configured has no room, or is not there.
        ServerError: the address cannot be listened at, or the run has ended at an error in its
            ticks.
        MarketCameraError, OSError: a part cannot start; names what and why.
    """
    return _run(settings, create_app, on_listening)


def _run(
    settings: Settings,
    create: Callable[[Settings], CameraApp | EdgeApp],
    on_listening: Callable[[Listening], None],
) -> int:
    with ExitStack() as stack:
        sockets = bind_all(settings.host, settings.port, stack)
        app = create(settings)
        server = _Server(_config(settings, app), settings, app.rig.refusals)
        app.rig.seats = server.seats
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(server, app, sockets, on_listening))
    if app.rig.failure is not None:
        raise ServerError(f"the run has failed: {app.rig.failure}")
    return 0


class _Server(uvicorn.Server):
    """A uvicorn that gives out seats, and leaves the signals to `StopSignals`."""

    def __init__(self, config: uvicorn.Config, settings: Settings, refusals: Refusals) -> None:
        """Be ready to listen.

        Raises:
            ConfigurationError: the certificate cannot be read.
        """
        super().__init__(config)
        self._settings = settings
        self._refusals = refusals
        self._bounds = Bounds.of(settings)
        self._tls = _tls(settings)
        self.servers: list[Any] = []
        self.seats = Seats(
            room_for(settings.max_connections),
            settings.max_connections_per_address,
            Proxies.of(settings.trusted_proxies),
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; a connection has its seat before it has said anything, TLS included."""
        await self.lifespan.startup()
        for sock in sockets or ():
            self.servers.append(await self._door(sock))
        self.started = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Have SIGHUP read the certificate again, where there is one; change nothing else."""
        is_reloadable = (
            self._tls is not None and threading.current_thread() is threading.main_thread()
        )
        loop = asyncio.get_running_loop()
        if is_reloadable:
            loop.add_signal_handler(signal.SIGHUP, self._reload_certificate)
        try:
            yield
        finally:
            if is_reloadable:
                loop.remove_signal_handler(signal.SIGHUP)

    def leave(self) -> None:
        """End `serve` soon."""
        self.should_exit = True

    def _protocol(self, seat: Seat | None = None) -> asyncio.Protocol:
        return RequestProtocol(
            self.config,
            self.server_state,
            self.lifespan.state,
            seats=self.seats,
            bounds=self._bounds,
            refusals=self._refusals,
            seat=seat,
        )

    async def _door(self, sock: socket.socket) -> asyncio.Server | Doorway:
        if self._tls is not None:
            return Doorway(
                sock, self._tls_now, self._bounds.request_seconds, self.seats, self._protocol
            )
        loop = asyncio.get_running_loop()
        return await loop.create_server(self._protocol, sock=sock, backlog=BACKLOG)

    def _tls_now(self) -> ssl.SSLContext:
        if self._tls is None:
            raise ServerError("TLS is off")
        return self._tls

    def _reload_certificate(self) -> None:
        """Speak TLS with a new certificate, if it can be used, from the next connection on.

        Loaded into the context in use, a certificate whose key is not its own would take the
        place of the one before, and no handshake would succeed.
        """
        try:
            self._tls = _tls(self._settings)
        except ConfigurationError as error:
            log.warning("certificate_not_reloaded", error=str(error))
        else:
            log.info("certificate_reloaded")


async def _serve(
    server: _Server,
    app: CameraApp | EdgeApp,
    sockets: list[socket.socket],
    on_listening: Callable[[Listening], None],
) -> None:
    """Start the rig, serve until told to stop, and stop the rig, whatever happens."""
    settings = app.rig.settings
    supervision = Supervision(app.rig, ServiceManager.of(os.environ))

    async def stop() -> None:
        supervision.end()
        await app.rig.stop()

    with StopSignals(stop, server.leave) as signals:
        await app.rig.start(partial(signals.request_stop, "run_failed"))
        try:
            listen_all(sockets, settings.host)
            listening = Listening(
                settings.host,
                sockets[0].getsockname()[1],
                settings.tls_cert is not None,
                app,
                partial(signals.request_stop, "asked"),
            )
            _warn_of_openness(settings, sockets[0].getsockname()[0])
            log.info("listening", url=listening.url, stream=listening.stream_url)
            on_listening(listening)
            supervision.begin()
            await server.serve(sockets)
        finally:
            await stop()


def _warn_of_openness(settings: Settings, address: str) -> None:
    """Log what lets strangers in, where others than this machine can reach the port."""
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        return
    if settings.read_token is None:
        log.warning("open_to_all", address=address, remedy="IG_READ_TOKEN")
    elif settings.tls_cert is None:
        log.warning("tokens_in_the_clear", address=address, remedy="IG_TLS_CERT, or a TLS proxy")


def _config(settings: Settings, app: CameraApp | EdgeApp) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="uvloop",
        # h11 bounds the head of a request, which httptools, though faster, does not.
        http=RequestProtocol,
        h11_max_incomplete_event_size=settings.header_bytes,
        ws=GuardedProtocol,
        ws_max_size=settings.client_message_bytes,
        # The loop only moves bytes: deflating a frame for each client would take it 100 times
        # as long as sending it.
        ws_per_message_deflate=False,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=settings.client_slow_seconds,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=DOWNLOAD_SECONDS,
    )
    config.load()
    return config


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        return tls_context(settings.tls_cert, settings.tls_key)
    except OSError as error:  # an ssl.SSLError is one as well
        paths = f"IG_TLS_CERT {settings.tls_cert} and IG_TLS_KEY {settings.tls_key}"
        raise ConfigurationError(f"cannot use {paths}: {reason_of(error)}") from error
