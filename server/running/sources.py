"""The choice of the source: raw ticks, a producer elsewhere, a simulator, the embedded market."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.engine.scenarios import market_of
from marketcam.io.sources import SimulatorSource, fail_on_bad_line, open_ticks
from marketcam.server.ingest.source import IngestSource
from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.io.sources import BadLine, Source, TornEnd
    from marketcam.server.settings import Settings

__all__ = ["open_source"]

log = get_logger(__name__)


def open_source(settings: Settings, on_skipped: Callable[[BadLine], None]) -> Source:
    """Open the source that the settings name.

    Bad lines of a tick file, and ticks of a producer that cannot be read, go to `on_skipped`,
    unless the settings have one end the run.

    Raises:
        SourceError: the ticks cannot be opened, or the simulator cannot be loaded.
        StoreError: the ticks are those of a store, which cannot be read.
        LimitError: the embedded market refuses a setting.
    """
    on_bad = fail_on_bad_line if settings.bad_tick == "fail" else on_skipped
    if settings.source == "ingest":
        return IngestSource(settings.ingest_queue_bytes, on_bad)
    if settings.ticks is not None:
        return open_ticks(
            settings.ticks,
            on_bad,
            _log_torn_end,
            matches=settings.matches,
            run=settings.ticks_run,
        )
    if settings.simulator is not None:
        return SimulatorSource(
            settings.simulator,
            settings.simulator_path,
            seed=settings.seed,
            adjust_interval=settings.adjust_interval,
        )
    return market_of(
        settings.scenario,
        agents=settings.agents,
        seed=settings.seed,
        adjust_interval=settings.adjust_interval,
        max_agents=settings.max_agents or None,
        pool_only=settings.pool_only,
    )


def _log_torn_end(end: TornEnd) -> None:
    log.warning("ticks_torn", after_line=end.after_line, dropped_bytes=end.dropped_bytes)
