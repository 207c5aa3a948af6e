"""Raw ticks out of a store, where a camera has recorded them beside its frames."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, Literal

from marketcam.io.sources.errors import SourceError
from marketcam.io.sources.tick_lines import BadLine, fail_on_bad_line, tick_of_line
from marketcam.io.store import Store, UnknownRunError, UnknownSegmentError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterator

    from marketcam.engine import Tick

__all__ = ["StoreTicks"]


class StoreTicks:
    """A source of ticks: those that one run of a store has recorded, read once.

    What is recorded after it was opened is not part of it. A bad tick is told as in `TickLines`.

    Attributes:
        number: the number of the line read last, counted over all segments.
    """

    unit: ClassVar[Literal["line"]] = "line"

    def __init__(
        self,
        store_dir: str | os.PathLike[str],
        on_bad: Callable[[BadLine], None] = fail_on_bad_line,
        run: str | None = None,
    ) -> None:
        """Open a run of a store, the latest that has ticks where none is named.

        Raises:
            SourceError: there is no such run, or it has no ticks; or none has.
            StoreError: the store cannot be read.
        """
        store = Store(store_dir)
        try:
            found = store.run(run).id
            if run is None:
                found = _latest_with_ticks(store) or found
            entries = store.segments("ticks", found)
        except UnknownRunError as error:
            raise SourceError(str(error)) from error
        except UnknownSegmentError as error:
            raise SourceError(f"{error}: ticks are recorded with --record-ticks only") from error
        if not entries:
            raise SourceError(
                f"run {found} of the store at {store_dir} has no ticks: they are recorded with "
                "--record-ticks only"
            )
        self.name = f"ticks of run {found} in {store_dir}"
        self._total = sum(entry.lines for entry in entries)
        self._lines = store.lines("ticks", run=found)
        self.number = 0
        self._on_bad = on_bad
        self._is_closed = False

    @property
    def place(self) -> str:
        """The line read last, counted over all segments."""
        return f"line {self.number}"

    @property
    def share(self) -> float:
        """How much of the run has been read, 0 to 1."""
        return min(1.0, self.number / self._total) if self._total else 1.0

    def __iter__(self) -> Iterator[Tick]:
        """Yield the ticks.

        Raises:
            StoreError: a segment is damaged, or its file missing.
            TickLineError: a bad line, where `on_bad` is `fail_on_bad_line`.
        """
        with closing(self.lines()) as lines:
            for line in lines:
                tick = self.tick_of(line)
                if tick is not None:
                    yield tick

    def lines(self) -> Generator[bytes]:
        """Yield the lines in place of their ticks.

        Raises:
            StoreError: as the iteration has it.
        """
        with closing(self._lines) as lines:
            for line in lines:
                if self._is_closed:
                    return
                self.number += 1
                yield line

    def tick_of(self, line: bytes) -> Tick | None:
        """Return the tick of the line read last; None, and `on_bad` is told, where it is bad.

        Raises:
            TickLineError: as the iteration has it.
        """
        return tick_of_line(line, self.name, self.number, self._on_bad)

    def close(self) -> None:
        """End the ticks after the one in hand; more than once is fine."""
        self._is_closed = True


def _latest_with_ticks(store: Store) -> str | None:
    runs = reversed(store.runs())
    return next((run.id for run in runs if store.segments("ticks", run.id)), None)
