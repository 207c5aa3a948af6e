"""`/` says what can be asked for; who would rather look than read is sent to the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from marketcam.io.store import KINDS
from marketcam.server.web.answers import JsonResponse
from marketcam.server.web.page_wanted import wants_page
from marketcam.server.web.published import API_VERSION, PUBLISHED_ENDPOINTS
from marketcam.server.web.viewer import ViewerFiles, to_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = [
    "PAGE_ENDPOINTS",
    "RECORDED_ENDPOINTS",
    "RECORDED_PATHS",
    "answer_index",
    "page_routes",
]

PAGE_ENDPOINTS: Final = {"viewer": "/viewer/", "columns_decoder": "/viewer/columns.js"}

RECORDED_PATHS: Final = (
    *("/manifest/{kind}", "/runs", "/range/{kind}", "/segment/{kind}/{name:path}"),
    *("/measures", "/events", "/overview/metrics"),
)
"""Paths of what is answered from the recording, over HTTP: by a camera, or an edge that asks it."""

RECORDED_ENDPOINTS: Final = {
    **{f"manifest_{kind}": f"/manifest/{kind}" for kind in KINDS},
    **{f"segment_{kind}": f"/segment/{kind}/{{name}}" for kind in KINDS},
    "runs": "/runs",
    **{f"range_{kind}": f"/range/{kind}" for kind in KINDS},
    "measures": "/measures",
    "events": "/events",
    "overview_metrics": "/overview/metrics",
    "replay": "/ws/replay",
}
"""What `/` says of it."""


def page_routes() -> list[Route]:
    """Return the routes of the page; each answers HEAD as well."""
    return [Route("/viewer", to_page), Route("/viewer/{name:path}", ViewerFiles().answer)]


async def answer_index(
    request: Request, cam_store: str | None, endpoints: Mapping[str, str]
) -> Response:
    """Answer a request for `/`."""
    if wants_page(request.scope):
        answer = await to_page(request)
        answer.headers["vary"] = "Accept"
        return answer
    content = {
        "message": "Infinite Game API",
        "version": API_VERSION,
        "cam_store": cam_store,
        "endpoints": {**endpoints, **PAGE_ENDPOINTS, **PUBLISHED_ENDPOINTS},
    }
    return JsonResponse(content, headers={"vary": "Accept"})
