"""The ASGI application: routes, errors, and the rig's life inside the server's.

The module is not called `app`, since importing a module puts it into its package by that name,
where `marketcam.server.app` is the application.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute

from marketcam.engine import MarketCameraError
from marketcam.server import logs
from marketcam.server.history.history import History, HistoryOptions
from marketcam.server.history.replay import Replay
from marketcam.server.ingest.endpoint import Ingest
from marketcam.server.running.about import filmed_with
from marketcam.server.running.rig import Rig
from marketcam.server.security.guard import Guard
from marketcam.server.settings import Settings
from marketcam.server.signals import StopSignals
from marketcam.server.stream.endpoint import Stream
from marketcam.server.stream.forms import Forms
from marketcam.server.web.answers import FaultBarrier, NotFound, refuse
from marketcam.server.web.api import HttpApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

__all__ = ["CameraApp", "EnvironmentApp", "app", "create_app"]

log = logs.get_logger(__name__)


def create_app(settings: Settings) -> CameraApp:
    """Return the application. Nothing runs before the server's lifespan starts it.

    Raises:
        LimitError: the camera or the recorder refuses a setting.
    """
    return CameraApp(Rig(settings))


class CameraApp(Starlette):
    """The camera as an ASGI application; it starts once and stops once.

    Attributes:
        rig: what runs behind it.
        history: reads what it records.
    """

    def __init__(self, rig: Rig) -> None:
        """Serve this rig; under a lifespan, start and stop it as well."""
        self.rig = rig
        settings = rig.settings
        options = _history_options(settings)
        self.history = history = History(
            settings.store_dir,
            rig.recorder,
            rig.hub,
            options,
            lambda: rig.pipeline.running,
            filmed_with(settings),
        )
        heartbeats, forms = settings.heartbeat_seconds, Forms(settings.frame_forms)
        stream = Stream(
            rig.hub,
            heartbeats,
            lambda: rig.pipeline.last_t,
            history,
            forms,
            lambda: settings.edge_cap,
        )
        replay = Replay(history, rig.hub, heartbeats)
        guard = Guard(settings, rig.refusals)
        ingest = (
            []
            if settings.ingest_token is None
            else [WebSocketRoute("/ws/ingest", guard.producing(Ingest(rig)))]
        )
        super().__init__(
            routes=[
                *HttpApi(rig, history, forms).routes(),
                WebSocketRoute("/ws/stream", guard.reading(stream)),
                WebSocketRoute("/ws/replay", guard.reading(replay)),
                *ingest,
            ],
            middleware=guard.middleware(Middleware(FaultBarrier)),
            exception_handlers={HTTPException: refuse},
        )
        self.router.redirect_slashes = False
        self.router.default = NotFound()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a connection, or live through the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start and stop the rig; Starlette's own way would report every failure as a traceback."""
        await receive()
        with StopSignals(self.rig.stop) as signals:
            problem = await self._start(partial(signals.request_stop, "run_failed"))
            if problem is not None:
                await send({"type": "lifespan.startup.failed", "message": problem})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.rig.stop()
            await send({"type": "lifespan.shutdown.complete"})

    async def _start(self, on_fatal: Callable[[], None]) -> str | None:
        """Start the rig; return what kept it from starting, on one line."""
        try:
            await self.rig.start(on_fatal)
        except (MarketCameraError, OSError) as error:
            return " ".join(str(error).split())
        except Exception as error:
            log.exception("start_failed")
            return f"unexpected {type(error).__name__}, see the log"
        return None


class EnvironmentApp:
    """The application of `uvicorn marketcam.server:app`, set up by environment variables.

    They are read when the server starts it, so that importing it does nothing. Address, TLS and
    limits are uvicorn's own options there; `marketcam serve` runs it with these:
    ``--http h11 --h11-max-incomplete-event-size 16384 --ws-max-size 4096
    --ws-per-message-deflate false --no-server-header --timeout-graceful-shutdown 5``. One worker:
    each would film and record for itself. Tokens and origins are asked for there too; what only
    `marketcam serve` has is listed in docs/security.md.
    """

    def __init__(self) -> None:
        self._app: CameraApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as `CameraApp`, which is made at the server's start."""
        if scope["type"] == "lifespan":
            try:
                self._app = _app_from_environment()
            except (MarketCameraError, OSError) as error:
                await receive()
                problem = "; ".join(str(error).splitlines())
                await send({"type": "lifespan.startup.failed", "message": problem})
                return
        if self._app is None:
            raise RuntimeError("this application needs a server that speaks the lifespan protocol")
        await self._app(scope, receive, send)


def _history_options(settings: Settings) -> HistoryOptions:
    return HistoryOptions(
        clients=settings.history_clients,
        measurers=settings.measures_clients,
        replays=settings.replay_clients,
        idle_seconds=settings.replay_idle_seconds,
    )


def _app_from_environment() -> CameraApp:
    settings = Settings.from_environment()
    logs.configure(settings)
    logs.warn_of_unknown_variables()
    return create_app(settings)


app: Final = EnvironmentApp()
"""The application of `uvicorn marketcam.server:app`."""
