"""Where raw ticks come from: anything that yields `Tick`s in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from marketcam.io.lines import MAX_LINE_BYTES
from marketcam.io.sources.errors import (
    MalformedLineError,
    SimulatorError,
    SourceError,
    TickLineError,
)
from marketcam.io.sources.line_reader import TornEnd
from marketcam.io.sources.opening import (
    LineSource,
    Measured,
    Numbered,
    TickSource,
    open_ticks,
    read_ticks,
)
from marketcam.io.sources.simulator import SimulatorSource
from marketcam.io.sources.tick_lines import BadLine, TickLines, fail_on_bad_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.engine import Tick

__all__ = [
    "MAX_LINE_BYTES",
    "BadLine",
    "LineSource",
    "MalformedLineError",
    "Measured",
    "Numbered",
    "SimulatorError",
    "SimulatorSource",
    "Source",
    "SourceError",
    "TickLineError",
    "TickLines",
    "TickSource",
    "TornEnd",
    "fail_on_bad_line",
    "open_ticks",
    "read_ticks",
]


class Source(Protocol):
    """A source of raw ticks, iterated once and by one thread.

    Attributes:
        name: what the log calls it.
        place: where the last tick came from, such as ``"line 12"``; empty where that says nothing.
    """

    name: str

    @property
    def place(self) -> str:
        """Where the last tick came from; see the class."""

    def __iter__(self) -> Iterator[Tick]:
        """Yield ticks in order. What it raises is a `MarketCameraError` and ends the run."""

    def close(self) -> None:
        """Release what is held and end the iteration.

        Safe from any thread, also while the iterating one waits for the next tick; more than
        once is fine.
        """
