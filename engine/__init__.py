"""The numbers of the camera: ticks in, structure frames out. No I/O, no clock, no threads."""

from marketcam.engine.camera import SlidingWindowCamera
from marketcam.engine.errors import LimitError, MarketCameraError, TickError
from marketcam.engine.frame import EDGE_TYPES, Edges, Events, Frame, Nodes
from marketcam.engine.metric import Metric
from marketcam.engine.tick import MAX_ID, POOL, SIDES, MarketState, Tick
from marketcam.engine.tiles import pair_table_bytes
from marketcam.engine.warm_up import warm_up

__all__ = [
    "EDGE_TYPES",
    "MAX_ID",
    "POOL",
    "SIDES",
    "Edges",
    "Events",
    "Frame",
    "LimitError",
    "MarketCameraError",
    "MarketState",
    "Metric",
    "Nodes",
    "SlidingWindowCamera",
    "Tick",
    "TickError",
    "pair_table_bytes",
    "warm_up",
]
