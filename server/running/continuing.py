"""Whether a start goes on in the run before it: the checkpoint is found, or it is told why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from marketcam.engine import LimitError
from marketcam.engine.scenarios import saved_market
from marketcam.io.store.checkpoint import Checkpoint, read_checkpoint, recorded_ticks
from marketcam.io.store.errors import CheckpointError, NewerFormatError, StoreError
from marketcam.io.store.runs import read_runs
from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marketcam.engine.saved_state import SavedState
    from marketcam.engine.scenarios import Scenario
    from marketcam.server.running.filming import Filming, Rule
    from marketcam.server.settings import Settings

__all__ = ["Continuation", "find_continuation", "settings_of_run"]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where a run goes on.

    Attributes:
        run: its name.
        counts_on: by kind, the tick up to which the run was recorded when it was saved.
        market: what the embedded market was.
        rule: the proximity rule it was filmed by.
        since_t: since when, where it was not filmed by that from the beginning.
        reason: why, likewise.
    """

    run: str
    counts_on: Mapping[str, int]
    market: SavedState
    rule: Rule
    since_t: int | None
    reason: str | None

    @property
    def from_t(self) -> int:
        """The first tick that is played again."""
        return self.market.t

    def shortfall(self, recorded: Mapping[str, int]) -> str | None:
        """Return what is missing of what the run was recorded to; None where nothing is."""
        return _shortfall(self.counts_on, recorded)

    def resume(self, filming: Filming) -> None:
        """Have a camera go on as that run was filmed."""
        filming.resume(self.rule, self.since_t, self.reason)


def settings_of_run(settings: Settings) -> dict[str, Any]:
    """Return all that the lines of the embedded market's run depend on, and its pace.

    The default scenario is not named: it was the only one when the first checkpoints were written.
    """
    return {
        **({} if settings.scenario == "v5" else {"scenario": settings.scenario}),
        **settings.camera_arguments(),
        "pair_budget_action": settings.pair_budget_action,
        "metric_downsample": settings.metric_downsample,
        "record_ticks": settings.record_ticks,
        "seed": settings.seed,
        "agents": settings.agents,
        "max_agents": settings.max_agents,
        "adjust_interval": settings.adjust_interval,
        "pool_only": settings.pool_only,
        "tick_rate": settings.tick_rate,
    }


def find_continuation(settings: Settings) -> Continuation | None:
    """Return where the run of a store goes on; None where a new one starts, the log says why.

    Raises:
        NewerFormatError: the store was written by a later version of this software.
        OSError: the store cannot be read.
    """
    try:
        checkpoint = read_checkpoint(settings.store_dir)
        if checkpoint is None:
            return None
        return _continuation(checkpoint, settings)
    except NewerFormatError:
        raise
    except StoreError as error:
        log.warning("checkpoint_not_used", reason=str(error), note="a new run starts")
        return None


def _continuation(checkpoint: Checkpoint, settings: Settings) -> Continuation:
    """Return what a checkpoint holds.

    Raises:
        StoreError: it cannot be gone on from; says why.
    """
    if differences := checkpoint.differences(settings_of_run(settings)):
        raise CheckpointError(f"other settings: {'; '.join(differences)}")
    latest = next(reversed(read_runs(settings.store_dir).runs), None)
    if checkpoint.run != latest:
        raise CheckpointError(f"it is of run {checkpoint.run}, the latest run is {latest}")
    recorded = recorded_ticks(settings.store_dir, checkpoint.run)
    if missing := _shortfall(checkpoint.recorded, recorded):
        raise CheckpointError(missing)
    return _read_state(checkpoint, settings.scenario)


def _shortfall(counts_on: Mapping[str, int], recorded: Mapping[str, int]) -> str | None:
    for kind, t in counts_on.items():
        if recorded.get(kind, -1) < t:
            return f"{kind} were recorded up to tick {t}, and end at {recorded.get(kind)} now"
    return None


def _read_state(checkpoint: Checkpoint, scenario: Scenario) -> Continuation:
    filming = checkpoint.state.get("filming")
    try:
        market = saved_market(scenario, checkpoint.state.get("market") or {})
    except LimitError as error:
        raise CheckpointError(f"market: {error}") from error
    if not isinstance(filming, dict) or filming.get("rule") not in ("pairs", "neighbors"):
        raise CheckpointError(f"filming must name a proximity rule, got {filming!r:.60}")
    if market.t != checkpoint.t:
        raise CheckpointError(f"t must be the market's, {market.t}, got {checkpoint.t}")
    return Continuation(
        checkpoint.run,
        checkpoint.recorded,
        market,
        filming["rule"],
        filming.get("since_t"),
        filming.get("reason"),
    )
