"""The numbers of the camera: ticks in, structure frames out. No I/O, no clock, no threads.

But compiled kernels are kept on disk (`kernel_cache`), and work on many agents is shared by a crew
of threads (`crew`). What the package offers is imported
when it is asked for, since the compiler takes a while to load and not all who come here need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.engine.lazy import lazy_names

if TYPE_CHECKING:
    from marketcam.engine.camera import SlidingWindowCamera
    from marketcam.engine.errors import FrameError, LimitError, MarketCameraError, TickError
    from marketcam.engine.filming import film
    from marketcam.engine.frame import EDGE_TYPES, Edges, Events, Frame, Nodes
    from marketcam.engine.metric import Metric
    from marketcam.engine.tick import MAX_ID, POOL, SIDES, MarketState, Tick
    from marketcam.engine.tiles import pair_table_bytes
    from marketcam.engine.warming import warm_up
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "camera": ("SlidingWindowCamera",),
            "errors": ("FrameError", "LimitError", "MarketCameraError", "TickError"),
            "filming": ("film",),
            "frame": ("EDGE_TYPES", "Edges", "Events", "Frame", "Nodes"),
            "metric": ("Metric",),
            "tick": ("MAX_ID", "POOL", "SIDES", "MarketState", "Tick"),
            "tiles": ("pair_table_bytes",),
            "warming": ("warm_up",),
        },
    )

__all__ = [
    "EDGE_TYPES",
    "MAX_ID",
    "POOL",
    "SIDES",
    "Edges",
    "Events",
    "Frame",
    "FrameError",
    "LimitError",
    "MarketCameraError",
    "MarketState",
    "Metric",
    "Nodes",
    "SlidingWindowCamera",
    "Tick",
    "TickError",
    "film",
    "pair_table_bytes",
    "warm_up",
]
