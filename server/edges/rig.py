"""What runs behind an edge's port, put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final

from marketcam.server.edges.condition import EdgeCondition
from marketcam.server.edges.inlet import Inlet
from marketcam.server.edges.link import LinkOptions
from marketcam.server.edges.warming import compile_writing
from marketcam.server.logs import get_logger
from marketcam.server.operators.queues import viewers_queues
from marketcam.server.running.lag import LagProbe
from marketcam.server.running.rig import hub_options, send_viewers_away
from marketcam.server.security.refusals import Refusals
from marketcam.server.stream.hub import Hub
from marketcam.server.stream.selection import FilmedWith

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.server.operators.queues import Queue
    from marketcam.server.security.seats import Seats
    from marketcam.server.settings import Settings

__all__ = ["EdgeRig"]

BEGIN_SECONDS: Final = 3.0
"""How long an edge waits at its start for NATS, and for what it sends to those who connect. After
that it listens all the same, says that it is degraded, and goes on trying."""

log = get_logger(__name__)


class EdgeRig:
    """Inlet and hub of an edge. It is started once and stopped once.

    Attributes:
        settings: what it was made from.
        hub: serves the viewers.
        inlet: takes what a camera publishes.
        lag: how late the event loop is.
        seats: those of its connections; None where another server than ours counts them.
        refusals: of those who are not let in.
        stopping: whether it has begun to stop.
        condition: says whether it is as it should be.
        started_at: when it was made, seconds since 1970.
        failure: why the process has to end; an edge goes on whatever happens upstream.
    """

    failure: str | None = None

    def __init__(self, settings: Settings) -> None:
        """Put it together. Touches neither network nor threads.

        Raises:
            ConfigurationError: NATS cannot be used so.
            MissingExtraError: its library is not installed.
        """
        self.settings = settings
        self.hub = Hub(hub_options(settings))
        self.inlet = Inlet(
            LinkOptions.of(settings, "marketcam edge"), settings.nats_stream, self.hub
        )
        self.lag = LagProbe()
        self.seats: Seats | None = None
        self.refusals = Refusals()
        self.stopping = False
        self.started_at = time.time()
        self.condition = EdgeCondition(self)
        self._undo = AsyncExitStack()
        self._changing = asyncio.Lock()

    @property
    def last_t(self) -> int | None:
        """The last tick taken in by the camera, as far as is known here."""
        return self.inlet.last_t

    @property
    def stuck_seconds(self) -> float:
        """How long the work in hand has taken: what an edge does, the event loop does."""
        return 0.0

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        return "nothing taken in" if self.last_t is None else f"at tick {self.last_t}"

    @property
    def filmed(self) -> FilmedWith:
        """With what the current run is filmed; as a camera left to its defaults before any."""
        status = self.inlet.status
        return FilmedWith() if status is None else status.filmed

    def queues(self) -> list[Queue]:
        """Return its queues; everyone who keeps up is promised every message."""
        return viewers_queues(self.hub, self.settings.client_queue_bytes, loses=True)

    async def start(self, on_fatal: Callable[[], None]) -> None:
        """Compile what frames are written with, and begin to take what NATS has.

        Raises:
            MarketCameraError, OSError: a part cannot start; those before it are stopped again.
        """
        del on_fatal  # nothing that happens to a run ends an edge
        async with self._changing, AsyncExitStack() as undo:
            await asyncio.to_thread(compile_writing)
            self.inlet.start()
            undo.push_async_callback(self.inlet.close)
            undo.push_async_callback(send_viewers_away, self.hub)
            with suppress(TimeoutError):
                async with asyncio.timeout(BEGIN_SECONDS):
                    await self.inlet.has_begun.wait()
            self.lag.start()
            undo.callback(self.lag.stop)
            self.condition.start()
            undo.callback(self.condition.stop)
            self._undo = undo.pop_all()

    async def stop(self) -> None:
        """Close the viewers with 1001, and take nothing more. Again does nothing."""
        self.stopping = True
        async with self._changing:
            await self._undo.aclose()
