"""What a producer is told: the messages of docs/ingest.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from marketcam.server.ingest.ledger import Refusal
    from marketcam.server.ingest.source import Progress

__all__ = ["PONG", "ack", "heartbeat", "hello", "refused"]


def _text(**fields: Any) -> str:
    return orjson.dumps(fields).decode()


PONG = _text(type="pong")
"""The answer to the text `ping`."""


def hello(terms: dict[str, object], last_t: int | None) -> str:
    """Say what a producer has to know, and where it goes on."""
    return _text(type="hello", last_t=last_t, **terms)


def ack(progress: Progress) -> str:
    """Say how many ticks of this connection are dealt with."""
    return _text(type="ack", t=progress.last_t, ticks=progress.dealt, refused=progress.refused)


def refused(refusal: Refusal) -> str:
    """Say which tick was refused, and why."""
    return _text(type="refused", tick=refusal.tick, t=refusal.t, error=refusal.error)


def heartbeat(last_t: int | None) -> str:
    """Say that the connection is there."""
    return _text(type="heartbeat", t=last_t)
