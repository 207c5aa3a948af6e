"""Messages and raw ticks to JSON text, each encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from marketcam.io.frame_json import frame_json

if TYPE_CHECKING:
    from marketcam.engine import Frame, Metric, Tick

__all__ = ["encode_frame", "encode_metric", "encode_tick"]


def encode_frame(frame: Frame) -> bytes:
    """Return the JSON text of a frame, byte-identical to `orjson.dumps(frame.to_dict())`."""
    return frame_json(frame)


def encode_metric(metric: Metric) -> bytes:
    """Return the JSON text of a metric."""
    return orjson.dumps(metric.to_dict())


def encode_tick(tick: Tick) -> bytes:
    """Return the JSON text of a raw tick, a line that `Tick.from_dict` reads back exactly."""
    return orjson.dumps(tick.to_dict())
