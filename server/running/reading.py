"""The first stage: the source's ticks, one after the other, large ones made ahead of the engine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from marketcam.server.running.stages import LARGE_ROWS, Conveyor, StageTime, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.engine import Tick
    from marketcam.io.sources import Source
    from marketcam.server.running.stages import QueueFigures

__all__ = ["Reader"]


class _Read(NamedTuple):
    """A tick and where it stands in its source."""

    tick: Tick
    place: str


class Reader:
    """Gives the ticks of a source, once.

    Small ticks are asked for when they are wanted. From the first large one on, a thread of its
    own asks for them and keeps some ready in a `Conveyor`; when that is full, it waits. Those
    which are ready when the run is stopped were not taken in, and are forgotten.

    Attributes:
        time: time spent in the source.
    """

    def __init__(self, source: Source, time: StageTime) -> None:
        self.time = time
        self._source = source
        self._ticks: Iterator[Tick] | None = None
        self._ahead: Conveyor[_Read] = Conveyor()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._place: str | None = None

    @property
    def ahead(self) -> QueueFigures:
        """The ticks that are ready."""
        return self._ahead.figures

    @property
    def place(self) -> str:
        """Where the last tick, or the error in its place, stands in the source, if it says so."""
        return self._source.place if self._place is None else self._place

    def next(self) -> Tick | None:
        """Return the next tick, waiting for it; None at the end.

        Raises:
            Exception: whatever the source raises, in the place of a tick.
        """
        if self._thread is not None:
            return self._next_ready()
        if self._ticks is None:
            self._ticks = iter(self._source)
        tick = timed(self.time, next, self._ticks, None)
        if tick is not None and tick.agent_id.size >= LARGE_ROWS:
            self._place = self._source.place
            self._thread = threading.Thread(
                target=self._read_ahead, args=(self._ticks,), name="source", daemon=True
            )
            self._thread.start()
        return tick

    def interrupt(self) -> None:
        """End the source; whoever waits in `next` is let go. Safe to call from any thread."""
        self._ahead.abandon()
        self._source.close()  # it may be waiting for a tick that never comes

    def close(self) -> None:
        """End the source, and wait for its thread. For the thread that calls `next`."""
        self.interrupt()
        if self._thread is not None:
            self._thread.join()

    def _next_ready(self) -> Tick | None:
        read = self._ahead.take()
        if read is not None:
            self._place = read.place
            return read.tick
        if self._error is not None:
            self._place = None
            raise self._error
        return None

    def _read_ahead(self, ticks: Iterator[Tick]) -> None:
        try:
            while (tick := timed(self.time, next, ticks, None)) is not None:
                if not self._ahead.put(_Read(tick, self._source.place), tick.agent_id.size):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the tick was wanted
            self._error = error
        finally:
            self._ahead.finish()
