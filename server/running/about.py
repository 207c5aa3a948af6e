"""What is said of a run in the journal of its store: with what it is filmed."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marketcam.server.settings import Settings

__all__ = ["about_run"]


def about_run(settings: Settings) -> dict[str, object]:
    """Return what the run is filmed with, for its record."""
    return {
        "version": version("marketcam"),
        "source": settings.source,
        "seed": settings.seed,
        "tick_rate": settings.pace,
        "metric_downsample": settings.metric_downsample,
        "camera": dict(settings.camera_arguments()),
    }
