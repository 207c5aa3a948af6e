"""Messages and raw ticks to JSON text, each encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from marketcam.io.columns_encode import encode_frame_columns
from marketcam.io.frame_json import frame_json

if TYPE_CHECKING:
    from marketcam.engine import Frame, Metric, Tick

__all__ = ["encode_frame", "encode_metric", "encode_tick", "warm_up_encoders"]

_ORJSON_BUFFER: Final = 4096


def encode_frame(frame: Frame) -> bytes:
    """Return the JSON text of a frame, byte-identical to `orjson.dumps(frame.to_dict())`."""
    return frame_json(frame)


def warm_up_encoders(frame: Frame) -> None:
    """Compile the kernels of all encodings of a frame; `marketcam.engine.warm_up` returns one.

    Cost: some seconds with an empty kernel cache, then a fraction of one.
    """
    encode_frame(frame)
    encode_frame_columns(frame)


def encode_metric(metric: Metric) -> bytes:
    """Return the JSON text of a metric."""
    return _compact(orjson.dumps(metric.to_dict()))


def encode_tick(tick: Tick) -> bytes:
    """Return the JSON text of a raw tick, a line that `Tick.from_dict` reads back exactly."""
    return _compact(orjson.dumps(tick.to_dict()))


def _compact(text: bytes) -> bytes:
    """Return a short text in memory of its own size; orjson leaves it in a buffer of 4 KB."""
    return bytes(memoryview(text)) if len(text) < _ORJSON_BUFFER else text
