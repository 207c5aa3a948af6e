"""An offline film by one camera: a source, the stages, and the source's end."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from marketcam.io.sources import Measured
from marketcam.server.running.filming import Filming
from marketcam.server.running.pipeline import Outputs, Pipeline, PipelineOptions
from marketcam.server.running.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marketcam.engine import Tick
    from marketcam.io.sources import BadLine, Source
    from marketcam.server.settings import Settings
    from marketcam.server.stream.messages import Message

__all__ = ["OneCamera", "checked_camera", "do_nothing", "offline_options", "offline_outputs"]


def checked_camera(settings: Settings, market_ticks: int | None) -> Filming:
    """Return a camera for a film.

    Raises:
        LimitError: it refuses a setting, or has no room for the agents of the embedded market.
    """
    filming = Filming(settings.camera_arguments(), settings.pair_budget_action)
    if market_ticks is not None:
        filming.check_room(settings.agents)
    return filming


def offline_options(settings: Settings) -> PipelineOptions:
    """Return how the stages of an offline film are run."""
    return PipelineOptions(
        tick_rate=0.0,
        metric_downsample=settings.metric_downsample,
        bad_tick=settings.bad_tick,
        record_ticks=settings.record_ticks,
    )


class _Ticks:
    """A source whose first tick is known before the others are, and that may end before its end."""

    def __init__(self, source: Source, most: int | None) -> None:
        self.name = source.name
        self._source = source
        self._ticks = iter(source)
        self._ahead: list[Tick] = []
        self._most = most
        self._taken = 0

    @property
    def place(self) -> str:
        return self._source.place

    @property
    def share(self) -> float | None:
        if self._most is not None:
            return self._taken / self._most
        return self._source.share if isinstance(self._source, Measured) else None

    def first(self) -> Tick | None:
        """Return the first tick, which is still among those to come; None without any."""
        self._ahead = list(islice(self._ticks, 1))
        return self._ahead[0] if self._ahead else None

    def __iter__(self) -> Iterator[Tick]:
        for tick in islice(chain(self._ahead, self._ticks), self._most):
            self._taken += 1
            yield tick

    def close(self) -> None:
        self._source.close()


class OneCamera:
    """Films a source in this process; how it is used says `offline.Work`.

    Args:
        settings: those of the camera and of the source.
        market_ticks: so many ticks of the embedded market; None: all of the settings' source.
        record: takes a kind, a line and its tick; may wait until there is room for it.

    Raises:
        SourceError: the ticks cannot be opened.
        LimitError: a setting is refused.
    """

    def __init__(
        self,
        settings: Settings,
        market_ticks: int | None,
        record: Callable[[str, bytes, int], None],
    ) -> None:
        filming = checked_camera(settings, market_ticks)
        self._source = _Ticks(open_source(settings, self._skip_line), market_ticks)
        self._pipeline = Pipeline(filming, offline_outputs(record), offline_options(settings))
        self.name = self._source.name

    @property
    def ticks(self) -> int:
        """Ticks taken in."""
        return self._pipeline.ticks

    @property
    def last_t(self) -> int | None:
        """Number of the last tick taken in."""
        return self._pipeline.last_t

    @property
    def refused(self) -> int:
        """Ticks refused, and lines that hold none."""
        return self._pipeline.refused

    @property
    def share(self) -> float | None:
        """How much of the source is filmed, 0 to 1; None where nobody knows."""
        return self._source.share

    @property
    def error(self) -> str | None:
        """Why it has failed; None while it has not."""
        return self._pipeline.error

    def first(self) -> Tick | None:
        """Return the first tick; None without any."""
        return self._source.first()

    def start(self) -> None:
        """Begin to film."""
        self._pipeline.start(self._source, do_nothing)

    def wait(self, seconds: float) -> bool:
        """Wait for the end, so long at most; return whether it has ended."""
        return self._pipeline.wait(seconds)

    def stop(self) -> None:
        """End after the tick in hand, wait for that, and close the source."""
        self._pipeline.stop()
        self._source.close()

    def _skip_line(self, bad: BadLine) -> None:
        self._pipeline.skip_line(bad)


def offline_outputs(record: Callable[[str, bytes, int], None]) -> Outputs:
    """Return where the lines of an offline film go: nobody looks on."""
    return Outputs(record, _show_nobody, tuple)


def do_nothing() -> None:
    """Do nothing at the end of an offline film: somebody waits for it."""


def _show_nobody(_: Message) -> None:
    pass
