"""What describes the camera to programs: `/schemas/{name}.json` and `/openapi.json`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from marketcam.io.schemas import schema_text, schemas_under
from marketcam.server.web.answers import NOT_CACHED, JsonResponse
from marketcam.server.web.described import DESCRIBED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

__all__ = ["API_VERSION", "PUBLISHED_ENDPOINTS", "openapi", "published"]

API_VERSION: Final = "2.0"

_SCHEMAS: Final = "/schemas/{name}.json"
_OPENAPI: Final = "/openapi.json"
PUBLISHED_ENDPOINTS: Final = {"schemas": _SCHEMAS, "openapi": _OPENAPI}

_CONVERTOR: Final = re.compile(r":\w+(?=})")

_ABOUT: Final = (
    "Read-only; each path answers HEAD as well. An option without a value counts as not given, of "
    "one that is given twice the last counts, unknown ones are ignored. Where a read token is set, "
    "all but /viewer/ asks for it."
)


def published(routes: Iterable[Route]) -> list[Route]:
    """Return the routes of what describes these, and of the schemas.

    Raises:
        KeyError: of a path nothing is told in `described`.
    """
    paths = [_CONVERTOR.sub("", route.path) for route in routes]
    document = openapi((*paths, _SCHEMAS, _OPENAPI))

    async def described(_: Request) -> Response:
        return JsonResponse(document)

    return [Route(_SCHEMAS, _schema), Route(_OPENAPI, described)]


def openapi(paths: Iterable[str]) -> dict[str, Any]:
    """Return the OpenAPI document of these paths; it holds the published schemas.

    Raises:
        KeyError: of a path nothing is told in `described`.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": "Market Camera", "version": API_VERSION, "description": _ABOUT},
        "paths": {path: DESCRIBED[path] for path in paths},
        "components": {
            "schemas": schemas_under("#/components/schemas"),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


async def _schema(request: Request) -> Response:
    try:
        text = schema_text(request.path_params["name"])
    except KeyError as error:
        raise HTTPException(404, "no such schema") from error
    headers = {**NOT_CACHED, "content-type": "application/schema+json"}
    return Response(text, headers=headers)
