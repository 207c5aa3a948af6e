"""An edge as an ASGI application: the camera's own stream, without a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute

from marketcam.server.edges.api import EdgeApi
from marketcam.server.edges.forwarding import ForwardHttp, ForwardReplay
from marketcam.server.edges.recorded import RemoteHistory
from marketcam.server.edges.rig import EdgeRig
from marketcam.server.edges.upstream import Upstream
from marketcam.server.security.guard import Guard
from marketcam.server.stream.endpoint import Stream
from marketcam.server.stream.forms import Forms
from marketcam.server.web.answers import FaultBarrier, NotFound, refuse

if TYPE_CHECKING:
    from marketcam.server.settings import Settings

__all__ = ["EdgeApp", "create_edge"]


def create_edge(settings: Settings) -> EdgeApp:
    """Return the application. Nothing runs before its rig is started.

    Raises:
        ConfigurationError: NATS cannot be used so.
        MissingExtraError: its library is not installed.
    """
    return EdgeApp(EdgeRig(settings))


class EdgeApp(Starlette):
    """The application of `marketcam edge`.

    Attributes:
        rig: what runs behind it.
        history: the camera's recording; None where none is passed on.
    """

    def __init__(self, rig: EdgeRig) -> None:
        self.rig = rig
        settings, hub = rig.settings, rig.hub
        upstream = Upstream.of(settings)
        self.history = history = None if upstream is None else _history_of(rig, upstream)
        forms, guard = Forms(settings.frame_forms), Guard(settings, rig.refusals)
        stream = Stream(
            hub,
            settings.heartbeat_seconds,
            lambda: rig.last_t,
            history,
            forms,
            lambda: rig.filmed.edge_cap,
        )
        sockets = [WebSocketRoute("/ws/stream", guard.reading(stream))]
        forward = None
        if upstream is not None and history is not None:
            forward = ForwardHttp(upstream, history.readers)
            replay = ForwardReplay(upstream, hub, history.replays)
            sockets.append(WebSocketRoute("/ws/replay", guard.reading(replay)))
        super().__init__(
            routes=[*EdgeApi(rig, forms, forward).routes(), *sockets],
            middleware=guard.middleware(Middleware(FaultBarrier)),
            exception_handlers={HTTPException: refuse},
        )
        self.router.redirect_slashes = False
        self.router.default = NotFound()


def _history_of(rig: EdgeRig, upstream: Upstream) -> RemoteHistory:
    settings = rig.settings
    return RemoteHistory(
        upstream,
        rig.hub,
        lambda: rig.inlet.status,
        clients=settings.history_clients,
        replays=settings.replay_clients,
    )
