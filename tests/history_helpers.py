"""A store with a little of everything: frames with edges of both types, metrics, ticks, runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marketcam.engine import Metric, SlidingWindowCamera, Tick
from marketcam.io import encode_frame, encode_metric, encode_tick
from marketcam.io.store import ZstdSegmentWriter
from tests.raw_ticks import STATE, crowd

if TYPE_CHECKING:
    from pathlib import Path

W, STRIDE, AGENTS = 8, 4, 12


def raw_ticks(ticks: int = 60, *, agents: int = AGENTS) -> list[dict[str, Any]]:
    """Ticks with matches and unknown experiences; some without a mid, one without a state."""
    raws = list(crowd(5, ticks, agents=agents, lifetime=40))
    return [
        raw | {"s": STATE if t != 3 else None, "agents": raw["agents"] | {"7": None}}
        for t, raw in enumerate(raws)
    ]


def film_into(store: Path, raws: list[dict[str, Any]], **options: Any) -> dict[str, list[bytes]]:
    """Record what a camera makes of ticks; return the lines of each kind."""
    camera = SlidingWindowCamera(W=W, stride=STRIDE, eps_pct=0.05, burst_z=1.0, shock_z=1.0)
    lines: dict[str, list[bytes]] = {"frames": [], "metrics": [], "ticks": []}
    writers = {kind: ZstdSegmentWriter(kind, store, **options) for kind in lines}
    for raw in raws:
        tick = Tick.from_dict(raw)
        camera.ingest_tick(tick)
        metric = Metric.of(tick)
        frame = camera.maybe_frame(tick.t)
        made = {
            "ticks": encode_tick(tick),
            "metrics": None if metric is None else encode_metric(metric),
            "frames": None if frame is None else encode_frame(frame),
        }
        for kind, line in made.items():
            if line is not None:
                lines[kind].append(line)
                writers[kind].write_jsonline(line, tick.t)
    for writer in writers.values():
        writer.close()
    return lines
