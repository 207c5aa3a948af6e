"""What is said of a run in the journal of its store: with what it is filmed."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from marketcam.server.operators.events import EVENTS
from marketcam.server.stream.selection import FilmedWith

if TYPE_CHECKING:
    from marketcam.server.settings import Settings

__all__ = ["about_run", "filmed_with", "kinds_recorded"]


def about_run(settings: Settings) -> dict[str, object]:
    """Return what the run is filmed with, for its record."""
    market = {"scenario": settings.scenario} if settings.source == "market" else {}
    return {
        "version": version("marketcam"),
        "source": settings.source,
        **market,
        "seed": settings.seed,
        "tick_rate": settings.pace,
        "metric_downsample": settings.metric_downsample,
        "camera": dict(settings.camera_arguments()),
        "kinds": list(kinds_recorded(settings)),
    }


def kinds_recorded(settings: Settings) -> tuple[str, ...]:
    """Return the kinds of lines that are recorded of it."""
    ticks = ("ticks",) if settings.record_ticks else ()
    return ("frames", "metrics", *ticks, EVENTS)


def filmed_with(settings: Settings) -> FilmedWith:
    """Return of the same what a viewer's wishes depend on."""
    return FilmedWith(
        stride=settings.stride,
        metric_downsample=settings.metric_downsample,
        edge_cap=settings.edge_cap,
        match_share=settings.match_share,
    )
