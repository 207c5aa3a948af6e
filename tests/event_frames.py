"""Frames with the events that a test wants in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine import SlidingWindowCamera
from marketcam.engine.frame import Events
from tests.server_helpers import state_tick

if TYPE_CHECKING:
    from marketcam.engine import Frame

W = 8


def events_at(*ticks: int) -> Events:
    t = np.array(ticks, np.int64)
    return Events(t, t * 10, np.full(t.size, 4.5))


def frame_at(t: int, bursts: tuple[int, ...] = (), shocks: tuple[int, ...] = ()) -> Frame:
    camera = SlidingWindowCamera(W=W, stride=1)
    for number in range(t - W + 1, t + 1):
        camera.ingest(state_tick(number))
    frame = camera.maybe_frame(t)
    assert frame is not None
    return replace(frame, bursts=events_at(*bursts), shocks=events_at(*shocks))
