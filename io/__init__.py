"""The bytes of the camera: raw ticks in, messages and segments out, history back in.

What the package offers is imported when it is asked for, as in `marketcam.engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.engine.lazy import lazy_names

if TYPE_CHECKING:
    from marketcam.io.columns_decode import decode_frame_columns
    from marketcam.io.columns_encode import encode_frame_columns
    from marketcam.io.columns_form import ColumnsError
    from marketcam.io.encode import encode_frame, encode_metric, encode_tick, warm_up_encoders
    from marketcam.io.sources import Source
    from marketcam.io.sources.opening import read_ticks
    from marketcam.io.sources.simulator import SimulatorSource
    from marketcam.io.sources.tick_lines import TickLines
    from marketcam.io.store import (
        Recorder,
        RecorderOptions,
        RetentionPolicy,
        Store,
        ZstdSegmentWriter,
        recover,
    )
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "columns_decode": ("decode_frame_columns",),
            "columns_encode": ("encode_frame_columns",),
            "columns_form": ("ColumnsError",),
            "encode": ("encode_frame", "encode_metric", "encode_tick", "warm_up_encoders"),
            "sources": ("Source",),
            "sources.opening": ("read_ticks",),
            "sources.simulator": ("SimulatorSource",),
            "sources.tick_lines": ("TickLines",),
            "store": (
                "Recorder",
                "RecorderOptions",
                "RetentionPolicy",
                "Store",
                "ZstdSegmentWriter",
                "recover",
            ),
        },
    )

__all__ = [
    "ColumnsError",
    "Recorder",
    "RecorderOptions",
    "RetentionPolicy",
    "SimulatorSource",
    "Source",
    "Store",
    "TickLines",
    "ZstdSegmentWriter",
    "decode_frame_columns",
    "encode_frame",
    "encode_frame_columns",
    "encode_metric",
    "encode_tick",
    "read_ticks",
    "recover",
    "warm_up_encoders",
]
