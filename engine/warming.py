"""Compiling ahead: every kernel of the camera, for the types it meets in production."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine.camera import SlidingWindowCamera
from marketcam.engine.count_edges import rehearse_counts
from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.market import InfiniteGameMarket

if TYPE_CHECKING:
    from marketcam.engine.frame import Frame

__all__ = ["warm_up"]

_AGENTS = 150  # more than tables have room for at first; three ticks' are more than have prices
_TICKS = 5
_LONG = 70  # ticks that do not fit into one block


def warm_up() -> Frame:
    """Run the markets and cameras of both rules, so that nothing is compiled after the first tick.

    Returns the last frame, for encoders to warm up with. Cost: 12 s and more with an empty kernel
    cache, a fraction of a second from then on.
    """
    InfiniteGameMarket(1).step()
    EcologyMarket(3).step()
    rehearse_counts()
    _film_events()
    return [_film(rule) for rule in ("pairs", "neighbors")][-1]


def _film_events() -> None:
    """Film a window that is longer than a block, and in which something happens."""
    camera = SlidingWindowCamera(W=_LONG, stride=_LONG, burst_z=0.0, shock_z=0.0)
    ids, side = np.arange(2), np.array([1, 2], dtype=np.int8)
    for t in range(1, _LONG + 1):
        matches = np.array([[0, 1]])[: t % 2]
        camera.ingest_arrays(t, 100.0 + t % 3, ids, np.zeros(2), side, np.full(2, 100.0), matches)
        camera.maybe_frame(t)


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
