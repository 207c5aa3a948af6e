"""The embedded market's run, saved while it goes on, and gone on with after a restart."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from marketcam.io.store import Store
from marketcam.io.store.checkpoint import recorded_ticks
from marketcam.server.logs import get_logger
from marketcam.server.operators.events import EVENTS, FoundEvents
from marketcam.server.running.checkpoints import CheckpointPlan, Checkpoints, SavedMarketSource
from marketcam.server.running.continuing import find_continuation, settings_of_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marketcam.engine.embedded import EmbeddedMarket
    from marketcam.io.store import Recorder
    from marketcam.server.operators.events import Event
    from marketcam.server.running.continuing import Continuation
    from marketcam.server.running.filming import Filming
    from marketcam.server.settings import Settings

__all__ = ["Saving"]

log = get_logger(__name__)


class Saving:
    """Goes on in the run before, where there is a checkpoint that fits, and takes new ones.

    Made before the recorder is started, which it tells the run to go on with; started after it.

    Attributes:
        recorded: by kind, the tick of the last line that this run had when it was gone on with.
        known_events: those it had then, of the ticks that are played again.

    Raises:
        NewerFormatError: the store was written by a later version of this software.
        OSError: the store cannot be read.
    """

    def __init__(
        self, settings: Settings, market: EmbeddedMarket, recorder: Recorder, filming: Filming
    ) -> None:
        self.recorded: Mapping[str, int] = {}
        self.known_events: tuple[Event, ...] = ()
        self._settings = settings
        self._market = market
        self._recorder = recorder
        self._filming = filming
        self._continuation = find_continuation(settings)
        if self._continuation is not None:
            recorder.continue_run(self._continuation.run, self._continuation.counts_on)
        self._checkpoints: Checkpoints | None = None

    def start(self) -> SavedMarketSource:
        """Put the market back to where the run goes on, and return it as the source.

        Where the recorder has begun another run, the market begins with it.
        """
        checkpoints = self._checkpoints = Checkpoints(self._plan(), self._synced)
        continuation = self._continuation
        if continuation is not None and continuation.run != self._recorder.run:
            self._tell_not_used(continuation)
            continuation = self._continuation = None
        if continuation is None:
            checkpoints.begin(self._market, self._filming.status)
        else:
            self._go_on(continuation)
        checkpoints.start()
        return SavedMarketSource(self._market, checkpoints)

    def filmed(self, t: int, given: Mapping[str, int]) -> None:
        """Note that tick `t` is filmed; `given` as `Checkpoints.filmed` has it."""
        if self._checkpoints is not None:
            self._checkpoints.filmed(t, self._filming.status, given)

    def close(self) -> None:
        """Take no more checkpoints."""
        if self._checkpoints is not None:
            self._checkpoints.close()

    def figures(self) -> dict[str, Any]:
        """Return what `/health` tells."""
        from_t = None if self._continuation is None else self._continuation.from_t
        return {
            "seconds": self._settings.checkpoint_seconds,
            "last_t": None if self._checkpoints is None else self._checkpoints.last_t,
            "continued_from_t": from_t,
            "recorded_before": dict(self.recorded),
        }

    def _plan(self) -> CheckpointPlan:
        settings = self._settings
        return CheckpointPlan(
            settings.store_dir,
            self._recorder.run,
            settings_of_run(settings),
            settings.checkpoint_seconds,
            settings.window,
        )

    def _synced(self) -> Mapping[str, int | None]:
        # What the run had when it was gone on with is synced, too: recovery has closed it.
        synced = self._recorder.status().synced
        return {kind: self.recorded.get(kind) if t is None else t for kind, t in synced.items()}

    def _tell_not_used(self, continuation: Continuation) -> None:
        reason = self._recorder.status().error
        if reason is None:
            recorded = recorded_ticks(self._settings.store_dir, continuation.run)
            reason = continuation.shortfall(recorded)
        log.warning("checkpoint_not_used", reason=reason, note="a new run starts")

    def _go_on(self, continuation: Continuation) -> None:
        run, from_t = continuation.run, continuation.from_t
        self.recorded = recorded_ticks(self._settings.store_dir, run)
        if EVENTS in self.recorded:
            self.known_events = self._events_recorded(run, from_t)
        self._market.restore(continuation.market)
        continuation.resume(self._filming)
        log.info("run_continued", run=run, from_t=from_t, recorded=dict(self.recorded))

    def _events_recorded(self, run: str, from_t: int) -> tuple[Event, ...]:
        lines = Store(self._settings.store_dir).lines(EVENTS, from_t, run=run)
        return tuple(chain.from_iterable(FoundEvents.of_line(line).events for line in lines))
