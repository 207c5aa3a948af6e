"""The schemas: sound, strict enough, what the documents say, and held against all that is sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.io.schemas import NAMES, schema, schema_text, schemas_under
from tests.conforming import SAID, closed, problems
from tests.published_tables import DOCS, documents, tables_of, written_anew
from tests.readme_blocks import ROOT, the_block

if TYPE_CHECKING:
    from collections.abc import Iterator

METRIC = orjson.loads(the_block("What it sends", "json", 0))
FRAME = orjson.loads(the_block("What it sends", "json", 1))
TICK = orjson.loads(the_block("Film your own simulator", "json"))
SHOWN = {"metric": METRIC, "frame": FRAME, "raw-tick": TICK}


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_sound(name):
    given = schema(name)
    jsonschema_rs.meta.validate(given)
    assert given["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert given["title"]
    assert given["description"].endswith(".")
    assert {ref.removesuffix(".json") for ref in references(given)} <= set(NAMES)
    assert all(ref.endswith(".json") for ref in references(given))


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)


def test_an_unknown_schema_is_told():
    with pytest.raises(KeyError, match="nothing"):
        schema_text("nothing")


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_shown_conforms(name):
    assert problems(name, SHOWN[name]) == []


def test_published_schemas_let_pass_what_may_come_one_day():
    document = {"$ref": "#/$defs/metric", "$defs": schemas_under("#/$defs")}
    jsonschema_rs.validate(document, METRIC | {"depth": 3})
    assert problems("metric", METRIC | {"depth": 3})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all fields within a message, however deep."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in items:
        if isinstance(value, dict):
            yield (*path, key)
        if isinstance(member, dict | list):
            yield from places(member, (*path, key))


def changed(message: Any, path: tuple[Any, ...], change: Any) -> Any:
    """Return a copy of a message with one place changed."""
    copy = orjson.loads(orjson.dumps(message))
    *way, last = path
    inside = copy
    for step in way:
        inside = inside[step]
    change(inside, last)
    return copy


@given(st.data())
def test_no_field_of_a_frame_may_be_missing_renamed_or_of_another_type(data):
    path = data.draw(st.sampled_from(sorted(places(FRAME), key=str)))
    wrong = data.draw(st.sampled_from([{"no": 1}, "?", True, [["x"]]]))
    assert problems("frame", changed(FRAME, path, lambda inside, name: inside.pop(name)))
    assert problems("frame", changed(FRAME, path, lambda i, name: i.update({f"{name}_": 1})))
    assert problems("frame", changed(FRAME, path, lambda i, name: i.update({name: wrong})))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("t", 0.5),
        ("t", 2**53),
        ("agents", {"07": 1.0}),
        ("agents", {"-1": 1.0}),
        ("actions", {"7": {"side": "buy"}}),
        ("actions", {"7": {"side": "hold", "price": 1.0}}),
        ("matches", [[7]]),
        ("matches", [[-1, 7]]),
    ],
)
def test_a_bad_raw_tick_does_not_conform(field, value):
    assert problems("raw-tick", TICK | {field: value})


def test_every_schema_is_used():
    """A message, an answer, or a part of one; what is sent to the camera, or to the webhook."""
    sent_by_others = {"auth", "end", "replay-control", "webhook"}
    answers = {"index", "health", "runs", "manifest", "refusal", "events", "overview-metrics"}
    parts = {ref.removesuffix(".json") for name in NAMES for ref in references(schema(name))}
    assert sent_by_others | answers | set(SAID.values()) | parts | {"raw-tick"} == set(NAMES)


def test_closing_leaves_what_is_said_of_other_fields():
    assert closed({"properties": {}, "additionalProperties": True})["additionalProperties"] is True


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(DOCS).as_posix())
def test_tables_are_in_step(path):
    """They are written by `make tables`."""
    assert written_anew(path) == path.read_text()


def test_the_reference_has_a_table_of_each_message_with_fields():
    tabled = {name for path in documents() for name in tables_of(path)}
    fields = {name for name in SAID.values() if len(schema(name)["properties"]) > 2}
    assert fields - tabled - {"seek", "events-line"} == set()


def test_tests_ask_with_what_looks_at_answers():
    """But for two programs that tests run, and the client that finds no TLS."""
    excepted = {"conforming.py", "honest.py", "test_resuming.py", "test_schemas.py"}
    plain = re.compile(
        r"^from websockets\.(sync|asyncio)(\.client)? import .*(connect|client)"
        r"|\bhttpx\.Client\((?!\) as plain)",
        re.MULTILINE,
    )
    paths = [path for path in (ROOT / "tests").rglob("*.py") if path.name not in excepted]
    assert [path.name for path in paths if plain.search(path.read_text())] == []


def test_the_package_holds_the_files():
    folder = Path(__file__).parent.parent / "io" / "schemas"
    assert sorted(path.stem for path in folder.glob("*.json")) == list(NAMES)
