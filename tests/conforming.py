"""Whatever a server sends to a test is held against the published schemas, in a closed form.

The published ones let fields pass that they do not know, since there may be more one day; here a
field that no schema has fails the test.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import httpx
import orjson
from jsonschema_rs import Draft202012Validator
from websockets.sync import client

from marketcam.io.schemas import NAMES, schemas_under

if TYPE_CHECKING:
    from collections.abc import Mapping

    from websockets.typing import Data

SAID: Mapping[str, str] = {
    **{
        name: name
        for name in (
            "metric",
            "frame",
            "heartbeat",
            "pong",
            "gap",
            "replay",
            "seek",
            "error",
            "hello",
            "ack",
            "refused",
        )
    },
    "auth": "auth-ok",
    "events": "events-line",
}
"""By `type`, the schema of what a server says; a recorded raw tick has none."""

ANSWERED: Mapping[str, str] = {
    "/": "index",
    "/health": "health",
    "/runs": "runs",
    "/events": "events",
    "/overview/metrics": "overview-metrics",
    **{f"/manifest/{kind}": "manifest" for kind in ("frames", "metrics", "ticks", "events")},
}
"""By path, the schema of what is answered."""

_FILES = re.compile(r"/openapi\.json|/schemas/[^/]+\.json|/viewer/.+")
"""Paths of what is JSON for being a file of the package."""


def closed(part: Any) -> Any:
    """Return a part of a schema that allows none but the fields it names."""
    if isinstance(part, list):
        return [closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    narrowed = {name: closed(value) for name, value in part.items()}
    return {"additionalProperties": False, **narrowed} if "properties" in part else narrowed


@cache
def _validator(name: str) -> Draft202012Validator:
    assert name in NAMES
    definitions = closed(schemas_under("#/$defs"))
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})


def problems(name: str, value: Any) -> list[str]:
    """Return what keeps a value from being what a schema has, each on a line."""
    return [
        f"{name}{''.join(f'/{step}' for step in error.instance_path)}: {error.message:.300}"
        for error in _validator(name).iter_errors(value)
    ]


def assert_conforms(name: str, value: Any) -> None:
    found = problems(name, value)
    assert not found, "\n".join(found)


def assert_said(message: Any) -> None:
    """Hold what came over a WebSocket, or was recorded, against the schema of its type."""
    name = SAID[message["type"]] if "type" in message else "raw-tick"
    assert_conforms(name, message)


class CheckedConnection(client.ClientConnection):
    """A connection whose text messages are looked at as they are received."""

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Data:
        data = super().recv(timeout, decode)
        if isinstance(data, str):
            assert_said(orjson.loads(data))
        return data


connect = partial(client.connect, create_connection=CheckedConnection)
"""What tests connect with, in the place of the library's own."""


def assert_answered(response: httpx.Response) -> None:
    """Hold an answer against the schema of its path, or of refusals."""
    media_type, path = response.headers.get("content-type", ""), response.url.path
    if media_type == "application/x-ndjson" and path.startswith("/range/"):
        for line in response.content.splitlines():
            assert_said(orjson.loads(line))
    elif media_type == "application/json" and response.content:
        body = orjson.loads(response.content)
        if response.is_error and not (path == "/health" and "ok" in body):
            assert_conforms("refusal", body)
        elif not _FILES.fullmatch(path):
            assert_conforms(ANSWERED[path], body)


class CheckedClient(httpx.Client):
    """A client whose answers are looked at, unless they are read piece by piece."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = super().send(request, **options)
        if not options.get("stream"):
            assert_answered(response)
        return response
