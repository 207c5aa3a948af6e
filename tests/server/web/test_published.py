"""Schemas and the OpenAPI document, as a live server gives them and keeps to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from marketcam.io.schemas import NAMES, schema_text
from marketcam.server.web.described import DESCRIBED
from marketcam.server.web.published import openapi
from tests.end_to_end.test_readme import output_of
from tests.readme_blocks import ROOT, read
from tests.server_helpers import fed_server, receive_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server_helpers import Running

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run a camera that has recorded something of every kind."""
    with fed_server(tmp_path_factory.mktemp("camera"), record_ticks=True) as (server, feed):
        with server.stream() as stream:
            feed.send_ticks(0, 9)
            receive_until(stream, "metric", 9)
        server.rig.recorder.flush()
        yield server


@pytest.fixture(scope="module")
def described(camera: Running) -> Any:
    """The document, as a tool reads it from the server."""
    return schemathesis.openapi.from_url(f"{camera.listening.url}/openapi.json")


def test_schemas_are_served_as_they_are(camera: Running) -> None:
    with camera.http() as http:
        for name in NAMES:
            answer = http.get(f"/schemas/{name}.json")
            assert answer.content == schema_text(name)
            assert answer.headers["content-type"] == "application/schema+json"
        assert http.get("/schemas/nothing.json").json() == {"error": "no such schema"}
        assert http.get("/schemas/..%2Fframe.json").status_code == 404


def test_the_document_has_the_paths_that_are_served(camera: Running) -> None:
    with camera.http() as http:
        paths = http.get("/openapi.json").json()["paths"]
    served = {route.path.replace(":path}", "}") for route in camera.listening.app.routes}
    assert set(paths) == served


def test_every_description_is_of_a_form_that_tools_take() -> None:
    schemathesis.openapi.from_dict(openapi(DESCRIBED)).validate()


@pytest.mark.parametrize("mode", GenerationMode)
def test_answers_conform_whatever_is_asked(described: Any, mode: GenerationMode) -> None:
    """Asked with what the document allows, and with what it does not."""
    for found in described.get_all_operations():
        operation = found.ok()
        if mode.is_positive or operation.query:  # there is no text that is not allowed
            ask(operation, mode)


def ask(operation: Any, mode: GenerationMode) -> None:
    """Ask for one path, again and again."""

    @settings(
        max_examples=15,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def asked(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    asked()


def test_what_is_there_conforms(camera: Running, described: Any) -> None:
    with camera.http() as http:
        (segment,) = http.get("/manifest/metrics").json()
    name = segment["path"].removeprefix("metrics/")
    segments, ranges = described["/segment/{kind}/{name}"]["GET"], described["/range/{kind}"]["GET"]
    whole = segments.Case(path_parameters={"kind": "metrics", "name": name})
    assert whole.call_and_validate(checks=CHECKS).status_code == 200
    part = segments.Case(
        path_parameters={"kind": "metrics", "name": name}, headers={"Range": "bytes=0-3"}
    )
    assert part.call_and_validate(checks=CHECKS).status_code == 206
    lines = ranges.Case(path_parameters={"kind": "ticks"}, query={"from_t": 3, "every": 2})
    assert lines.call_and_validate(checks=CHECKS).status_code == 200


def test_a_message_is_checked_as_the_documents_show(camera: Running, tmp_path: Path) -> None:
    blocks = read(ROOT / "docs" / "schemas.md").blocks
    (block,) = [each for each in blocks if each.language == "python"]
    assert block.text.count("127.0.0.1:8000") == 2
    script = block.text.replace("127.0.0.1:8000", f"127.0.0.1:{camera.listening.port}")
    (tmp_path / "check.py").write_text(script)
    assert output_of("python check.py", tmp_path) == ""
