"""What is told of each path over HTTP: its options and its answers, as OpenAPI has them."""

from __future__ import annotations

from typing import Any, Final

from marketcam.io.store import KINDS
from marketcam.server.web.asking import MAX_T

__all__ = ["DESCRIBED"]

_Part = dict[str, Any]


def _option(name: str, schema: _Part, description: str) -> _Part:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _integer(name: str, least: int, most: int, description: str) -> _Part:
    return _option(name, {"type": "integer", "minimum": least, "maximum": most}, description)


def _flag(name: str, description: str) -> _Part:
    return _option(name, {"enum": ["0", "1"]}, description)


def _in_path(name: str, schema: _Part, description: str) -> _Part:
    where = {"name": name, "in": "path", "required": True}
    return {**where, "schema": schema, "description": description}


def _answer(description: str, media_type: str, schema: _Part) -> _Part:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _json(name: str, description: str) -> _Part:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return _answer(description, "application/json", schema)


def _file(description: str, media_type: str = "application/octet-stream") -> _Part:
    return _answer(description, media_type, {})


def _lines(description: str) -> _Part:
    return _answer(description, "application/x-ndjson", {})


def _get(summary: str, answers: _Part, *parameters: _Part) -> _Part:
    """Describe a path; whatever is not among its answers is a refusal."""
    said = (
        {"summary": summary, "parameters": list(parameters)} if parameters else {"summary": summary}
    )
    return {"get": {**said, "responses": {**answers, "default": _json("refusal", "Refused.")}}}


_KIND: Final = _in_path("kind", {"enum": list(KINDS)}, "What was recorded.")
_RUN: Final = _option("run", {"type": "string"}, "A run's id, or `latest`, as without it.")
_RUN_OR_ALL: Final = _option("run", {"type": "string"}, "A run's id, `latest`, or `all`.")
_SPAN: Final = (
    _integer("from_t", -MAX_T, MAX_T, "First tick; without it, as far back as there are any."),
    _integer("to_t", -MAX_T, MAX_T, "Last tick; without it, all there are."),
)
_EVERY: Final = _integer("every", 1, MAX_T, "Each so many-th of these, the first included.")
_LIMIT: Final = _integer("limit", 1, MAX_T, "Lines at most.")
_RANGE: Final = {
    "name": "Range",
    "in": "header",
    "schema": {"type": "string"},
    "description": "One part of the file, as `bytes=0-99`.",
}
_NONE: Final = _json("refusal", "There is no such thing.")
_UNUSABLE: Final = _json("refusal", "An option cannot be used: names it, its value and the limit.")
_TOO_MANY: Final = _json("refusal", "Too many read already; `Retry-After` says when to come again.")
_ASKED: Final = {"400": _UNUSABLE, "404": _NONE, "503": _TOO_MANY}


def _socket(summary: str) -> _Part:
    answers = {
        "101": {"description": "Goes on as a WebSocket."},
        "400": _UNUSABLE,
        "404": _NONE,
        "426": _json("refusal", "Asked for without an upgrade."),
    }
    return _get(summary, answers)


DESCRIBED: Final[dict[str, _Part]] = {
    "/": _get("What can be asked for.", {"200": _json("index", "Names and paths.")}),
    "/health": _get(
        "How the camera is.",
        {
            "200": _json("health", "How it is, ready or degraded."),
            "400": _UNUSABLE,
            "503": _json("health", "Clients should be sent elsewhere."),
        },
        _flag("ready", "1: answer 503 where clients should be sent elsewhere."),
    ),
    "/metrics": _get(
        "Figures for Prometheus.", {"200": _file("The figures.", "text/plain; version=0.0.4")}
    ),
    "/manifest/{kind}": _get(
        "The segments that can be fetched.",
        {"200": _json("manifest", "The segments, as recorded."), "400": _UNUSABLE, "404": _NONE},
        _KIND,
        _RUN_OR_ALL,
        _flag("all", "1: every record there ever was, those of removed segments included."),
    ),
    "/segment/{kind}/{name}": _get(
        "A segment's file, zstd.",
        {
            "200": _file("The file."),
            "206": _file("A part of it."),
            "404": _NONE,
            "416": _json("refusal", "It has no such part."),
        },
        _KIND,
        _in_path("name", {"type": "string"}, "The file's name, or the manifest's `path`."),
        _RANGE,
    ),
    "/runs": _get("All runs, the oldest first.", {"200": _json("runs", "The runs.")}),
    "/range/{kind}": _get(
        "Recorded lines, by tick, as they were written.",
        {
            "200": _lines("A JSON object a line."),
            "406": _json("refusal", "None of the codings is taken."),
            "500": _json("refusal", "Nothing of it can be read."),
            **_ASKED,
        },
        _KIND,
        *_SPAN,
        _RUN_OR_ALL,
        _EVERY,
        _LIMIT,
    ),
    "/events": _get(
        "Bursts and shocks of a run, each once.",
        {"200": _json("events", "The events, by tick."), **_ASKED},
        *_SPAN,
        _RUN,
        _integer("limit", 1, 100_000, "Events at most; 10,000 without it."),
    ),
    "/overview/metrics": _get(
        "Metrics of a long span, drawn together.",
        {"200": _json("overview-metrics", "A value a bucket of ticks."), **_ASKED},
        *_SPAN,
        _RUN,
        _integer("points", 2, 2000, "Buckets at most; 1000 without it."),
    ),
    "/measures": _get(
        "Graph measures of recorded frames.",
        {
            "200": _lines("A JSON object a frame."),
            "501": _json("refusal", "What it takes is not installed."),
            **_ASKED,
        },
        *_SPAN,
        _RUN_OR_ALL,
        _EVERY,
        _LIMIT,
        _option("measure", {"type": "string"}, "Some of the measures, joined by commas."),
        _option("edges", {"type": "string"}, "Of which edges, joined by commas."),
    ),
    "/viewer": _get("The page.", {"307": {"description": "Leads to `/viewer/`."}}),
    "/viewer/{name}": _get(
        "The page, and what it loads.",
        {"200": _file("A file.", "*/*"), "404": _NONE},
        _in_path("name", {"type": "string"}, "The file's path; empty for the page itself."),
    ),
    "/schemas/{name}.json": _get(
        "The schema of a message.",
        {
            "200": _answer("JSON Schema, draft 2020-12.", "application/schema+json", {}),
            "404": _NONE,
        },
        _in_path("name", {"type": "string"}, "The message's name."),
    ),
    "/openapi.json": _get(
        "This document.",
        {"200": _answer("OpenAPI 3.1.", "application/json", {"type": "object"})},
    ),
    "/ws/stream": _socket("The stream (docs/messages.md)."),
    "/ws/replay": _socket("What was recorded, played again (docs/messages.md)."),
    "/ws/ingest": _socket("Ticks from a simulator elsewhere (docs/ingest.md)."),
}
"""By path: what OpenAPI calls a path item."""
