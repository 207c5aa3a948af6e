"""A grid, measured point by point into a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from marketcam.server.profiling.child import measure_apart, prepare_apart
from marketcam.server.profiling.errors import PointError
from marketcam.server.profiling.journal import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marketcam.server.profiling.journal import Journal
    from marketcam.server.profiling.points import Point

__all__ = ["Watcher", "measure_all", "measured_point"]


class Watcher(Protocol):
    """Is told how a session comes along."""

    def preparing(self) -> None:
        """The kernels are being compiled, or loaded."""

    def measuring(self, point: Point) -> None:
        """This point has begun."""

    def measured(self, result: Result) -> None:
        """This has come of it, and is kept."""


def measure_all(points: Sequence[Point], journal: Journal, watcher: Watcher) -> None:
    """Measure what the journal does not hold yet; each result is kept as soon as it is there.

    Raises:
        PointError: not even the kernels can be compiled.
        OSError: the journal cannot be written.
    """
    due = [point for point in points if not journal.settles(point)]
    if due:
        watcher.preparing()
        prepare_apart()
    for point in due:
        watcher.measuring(point)
        result = measured_point(point)
        journal.add(result)
        watcher.measured(result)


def measured_point(point: Point) -> Result:
    """Measure a point in a process of its own; what keeps it from being measured is a result."""
    try:
        return Result.measured(point, measure_apart(point))
    except PointError as error:
        return Result.failed(point, error)
