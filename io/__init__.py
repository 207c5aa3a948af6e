"""The bytes of the camera: raw ticks in, messages and segments out, history back in.

What the package offers is imported when it is asked for, as in `marketcam.engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.engine.lazy import lazy_names

if TYPE_CHECKING:
    from marketcam.io.encode import encode_frame, encode_metric, encode_tick
    from marketcam.io.sources import Source
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
            "encode": ("encode_frame", "encode_metric", "encode_tick"),
            "sources": ("Source",),
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
    "Recorder",
    "RecorderOptions",
    "RetentionPolicy",
    "SimulatorSource",
    "Source",
    "Store",
    "TickLines",
    "ZstdSegmentWriter",
    "encode_frame",
    "encode_metric",
    "encode_tick",
    "recover",
]
