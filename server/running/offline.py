"""Filming again: a recording of raw ticks through the camera, offline, as fast as it can.

The stages are those of the live camera (`pipeline`), so that the lines are the same to the byte;
what differs is what stands at either end. Nothing is paced, nobody looks on, and the recorder has
the clock of the ticks.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import orjson

from marketcam.io.encode import encode_tick
from marketcam.io.sources import Measured, SourceError
from marketcam.io.store.offline import OfflineRecorder, OfflineRun
from marketcam.io.store.writer import SegmentRules
from marketcam.server.errors import ConfigurationError, ServerError
from marketcam.server.running.about import about_run, kinds_recorded
from marketcam.server.running.filming import Filming
from marketcam.server.running.pipeline import Outputs, Pipeline, PipelineOptions
from marketcam.server.running.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from marketcam.engine import Tick
    from marketcam.io.sources import BadLine, Source
    from marketcam.io.store import WriterTotals
    from marketcam.server.settings import Settings
    from marketcam.server.stream.messages import Message

__all__ = ["OfflineFilm", "offline_run"]

_LOOK_SECONDS: Final = 0.1
"""From one look at how far a film has come to the next."""

_RECORDED_WITH: Final = (
    "pair_budget_action",
    "bad_tick",
    "segment_seconds",
    "segment_bytes",
    "zstd_level",
    "record_ticks",
)
_NOT_IN_NAME: Final = ("version", "scenario", "kinds")
_OF_THE_MARKET: Final = ("agents", "max_agents", "adjust_interval", "pool_only")


def offline_run(
    settings: Settings, start: datetime, market_ticks: int | None, first: Tick
) -> OfflineRun:
    """Return the run of a film, named by its start and by a digest of all that it is made with.

    But for the version and the kinds of lines, and of the ticks the first alone: the others are not
    known yet. So the same film has the same name, whatever the format of its ticks. That tick tells
    the scenarios apart, so that films have the names that they had when there was one.

    Raises:
        LimitError: there is no pace, or the start is before 1970.
    """
    film = {name: getattr(settings, name) for name in _RECORDED_WITH}
    if market_ticks is not None:
        film |= {name: getattr(settings, name) for name in _OF_THE_MARKET} | {"ticks": market_ticks}
    about = about_run(settings) | {"film": film}
    named = {name: value for name, value in about.items() if name not in _NOT_IN_NAME}
    made_with = orjson.dumps(named, option=orjson.OPT_SORT_KEYS) + b"\n" + encode_tick(first)
    digest = hashlib.sha256(made_with).hexdigest()[:6]
    name = f"{start.astimezone(UTC):%Y%m%d_%H%M%S}_{digest}"
    return OfflineRun(name, start.timestamp(), settings.tick_rate, about)


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


class OfflineFilm:
    """One film, from the first tick to the last. It is made, run and closed once.

    The kernels are compiled before it is run, by whoever shows that.

    Args:
        settings: those of the camera, of recording, and of the source.
        start: moment of the first tick.
        market_ticks: film so many ticks of the embedded market; None: all that the settings'
            source has.
        again: remove what there is of this film where it was not filmed to its end, and film it
            anew.

    Raises:
        SourceError: the ticks cannot be opened.
        LimitError: a setting is refused.
        ConfigurationError: `again`, and the ticks are read from the store that is filmed into.

    Attributes:
        run: what is recorded; None before the first tick.
    """

    def __init__(
        self,
        settings: Settings,
        start: datetime,
        market_ticks: int | None = None,
        *,
        again: bool = False,
    ) -> None:
        self.run: OfflineRun | None = None
        self._settings = settings
        self._start = start
        self._market_ticks = market_ticks
        self._recorder: OfflineRecorder | None = None
        filming = Filming(settings.camera_arguments(), settings.pair_budget_action)
        if market_ticks is not None:
            filming.check_room(settings.agents)
        self._again = again
        if again and _reads_its_own_store(settings):
            problem = f"{settings.ticks} is the store that is filmed into: --again could remove"
            raise ConfigurationError(f"{problem} the ticks that it reads")
        self._ticks = _Ticks(open_source(settings, self._skip_line), market_ticks)
        self._pipeline = Pipeline(
            filming,
            Outputs(self._record, _show_nobody, tuple),
            PipelineOptions(
                tick_rate=0.0,
                metric_downsample=settings.metric_downsample,
                bad_tick=settings.bad_tick,
                record_ticks=settings.record_ticks,
            ),
        )

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
        return self._ticks.share

    @property
    def json_bytes(self) -> int:
        """Bytes of the lines made so far."""
        return 0 if self._recorder is None else self._recorder.json_bytes

    def totals(self) -> dict[str, WriterTotals]:
        """Return what was recorded, by kind; once the film is closed."""
        return {} if self._recorder is None else dict(self._recorder.totals())

    def film(self, on_look: Callable[[], None]) -> None:
        """Film to the end; `on_look` is called from time to time meanwhile.

        The store is touched once there is a tick.

        Raises:
            ServerError: the ticks ended it (refused, or not to be had), or the disk; or none was
                filmed.
            LimitError: the start is too late.
            StoreBusyError: another process writes to the store.
            StoreError: the store has this film already, or cannot be used.
        """
        try:
            first = self._ticks.first()
        except SourceError as error:
            raise ServerError(self._named(str(error))) from error
        if first is not None:
            self._begin(first)
            self._film(on_look)
        if self.last_t is None:
            refused = (
                f"each of the {self.refused:,} was refused" if self.refused else "there is none"
            )
            raise ServerError(self._named(f"no tick was filmed: {refused}"))

    def _begin(self, first: Tick) -> None:
        settings = self._settings
        self.run = offline_run(settings, self._start, self._market_ticks, first)
        self._recorder = OfflineRecorder(
            settings.store_dir,
            kinds_recorded(settings),
            _rules(settings),
            self.run,
            again=self._again,
        )
        self._recorder.first_t = first.t

    def _film(self, on_look: Callable[[], None]) -> None:
        self._pipeline.start(self._ticks, _do_nothing)
        while not self._pipeline.wait(_LOOK_SECONDS):
            on_look()
        on_look()
        if self._pipeline.error is not None:
            raise ServerError(self._named(self._pipeline.error))

    def _named(self, error: str) -> str:
        """Say of which ticks an error is; those of a source say so themselves."""
        name = self._ticks.name
        return error if error.startswith(f"{name}: ") else f"{name}: {error}"

    def close(self) -> None:
        """End the film after the tick in hand, record all that was made, close the segments.

        Raises:
            StoreError: recording has failed.
        """
        self._pipeline.stop()
        self._ticks.close()
        if self._recorder is not None:
            self._recorder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _record(self, kind: str, line: bytes, t: int) -> None:
        assert self._recorder is not None  # noqa: S101 - no line comes before the first tick
        self._recorder.write(kind, line, t)

    def _skip_line(self, bad: BadLine) -> None:
        self._pipeline.skip_line(bad)


def _reads_its_own_store(settings: Settings) -> bool:
    ticks = None if settings.ticks is None else Path(settings.ticks)
    return ticks is not None and ticks.is_dir() and ticks.resolve() == settings.store_dir.resolve()


def _rules(settings: Settings) -> SegmentRules:
    return SegmentRules(
        seconds=settings.segment_seconds, bytes=settings.segment_bytes, level=settings.zstd_level
    )


def _show_nobody(_: Message) -> None:
    pass


def _do_nothing() -> None:
    pass
