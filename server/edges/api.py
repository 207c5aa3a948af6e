"""The read-only HTTP of an edge: how it is, and what its camera has recorded, if it may say so."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from marketcam.server.edges.condition import EDGE_TURNING_AWAY
from marketcam.server.edges.exposition import EdgeExposition
from marketcam.server.operators.judging import told
from marketcam.server.running.compiling import kernel_figures
from marketcam.server.security.telling import shows_version
from marketcam.server.web.answers import NOT_CACHED
from marketcam.server.web.api import health_response, upgrade_required
from marketcam.server.web.index import (
    RECORDED_ENDPOINTS,
    RECORDED_PATHS,
    answer_index,
    page_routes,
)
from marketcam.server.web.prometheus import CONTENT_TYPE
from marketcam.server.web.published import published

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from marketcam.server.edges.rig import EdgeRig
    from marketcam.server.stream.forms import Forms

__all__ = ["EdgeApi"]

_NO_META: Final = {"running": False, "start_ts": None, "ticks": 0, "seed": None}


class EdgeApi:
    """The answers of an edge; those on what was recorded are the camera's own, passed on."""

    def __init__(self, rig: EdgeRig, forms: Forms, forward: ASGIApp | None) -> None:
        """Answer for this edge; `forward` passes on what its camera's recording is asked."""
        self._rig = rig
        self._forward = forward
        self._exposition = EdgeExposition(rig, forms)
        shown = shows_version(rig.settings)
        self._version = {"version": version("marketcam")} if shown else {}

    def routes(self) -> list[Route]:
        """Return the routes; each answers HEAD as well."""
        forward = self._forward
        recorded = []
        if forward is not None:
            recorded = [Route(path, forward, methods=["GET"]) for path in RECORDED_PATHS]
            recorded.append(Route("/ws/replay", upgrade_required))
        routes = [
            Route("/", self.index),
            Route("/health", self.health),
            Route("/metrics", self.metrics),
            *recorded,
            *page_routes(),
            Route("/ws/stream", upgrade_required),
        ]
        return [*routes, *published(routes)]

    async def index(self, request: Request) -> Response:
        """Say what can be asked for."""
        endpoints = {
            "health": "/health",
            **({} if self._forward is None else RECORDED_ENDPOINTS),
            "websocket": "/ws/stream",
            "metrics": "/metrics",
        }
        return await answer_index(request, None, endpoints)

    async def health(self, request: Request) -> Response:
        """Say how the edge is, and what it knows of its camera."""
        reasons = self._rig.condition.reasons()
        turns_away = any(reason.code in EDGE_TURNING_AWAY for reason in reasons)
        return health_response(request, self._health(told(reasons)), turns_away=turns_away)

    def _health(self, condition: dict[str, object]) -> dict[str, Any]:
        rig, status = self._rig, self._rig.inlet.status
        meta = _NO_META
        if status is not None:
            names = ("running", "start_ts", "ticks", "seed")
            meta = {name: getattr(status, name) for name in names}
        return {
            "ok": True,
            "meta": meta,
            "current_segment": None,
            **condition,
            **self._version,
            "error": None,
            "run": None if status is None else status.run,
            "last_t": rig.last_t,
            "upstream": asdict(rig.inlet.figures()),
            "history": self._forward is not None,
            "loop": {"lag": rig.lag.last},
            "clients": len(rig.hub),
            "kernels": kernel_figures(),
        }

    async def metrics(self, _: Request) -> Response:
        """Give the figures for Prometheus."""
        headers = {"content-type": CONTENT_TYPE, **NOT_CACHED}
        return Response(self._exposition.render(), headers=headers)
