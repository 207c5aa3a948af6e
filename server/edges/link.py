"""A connection to NATS that is made again whenever it is lost, with ever longer pauses.

Each connection is a client of its own. nats-py can go on after a loss by itself, and would then
send what it had buffered; whoever uses a link knows better what is to be sent, and where to go on.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from marketcam.io.extras import of_extra
from marketcam.server.errors import ConfigurationError, ServerError
from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.client import Client

    from marketcam.server.settings import Settings

__all__ = ["Link", "LinkError", "LinkOptions", "reason_of"]

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_CLOSE_SECONDS: Final = 0.5
_CANCEL_SECONDS: Final = 0.1
_PINGS: Final = 2
"""Pings that may be on their way without an answer before a server is taken for lost."""

log = get_logger(__name__)


class LinkError(ServerError):
    """What was wanted of NATS cannot be had now; the link is made anew."""


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How to reach NATS. Nothing of it is ever shown.

    Attributes:
        servers: their addresses, tried in turn.
        silence_seconds: a server that answers nothing for so long is lost.
        shown: what is shown to it, as nats-py names it.
        ca: a file of authorities to check its certificate against.
        name: what this end is called in NATS' own figures.
    """

    servers: tuple[str, ...] = field(repr=False)
    silence_seconds: float = 6.0
    shown: dict[str, str] = field(default_factory=dict, repr=False)
    ca: str | None = None
    name: str = "marketcam"

    @classmethod
    def of(cls, settings: Settings, name: str) -> LinkOptions:
        """Return what is configured.

        Raises:
            ConfigurationError: NATS is not, or what is named is not there.
        """
        if settings.nats is None:
            raise ConfigurationError("IG_NATS must be set")
        given = {
            "user": settings.nats_user,
            "password": settings.nats_password and settings.nats_password.get_secret_value(),
            "token": settings.nats_token and settings.nats_token.get_secret_value(),
            "user_credentials": settings.nats_credentials and str(settings.nats_credentials),
        }
        options = cls(
            tuple(settings.nats.get_secret_value().split(",")),
            settings.nats_silence_seconds,
            {key: value for key, value in given.items() if value},
            None if settings.nats_ca is None else str(settings.nats_ca),
            name,
        )
        options.check()
        return options

    def check(self) -> None:
        """Look whether all is there that is needed to connect.

        Raises:
            MissingExtraError: a library is not installed.
            ConfigurationError: a file cannot be read, or an address is none.
        """
        with of_extra("edge"):
            import nats  # noqa: F401, PLC0415 - comes with an extra
        if "user_credentials" in self.shown:
            _check_credentials(self.shown["user_credentials"])
        self.tls()
        for server in self.servers:
            if not _is_address(server):
                raise ConfigurationError("IG_NATS must be nats://HOST[:PORT] or tls://HOST[:PORT]")

    def tls(self) -> ssl.SSLContext | None:
        """Return how a certificate is checked, None for as the system does.

        Raises:
            ConfigurationError: the authorities cannot be read.
        """
        if self.ca is None:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:  # an ssl.SSLError is one as well
            raise ConfigurationError(f"cannot use IG_NATS_CA {self.ca}: {_said(error)}") from error


def _is_address(server: str) -> bool:
    try:
        parts = urlsplit(server)
        return parts.port != 0 and bool(parts.hostname)
    except ValueError:
        return False


def _check_credentials(path: str) -> None:
    if find_spec("nkeys") is None:
        raise ConfigurationError(
            "IG_NATS_CREDENTIALS needs nkeys, which is not here: pip install 'nats-py[nkeys]'"
        )
    try:
        Path(path).read_bytes()
    except OSError as error:
        problem = f"cannot use IG_NATS_CREDENTIALS {path}: {_said(error)}"
        raise ConfigurationError(problem) from error


class Link:
    """Keeps a connection to NATS for somebody who uses it.

    Attributes:
        is_connected: whether there is one now.
        problem: why there is none, or what kept it from being used; None where all is well.
        connects: how often it was made.
    """

    def __init__(self, options: LinkOptions) -> None:
        self.is_connected = False
        self.problem: str | None = "not connected yet"
        self.connects = 0
        self._options = options
        self._servers = cycle(options.servers)

    async def run(self, use: Callable[[Client], Awaitable[None]]) -> None:
        """Connect, and have each connection used until it is lost, or its use fails; for ever.

        Args:
            use: is cancelled when its connection is lost. An error in it ends the connection.
        """
        pause = _FIRST_PAUSE
        while True:
            problem = await self._use_one(use)
            was_well = self.is_well
            if was_well or problem != self.problem:
                log.warning("nats_lost", reason=problem)
            self.is_connected = False
            self.problem = problem
            pause = _FIRST_PAUSE if was_well else min(2 * pause, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    def note_use(self) -> None:
        """Learn that the connection does what it is for."""
        if self.problem is not None:
            log.info("nats_connected")
        self.problem = None

    def note_problem(self, problem: str) -> None:
        """Learn that the connection is of no use for now."""
        if problem != self.problem:
            log.warning("nats_of_no_use", reason=problem)
        self.problem = problem

    @property
    def is_well(self) -> bool:
        """Whether it is connected, and does what it is for."""
        return self.is_connected and self.problem is None

    async def _use_one(self, use: Callable[[Client], Awaitable[None]]) -> str:
        """Connect to the next server, and have that used; return why that has ended."""
        from nats.aio.client import Client  # noqa: PLC0415 - comes with an extra

        client = Client()
        lost = asyncio.Event()
        try:
            await self._connect(client, lost)
        except Exception as error:  # noqa: BLE001 - all there is to do is to try again
            await _close(client)
            return reason_of(error)
        self.connects += 1
        self.is_connected = True
        using = asyncio.ensure_future(use(client))
        losing = asyncio.ensure_future(lost.wait())
        try:
            await asyncio.wait([using, losing], return_when=asyncio.FIRST_COMPLETED)
            if not using.done() or using.cancelled():  # which nats-py does when it is lost
                return reason_of(client.last_error)
            return _reason_of_end(using)
        finally:
            await _end(using, losing)
            await _close(client)

    async def _connect(self, client: Client, lost: asyncio.Event) -> None:
        options = self._options
        given: dict[str, Any] = dict(options.shown)
        if (tls := options.tls()) is not None:
            given["tls"] = tls

        async def note_loss() -> None:
            lost.set()

        async def note_error(error: Exception) -> None:
            """Give up a connection that cannot be made: nats-py would try the server 60 times.

            Later ones are left to what comes of them: it is closed, or an answer is missing.
            """
            if is_connecting:
                raise error

        is_connecting = True
        await client.connect(
            [next(self._servers)],
            name=options.name,
            allow_reconnect=False,
            connect_timeout=options.silence_seconds,  # type: ignore[arg-type]  # a float will do
            ping_interval=options.silence_seconds / (_PINGS + 1),  # type: ignore[arg-type]
            max_outstanding_pings=_PINGS,
            # Shuffling draws from the `random` module, with which a simulator may have been seeded.
            dont_randomize=True,
            closed_cb=note_loss,
            error_cb=note_error,
            **given,
        )
        is_connecting = False


def _reason_of_end(using: asyncio.Future[None]) -> str:
    error = using.exception()
    if error is None:
        return "ended"
    if not isinstance(error, LinkError) and not _is_of_nats(error):
        log.error("nats_use_failed", exc_info=error)
    return reason_of(error)


def _is_of_nats(error: BaseException) -> bool:
    return type(error).__module__.startswith("nats.") or isinstance(error, OSError)


async def _end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks, until they have ended: nats-py swallows a cancellation while it flushes.

    What they failed of in the end is what was known before: the connection is lost.
    """
    for task in tasks:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_CANCEL_SECONDS)
        if not task.cancelled():
            task.exception()


async def _close(client: Client) -> None:
    """Close what may be half open, or lost, without waiting for who does not answer."""
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await client.close()


def reason_of(error: BaseException | None) -> str:
    """Say what went wrong with NATS, without where that is, or what was shown to it."""
    if isinstance(error, LinkError | ConfigurationError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError):
        return _said(error)
    if error is None:
        return "the connection was closed"
    said = getattr(error, "description", None) or error  # by JetStream's API
    text = str(said).removeprefix("nats: ").strip("'\" ").lower()
    return text[:120] if _is_of_nats(error) and text else type(error).__name__


def _said(error: OSError) -> str:
    """Return what is wrong, in words that name no address, as asyncio's own do."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "tls failed").replace("_", " ").lower()
    if error.errno is None or error.errno <= 0:
        return (error.strerror or type(error).__name__).lower()
    return os.strerror(error.errno).lower()
