"""Tables of the documents that are made of what is published; `make tables` writes them anew.

A table stands between two comments, ``<!-- fields: NAME -->`` and ``<!-- end of the fields -->``,
where NAME is a schema's. Words around it are written by hand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from marketcam.io.schemas import NAMES, schema
from marketcam.server.settings import configuration_table
from tests.readme_blocks import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
_BEGIN = r"(?P<begin><!-- (?P<part>configuration table|schemas|fields)(: (?P<name>[\w-]+))? -->\n)"
_END = r"(?P<end><!-- end of the (?:table|schemas|fields) -->)"
_PART = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)
_NUMBERS = ("tick-number", "agent-id")


def fields_table(name: str) -> str:
    """Return the fields of a message, with what its schema says of each."""
    fields = schema(name)["properties"]
    rows = [
        f"| `{field}` | {_type_of(about)} | {about.get('description', '')} |\n"
        for field, about in fields.items()
        if field != "type"
    ]
    return "".join(("| field | type | meaning |\n|---|---|---|\n", *rows))


def schemas_table() -> str:
    """Return a list of all schemas."""
    rows = [f"| `{name}` | {schema(name)['description']} |\n" for name in NAMES]
    return "".join(("| schema | of what |\n|---|---|\n", *rows))


def written_anew(path: Path) -> str:
    """Return the text of a document, with its tables as they should be."""

    def table(found: re.Match[str]) -> str:
        match found["part"]:
            case "fields":
                rows = fields_table(found["name"])
            case "schemas":
                rows = schemas_table()
            case _:
                rows = configuration_table()
        return f"{found['begin']}{rows}{found['end']}"

    return _PART.sub(table, path.read_text())


def documents() -> list[Path]:
    return sorted(DOCS.rglob("*.md"))


def tables_of(path: Path) -> list[str]:
    """Return the names of the schemas of which a document has a table."""
    return [found["name"] for found in _PART.finditer(path.read_text()) if found["name"]]


def _type_of(about: dict[str, Any]) -> str:
    """Return the type of a field in a word or two."""
    if "enum" in about:
        return " ".join(f"`{value}`" for value in about["enum"])
    if "const" in about:
        return f"`{about['const']}`"
    if "$ref" in about:
        name = about["$ref"].removesuffix(".json")
        return "integer" if name in _NUMBERS else _type_of(schema(name))
    if "anyOf" in about:
        kinds = dict.fromkeys(_type_of(one) for one in about["anyOf"])
        return ", ".join(kind for kind in kinds if kind != "`0`")
    kinds = about["type"] if isinstance(about["type"], list) else [about["type"]]
    return ", ".join(kinds).replace("array", "list")


def main() -> None:
    """Write all tables anew."""
    for path in documents():
        path.write_text(written_anew(path))


if __name__ == "__main__":
    main()
