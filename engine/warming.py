"""Compiling ahead: every kernel of the camera, for the types it meets in production."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine.camera import SlidingWindowCamera
from marketcam.engine.market import InfiniteGameMarket

if TYPE_CHECKING:
    from marketcam.engine.frame import Frame

__all__ = ["warm_up"]

_AGENTS = 70  # more than tables have room for at first
_TICKS = 5


def warm_up() -> Frame:
    """Run a market and cameras of both rules, so that nothing is compiled after the first tick.

    Returns the last frame, for encoders to warm up with. Cost: 12 s and more with an empty kernel
    cache, a fraction of a second from then on.
    """
    InfiniteGameMarket(1).step()
    return [_film(rule) for rule in ("pairs", "neighbors")][-1]


def _film(proximity: str) -> Frame:
    # One edge fits: with more candidates than that, ties are cut as well.
    camera = SlidingWindowCamera(W=3, stride=1, edge_cap=1, match_share=0.0, proximity=proximity)  # type: ignore[arg-type]
    frame = None
    for t in range(1, _TICKS):
        # New agents every tick, in descending order: slots are freed, handed on, and grow, and so
        # do the tables of pairs.
        ids = np.arange(_AGENTS * t * t + _AGENTS, _AGENTS * t * t, -1)
        side = (1 + ids % 2).astype(np.int8)
        matches = np.stack([ids, np.roll(ids, 1)], axis=1)
        camera.ingest_arrays(
            t, 100.0, ids, np.zeros(ids.size), side, np.full(ids.size, 100.0), matches
        )
        frame = camera.maybe_frame(t)
    assert frame is not None  # noqa: S101 - t has passed W
    return frame
