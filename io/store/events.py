"""How this package says what happened: it calls back, the owner of a log writes it down."""

from __future__ import annotations

import logging
from typing import Literal, Protocol

__all__ = ["EventSink", "Level", "guarded", "ignore_event", "ignore_progress"]

Level = Literal["info", "warning", "error"]

_log = logging.getLogger(__name__)


class EventSink(Protocol):
    """Takes one event. Called from the thread in which it happened, so it must not wait."""

    def __call__(self, level: Level, event: str, /, **fields: object) -> None:
        """Take an event's level, its name in snake_case, and its fields (plain values)."""


def ignore_event(level: Level, event: str, /, **fields: object) -> None:
    """Take an event and leave it at that: for callers who read reports and status instead."""


def ignore_progress(file_bytes: int, json_bytes: int) -> None:
    """Take how many bytes of a file and of its text were read, and leave it at that."""


def guarded(on_event: EventSink) -> EventSink:
    """Return a sink that does not raise: who is told of something does not stop it."""

    def say(level: Level, event: str, /, **fields: object) -> None:
        try:
            on_event(level, event, **fields)
        except Exception:  # noqa: BLE001 - whatever it is, it is its owner's
            _log.exception("an event sink raised at %s", event)

    return say
