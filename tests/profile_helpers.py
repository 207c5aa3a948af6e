"""Points, figures and results for the tests of `marketcam profile`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from marketcam.server.profiling.journal import Result
from marketcam.server.profiling.measure import Figures
from marketcam.server.profiling.points import Effort, Point, grid

SMALL = Effort(frames=3, seconds=0.0, sampled=2)
CONDITIONS = {"machine": "here", "numpy": "2.4", "code": "abc"}


def points(effort: Effort = SMALL, **given: str) -> tuple[Point, ...]:
    """Return the grid of some settings, small ones where nothing else is said."""
    usual = {"agents": "5", "window": "6", "stride": "2", "edge_cap": "20", "prox_eps_pct": "0.05"}
    return grid(usual | given, effort)


def a_point(**fields: Any) -> Point:
    return replace(points()[0], **fields)


def figures(**fields: Any) -> Figures:
    usual = Figures(
        frames=30,
        ticks=300,
        refused=0,
        ticks_per_second=1234.5,
        frame_ms_p50=0.5,
        frame_ms_p95=0.75,
        frame_ms_p99=1.25,
        frame_bytes=20_000.0,
        frame_bytes_zstd=2_000.0,
        memory_peak_bytes=200 * 2**20,
        memory_before_bytes=190 * 2**20,
        memory_table_bytes=2**19,
        nodes=74.0,
        edges=500.0,
        edges_all=5000.0,
        edges_all_cut=False,
        edges_kept_share=0.1,
        weight_kept_share=0.25,
        match_weight_kept_share=None,
        weight_least_kept=0.0133,
        curve=((1, 0.001), (10, 0.01), (500, 0.25), (5000, 1.0)),
    )
    return replace(usual, **fields)


def result(point: Point, **fields: Any) -> Result:
    return Result(point, figures(**fields), None, True, "2026-11-22T15:00:00+00:00")


def failure(point: Point, reason: str = "no room <here> & there") -> Result:
    return Result(point, None, reason, True, "2026-11-22T15:00:00+00:00")
