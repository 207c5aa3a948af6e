"""The read-only HTTP of the camera: what it is doing and what it has recorded."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from marketcam.server.operators.condition import TURNING_AWAY
from marketcam.server.operators.judging import told
from marketcam.server.running.compiling import kernel_figures
from marketcam.server.running.stages import QueueFigures
from marketcam.server.security.telling import shows_version, without_folders
from marketcam.server.web.answers import NOT_CACHED, JsonResponse
from marketcam.server.web.asking import Query, QueryError
from marketcam.server.web.events import EventsAnswer
from marketcam.server.web.index import (
    RECORDED_ENDPOINTS,
    RECORDED_PATHS,
    answer_index,
    page_routes,
)
from marketcam.server.web.listings import Listings
from marketcam.server.web.measures import MeasureLines
from marketcam.server.web.overview import MetricsOverview
from marketcam.server.web.prometheus import CONTENT_TYPE, Exposition
from marketcam.server.web.published import published
from marketcam.server.web.ranges import RangeLines
from marketcam.server.web.segments import SegmentFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from marketcam.io.store import RecorderStatus
    from marketcam.server.history.history import History
    from marketcam.server.running.filming import Filming
    from marketcam.server.running.pipeline import Pipeline
    from marketcam.server.running.rig import Rig
    from marketcam.server.settings import Settings
    from marketcam.server.stream.forms import Forms

__all__ = ["HttpApi", "health_response", "upgrade_required"]


class HttpApi:
    """The answers of section 6 of the contract, and `/metrics`."""

    def __init__(self, rig: Rig, history: History, forms: Forms) -> None:
        """Answer for this rig, and from its recording."""
        self._rig = rig
        self._history = history
        self._exposition = Exposition(rig, history, forms)
        shown = shows_version(rig.settings)
        self._version = {"version": version("marketcam")} if shown else {}

    def routes(self) -> list[Route]:
        """Return the routes; each answers HEAD as well."""
        segments = SegmentFiles(self._rig.settings.store_dir, self._rig.recorder.current)
        slow_seconds = self._rig.settings.client_slow_seconds
        measures = MeasureLines(self._history, self._rig.settings.store_dir, slow_seconds)
        listings = Listings(self._rig.recorder, self._history, shows_version=bool(self._version))
        recorded: dict[str, Callable[..., Any]] = {
            "/manifest/{kind}": listings.manifest,
            "/runs": listings.runs,
            "/range/{kind}": RangeLines(self._history, slow_seconds),
            "/segment/{kind}/{name:path}": segments,
            "/measures": measures,
            "/events": EventsAnswer(self._history).answer,
            "/overview/metrics": MetricsOverview(self._history).answer,
        }
        routes = [
            Route("/", self.index),
            Route("/health", self.health),
            Route("/metrics", self.metrics),
            *[Route(path, recorded[path], methods=["GET"]) for path in RECORDED_PATHS],
            *page_routes(),
            Route("/ws/stream", upgrade_required),
            Route("/ws/replay", upgrade_required),
            *([Route("/ws/ingest", upgrade_required)] if self._takes_ticks else []),
        ]
        return [*routes, *published(routes)]

    @property
    def _takes_ticks(self) -> bool:
        return self._rig.settings.source == "ingest"

    async def index(self, request: Request) -> Response:
        """Say what can be asked for."""
        endpoints = {
            "health": "/health",
            **RECORDED_ENDPOINTS,
            "websocket": "/ws/stream",
            **({"ingest": "/ws/ingest"} if self._takes_ticks else {}),
            "metrics": "/metrics",
        }
        return await answer_index(request, str(self._rig.settings.store_dir), endpoints)

    async def health(self, request: Request) -> Response:
        """Say how the camera is; `ok` is false once the engine or the recorder has failed.

        The status is 503 for who asks with ``ready=1`` whether to send clients here, and should
        not.
        """
        reasons = self._rig.condition.reasons()
        turns_away = any(reason.code in TURNING_AWAY for reason in reasons)
        return health_response(request, self._health(told(reasons)), turns_away=turns_away)

    def _health(self, condition: dict[str, object]) -> dict[str, object]:
        rig, pipeline = self._rig, self._rig.pipeline
        recorder = rig.recorder.status()
        return {
            "ok": pipeline.error is None and recorder.error is None,
            "meta": {
                "running": pipeline.running,
                "start_ts": rig.started_at,
                "ticks": pipeline.ticks,
                "seed": rig.settings.seed,
            },
            "current_segment": rig.recorder.current("frames"),
            **condition,
            **self._version,
            "error": pipeline.error,
            "run": recorder.run,
            "recording": recorder.recording,
            "recorder": _recorder_figures(recorder),
            "checkpoint": None if rig.saving is None else rig.saving.figures(),
            "ingest": None if rig.ingest is None else rig.ingest.figures(),
            "stages": _stage_figures(pipeline),
            "loop": {"lag": rig.lag.last, "waiting": rig.handover.waiting},
            "clients": len(rig.hub),
            "camera": _camera(rig.settings),
            "proximity": _proximity(rig.filming),
            "webhook": None if rig.webhook is None else asdict(rig.webhook.status()),
            "nats": None if rig.outlet is None else asdict(rig.outlet.figures()),
            "kernels": kernel_figures(),
        }

    async def metrics(self, _: Request) -> Response:
        """Give the figures for Prometheus."""
        headers = {"content-type": CONTENT_TYPE, **NOT_CACHED}
        return Response(self._exposition.render(), headers=headers)


async def upgrade_required(_: Request) -> Response:
    """Tell those who ask for a stream over plain HTTP."""
    headers = {"upgrade": "websocket", "connection": "upgrade"}
    raise HTTPException(426, "this is a websocket", headers)


def health_response(
    request: Request, health: dict[str, object], *, turns_away: bool
) -> JsonResponse:
    """Answer `/health`, with 503 for who asks whether to send clients here, and should not."""
    try:
        asks_if_ready = Query(request.scope).flag("ready")
    except QueryError as error:
        return JsonResponse({"error": str(error)}, 400)
    return JsonResponse(without_folders(health), 503 if asks_if_ready and turns_away else 200)


def _stage_figures(pipeline: Pipeline) -> dict[str, object]:
    queues = pipeline.queues
    empty = QueueFigures()
    return {
        stage: {
            "count": spent.count,
            "seconds": spent.seconds,
            "waiting": queues.get(stage, empty).waiting,
        }
        for stage, spent in pipeline.stages.items()
    }


def _camera(settings: Settings) -> dict[str, object]:
    return {
        **settings.camera_arguments(),
        "tick_rate": settings.pace,
        "metric_downsample": settings.metric_downsample,
        "records_ticks": settings.record_ticks,
        "token_needed": settings.read_token is not None,
    }


def _proximity(filming: Filming) -> dict[str, object]:
    status = filming.status
    return {"degraded": status.degraded, **asdict(status)}


def _recorder_figures(status: RecorderStatus) -> dict[str, object]:
    hole, seen, done = status.last_hole, status.retention, status.retention_done
    return {
        "error": status.error,
        "holes": status.holes,
        "last_hole": None if hole is None else asdict(hole),
        "synced_t": dict(status.synced),
        "queued_lines": status.queued_lines,
        "queued_bytes": status.queued_bytes,
        "dropped_lines": status.dropped_lines,
        "waits": status.waits,
        "removed_segments": status.removed_segments,
        "removed_bytes": status.removed_bytes,
        "disk_used_pct": None if seen is None else seen.disk_used_pct,
        "total_bytes": None if seen is None else seen.total_bytes,
        "retention": {
            "policy": asdict(status.policy),
            "last": None if done is None else asdict(done),
        },
        "written": {kind: asdict(totals) for kind, totals in status.kinds.items()},
    }
