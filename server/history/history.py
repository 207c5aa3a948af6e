"""The recording behind a running camera, for those who read it over the network.

One `History` a server. It reads in a few threads of its own, a bounded piece at a time, knows how
far the run has come that is being recorded, and bounds how many read at the same time.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from anyio import CapacityLimiter, to_thread

from marketcam.io.store import (
    UNNAMED_RUN,
    Run,
    SegmentEntry,
    Store,
    StoreError,
    UnknownRunError,
    UnknownSegmentError,
)
from marketcam.io.store.manifest import MANIFEST, read_manifest
from marketcam.io.store.merging import KIND_OF_MESSAGE
from marketcam.server.errors import ServerError
from marketcam.server.history.pieces import Pieces
from marketcam.server.history.recorded import Stretch, told
from marketcam.server.logs import get_logger
from marketcam.server.stream.messages import KINDS
from marketcam.server.stream.place import Place, Reach
from marketcam.server.stream.selection import FilmedWith

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from marketcam.io.store import Recorder
    from marketcam.server.history.recorded import Told, View
    from marketcam.server.stream.hub import Hub

__all__ = ["History", "HistoryOptions", "Seats", "TooManyError", "tell_unreadable"]

_THREADS: Final = 4
"""Threads that read at the same time, for all clients together; a piece takes one for 20 ms."""

Value = TypeVar("Value")

log = get_logger(__name__)


class TooManyError(ServerError):
    """There is no place for one more client; names the limit."""


def tell_unreadable(event: str, error: Exception, **fields: object) -> None:
    """Log why the recording cannot be read on; with a trace where that is our own fault."""
    expected = isinstance(error, StoreError | OSError)
    log.error(event, error=str(error), exc_info=None if expected else error, **fields)


def _tell_missing(path: str) -> None:
    log.warning("segment_missing", path=path)


class Seats:
    """How many may do something at the same time.

    Attributes:
        taken: how many do.
        served: how many have begun, so far.
        refused: how many were not let in, so far.
    """

    def __init__(self, limit: int, what: str) -> None:
        self.taken = 0
        self.served = 0
        self.refused = 0
        self._limit = limit
        self._what = what

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            TooManyError: none is free.
        """
        if self.taken >= self._limit:
            self.refused += 1
            raise TooManyError(f"too many {self._what}, the limit is {self._limit}")
        self.taken += 1
        self.served += 1
        try:
            yield
        finally:
            self.taken -= 1


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What readers of the recording may cost.

    Attributes:
        clients: range requests, and streams that catch up, at the same time.
        measurers: requests for measures at the same time, each with a process.
        replays: replays at the same time.
        idle_seconds: a replay that neither plays nor is told anything for so long is closed.
    """

    clients: int = 16
    measurers: int = 2
    replays: int = 16
    idle_seconds: float = 600.0


class History:
    """Reads the store that a recorder writes. All of it is used from one event loop.

    Args:
        store_dir: the store's root.
        recorder: writes it.
        hub: knows how far the run has come.
        options: the limits.
        is_running: whether the run still makes messages.
        filmed: with what the run is filmed.

    Attributes:
        options: the limits.
        filmed: with what the current run is filmed.
        readers: who reads: range requests, and streams that catch up.
        measurers: who has it measured.
        replays: who replays.
    """

    def __init__(
        self,
        store_dir: Path,
        recorder: Recorder,
        hub: Hub,
        options: HistoryOptions,
        is_running: Callable[[], bool],
        filmed: FilmedWith,
    ) -> None:
        self.options = options
        self.filmed = filmed
        self.readers = Seats(options.clients, "clients that read history")
        self.measurers = Seats(options.measurers, "clients that have history measured")
        self.replays = Seats(options.replays, "replays")
        self._store_dir = store_dir
        self._recorder = recorder
        self._hub = hub
        self._is_running = is_running
        self._store: Store | None = None
        self._limiter: CapacityLimiter | None = None
        self._waiting: CapacityLimiter | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._flush_next: asyncio.Task[None] | None = None

    async def run(self, name: str | None) -> Run:
        """Return a run; None: the latest.

        Raises:
            UnknownRunError: there is no such run.
            StoreError: the store cannot be read.
        """
        return await self.in_thread(lambda: self.store().run(name))

    async def current_run(self) -> Run:
        """Return the run that is being recorded, as its journal has it now."""
        return await self.in_thread(self._current_run)

    def is_current(self, run: Run) -> bool:
        """Return whether a run is the one that is being recorded."""
        return run.id == self._recorder.run

    def is_growing(self, run: Run) -> bool:
        """Return whether there may be more of a run."""
        return self.is_current(run) and self._is_running()

    def is_losing(self, run: Run) -> bool:
        """Return whether lines of a run are not being recorded now, which no record says yet."""
        return self.is_current(run) and self._recorder.status().error is not None

    def filmed_with(self, run: Run) -> FilmedWith | None:
        """Return with what a run was filmed; None where nobody knows."""
        return self.filmed if self.is_current(run) else FilmedWith.of(run.about)

    async def reach(self, run: Run) -> Reach | None:
        """Return how far the current run can be read, after bringing it there.

        What was published by now is on disk, or known not to be; None where nothing ever was.
        """
        reach = self._hub.reach
        await self.flush()
        if reach is None:  # nothing in this process: what another one has recorded
            reach = await self.in_thread(partial(self._recorded_reach, run.id))
        return reach

    async def flush(self) -> None:
        """Wait until all that was given to the recorder by now can be read, or it has failed.

        However many wait for it, the recorder is asked by one of them at a time.
        """
        if self._flush_next is None:
            self._flush_next = asyncio.create_task(self._flush_after(self._flushing))
        await asyncio.shield(self._flush_next)

    async def _flush_after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._flushing, self._flush_next = self._flush_next, None
        await asyncio.to_thread(self._recorder.flush)

    def pieces(self, make: Callable[[], Iterator[tuple[Value, int] | None]]) -> Pieces[Value]:
        """Return what reads an iterator in this history's threads."""
        return Pieces(make, self._threads())

    def measures(self, make: Callable[[], Iterator[tuple[Value, int] | None]]) -> Pieces[Value]:
        """Return what reads an iterator that waits for a process: it takes no reader's thread."""
        if self._waiting is None:  # as for `_threads`
            self._waiting = CapacityLimiter(self.options.measurers)
        return Pieces(make, self._waiting)

    def messages(self, view: View, after: Place, reach: Reach | None) -> Pieces[Told]:
        """Return what reads the messages of a run after a place.

        Args:
            view: what of which run.
            after: the place.
            reach: how far the run has come, where it is being recorded; None: to its end.
        """
        stretch = Stretch(
            view,
            after,
            None if reach is None else reach.place,
            {} if reach is None else reach.last_t,
        )
        return self.pieces(partial(self._told, stretch))

    async def in_thread(self, work: Callable[[], Value]) -> Value:
        """Return what `work` returns, done in one of this history's threads."""
        return await to_thread.run_sync(work, limiter=self._threads())

    def store(self) -> Store:
        """Return the store. Touches the disk.

        Raises:
            UnknownSegmentError: there is none.
        """
        if self._store is None:
            self._store = Store(self._store_dir, on_missing=_tell_missing)
        return self._store

    def closed_segments(self, kind: str, run: Run) -> list[SegmentEntry]:
        """Return the closed segments of a run, without touching the disk."""
        records = (each for each in self._recorder.entries(kind) if not each["pending"])
        entries = (SegmentEntry.from_dict(record, kind) for record in records)
        return [entry for entry in entries if (entry.run or UNNAMED_RUN) == run.id]

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return all records of a kind's manifest, those of removed segments too. Touches the disk.

        Raises:
            ManifestError, NewerFormatError: it cannot be read.
        """
        path = self._store_dir / kind / MANIFEST
        return [entry.to_dict() for _, entry in read_manifest(path)]

    def _threads(self) -> CapacityLimiter:
        if self._limiter is None:  # which belongs to the loop that runs now
            self._limiter = CapacityLimiter(_THREADS)
        return self._limiter

    def _current_run(self) -> Run:
        try:
            return self.store().run(self._recorder.run)
        except UnknownSegmentError:  # its start could not be recorded either
            return Run(self._recorder.run, "")

    def _told(self, stretch: Stretch) -> Iterator[tuple[Told, int] | None]:
        # Read anew, since a hole may have been declared while the last stretch was sent.
        run = stretch.view.run
        if self.is_current(run):
            stretch = replace(stretch, view=replace(stretch.view, run=self._current_run()))
        try:
            yield from told(self.store(), stretch)
        except UnknownRunError:
            if not self.is_current(run):
                raise

    def _recorded_reach(self, run: str) -> Reach | None:
        last_t: dict[str, int] = {}
        for kind in KINDS:
            try:
                t = self.store().last_t(KIND_OF_MESSAGE[kind], run)
            except UnknownSegmentError:
                continue
            if t is not None:
                last_t[kind] = t
        places = [Place.of(kind, t) for kind, t in last_t.items()]
        return Reach(max(places), last_t) if places else None
