"""JSON Schemas (draft 2020-12) of all that goes in and out as JSON, one file a message.

They say what is promised: which fields there are and what they hold. Fields may be added to what
the camera sends (docs/releases.md), so that readers should ignore those they do not know, and the
schemas let them pass. References lead from one file to another of the same folder.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson

__all__ = ["NAMES", "schema", "schema_text", "schemas_under"]

_FOLDER: Final = files(__name__)
_ENDING: Final = ".json"

NAMES: Final = tuple(
    sorted(
        path.name.removesuffix(_ENDING) for path in _FOLDER.iterdir() if path.name.endswith(_ENDING)
    )
)
"""Names of the schemas: those of the files, without their ending."""


@cache
def schema_text(name: str) -> bytes:
    """Return a schema as it is published: its file.

    Raises:
        KeyError: there is no such schema.
    """
    if name not in NAMES:
        raise KeyError(name)
    return (_FOLDER / f"{name}{_ENDING}").read_bytes()


def schema(name: str) -> dict[str, Any]:
    """Return a schema.

    Raises:
        KeyError: there is no such schema.
    """
    read: dict[str, Any] = orjson.loads(schema_text(name))
    return read


def schemas_under(pointer: str) -> dict[str, dict[str, Any]]:
    """Return all schemas by name, for one document that holds them at a JSON pointer.

    Args:
        pointer: where the mapping will be, as ``#/$defs``; references between them lead there.
    """
    return {name: _referring(schema(name), pointer) for name in NAMES}


def _referring(part: Any, pointer: str) -> Any:
    """Return a part of a schema with its references to files led to a pointer."""
    if isinstance(part, list):
        return [_referring(item, pointer) for item in part]
    if not isinstance(part, dict):
        return part
    led = {name: _referring(value, pointer) for name, value in part.items()}
    if isinstance(part.get("$ref"), str):
        led["$ref"] = f"{pointer}/{part['$ref'].removesuffix(_ENDING)}"
    return led
