"""What can go wrong with a source of ticks.

::

    MarketCameraError
    └── SourceError              a source that cannot be opened or read
        ├── MalformedLineError   a line that is no JSON object, before any tick is seen in it
        ├── TickLineError        a bad line or row of a tick file, by number, where that is fatal
        └── SimulatorError       a simulator that cannot be loaded, failed, or answered nonsense
"""

from __future__ import annotations

from marketcam.engine import MarketCameraError

__all__ = ["MalformedLineError", "SimulatorError", "SourceError", "TickLineError", "on_one_line"]


class SourceError(MarketCameraError):
    """A source cannot be opened, or cannot be read on."""


class MalformedLineError(SourceError, ValueError):
    """A line is not a JSON text without repeated keys."""


class TickLineError(SourceError, ValueError):
    """A bad line, or a bad row, ended the reading of a tick file.

    Attributes:
        number: the line's number, from 1.
        error: what is wrong with it.
    """

    def __init__(
        self, source: str, number: int, error: MarketCameraError, unit: str = "line"
    ) -> None:
        """Compose the message from the source's name, the line's number and the error."""
        self.number = number
        self.error = error
        super().__init__(f"{source}: {unit} {number}: {error}")


class SimulatorError(SourceError):
    """A simulator cannot be loaded, failed in a tick, or answered what it must not."""


def on_one_line(error: BaseException) -> str:
    """Return a foreign error's type and message, however many lines the message has."""
    return " ".join(f"{type(error).__name__}: {error}".split())
