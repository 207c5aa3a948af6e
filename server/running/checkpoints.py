"""Checkpoints of the embedded market: taken between two ticks, written when they count.

::

    source's thread   every so many seconds, between two ticks: what the market is now, tick c next
    engine's thread   once tick c + W is filmed, and the window was not broken since c: up to which
                      tick each kind of lines has been handed to the recorder
    own thread        once the recorder has that much on the disk: the file

One at a time is on its way, so that what waits is bounded; the next is taken once it is written, or
was dropped because the window was broken. The source's thread only gathers references, 3 µs.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from marketcam.io.store.checkpoint import Checkpoint, write_checkpoint
from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from marketcam.engine import Tick
    from marketcam.engine.embedded import EmbeddedMarket
    from marketcam.engine.saved_state import SavedState
    from marketcam.server.running.filming import FilmingStatus

__all__ = ["CheckpointPlan", "Checkpoints", "SavedMarketSource"]

_LOOK_SECONDS: Final = 0.5
"""How often the recorder is asked whether it has come so far: it syncs every few seconds."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CheckpointPlan:
    """What checkpoints are taken of, and how often.

    Attributes:
        store_dir: the store's root.
        run: the run they are of.
        settings: what the lines of the run depend on.
        seconds: least time from one checkpoint to the next.
        window: W.
    """

    store_dir: Path
    run: str
    settings: Mapping[str, Any]
    seconds: float
    window: int


@dataclass(slots=True)
class _Candidate:
    """A checkpoint on its way."""

    market: SavedState
    status: FilmingStatus | None = None  # as its first tick was filmed
    needs: dict[str, int] | None = None  # once its window is filmed


class Checkpoints:
    """Takes the checkpoints of one run, and writes them in a thread of its own.

    Attributes:
        last_t: the first tick of the last checkpoint written, None before it.
    """

    def __init__(
        self,
        plan: CheckpointPlan,
        synced: Callable[[], Mapping[str, int | None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write what `synced` says is on the disk: by kind, the tick of the last line."""
        self.last_t: int | None = None
        self._plan = plan
        self._synced = synced
        self._clock = clock
        self._due = 0.0
        self._candidate: _Candidate | None = None
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def begin(self, market: EmbeddedMarket, status: FilmingStatus) -> None:
        """Write the checkpoint of a run that has no line yet; it counts already."""
        self._try_to_write(_Candidate(market.state(), status, {}))

    def start(self) -> None:
        """Write what is taken from now on, until `close`."""
        self._due = self._clock() + self._plan.seconds
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what already counts, and nothing after it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def look(self, market: EmbeddedMarket) -> None:
        """Take a checkpoint where one is due. For the market's thread, between two ticks."""
        if self._candidate is None and self._clock() >= self._due:
            self._due = self._clock() + self._plan.seconds
            self._candidate = _Candidate(market.state())

    def filmed(self, t: int, status: FilmingStatus, given: Mapping[str, int]) -> None:
        """Note that tick `t` is filmed, and all that it gave has been handed on.

        `given`: by kind, the tick of the last line that was handed to the recorder. For the
        engine's thread.
        """
        candidate = self._candidate
        if candidate is None or candidate.needs is not None or t < candidate.market.t:
            return
        if candidate.status is None:
            candidate.status = status
        if status.waiting or status != candidate.status:
            # Ticks were passed by, or a new window was begun: from c, it would be another window.
            self._candidate = None
        elif t >= candidate.market.t + self._plan.window:
            with self._changed:
                candidate.needs = dict(given)
                self._changed.notify()

    def _run(self) -> None:
        while (candidate := self._wait_for_filmed()) is not None:
            if self._wait_for_disk(candidate):
                self._try_to_write(candidate)
            self._candidate = None

    def _wait_for_filmed(self) -> _Candidate | None:
        """Return the next candidate whose window is filmed, None where there comes none."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._filmed_candidate() is not None)
            return None if self._is_closed else self._filmed_candidate()

    def _filmed_candidate(self) -> _Candidate | None:
        candidate = self._candidate
        return None if candidate is None or candidate.needs is None else candidate

    def _wait_for_disk(self, candidate: _Candidate) -> bool:
        """Wait until all lines that a candidate needs are on the disk; False when closed before."""
        with self._changed:
            while not self._is_durable(candidate):
                if self._is_closed:
                    return False
                self._changed.wait(_LOOK_SECONDS)
        return True

    def _is_durable(self, candidate: _Candidate) -> bool:
        assert candidate.needs is not None  # noqa: S101 - only those are waited for
        synced = {kind: -1 if t is None else t for kind, t in self._synced().items()}
        return all(synced.get(kind, -1) >= t for kind, t in candidate.needs.items())

    def _try_to_write(self, candidate: _Candidate) -> None:
        try:
            self._write(candidate)
        except OSError as error:
            log.error("checkpoint_failed", t=candidate.market.t, error=str(error))  # noqa: TRY400

    def _write(self, candidate: _Candidate) -> None:
        assert candidate.status is not None  # noqa: S101 - set before its window is filmed
        status = candidate.status
        filming = {"rule": status.rule, "since_t": status.since_t, "reason": status.reason}
        state = {"market": candidate.market.to_dict(), "filming": filming}
        plan, t = self._plan, candidate.market.t
        checkpoint = Checkpoint(plan.run, t, candidate.needs or {}, plan.settings, state)
        write_checkpoint(plan.store_dir, checkpoint)
        self.last_t = t
        log.debug("checkpoint_written", t=t)


class SavedMarketSource:
    """The embedded market as a source, which is looked at between two ticks."""

    def __init__(self, market: EmbeddedMarket, checkpoints: Checkpoints) -> None:
        self.name = market.name
        self.place = market.place
        self._market = market
        self._checkpoints = checkpoints

    def __iter__(self) -> Iterator[Tick]:
        """Yield the market's ticks until it is closed."""
        for tick in self._market:
            yield tick
            self._checkpoints.look(self._market)

    def close(self) -> None:
        """End the iteration before its next tick; safe to call from another thread."""
        self._market.close()
