"""The engine's thread, and the stages before and after it.

::

    source ─┬─ pacing ── camera.ingest_tick ─┬─ metric ─┬─┬─ encoded ─┬─ recorder
            │                                ├─ frame ──┤ │           └─ hub (not ticks, nor events)
      (`reading`)                            └─ tick ───┘ (`encoding`)

Where ticks or frames are large, the source and the encoding have threads of their own, so that
the three overlap; where they are small, all is done in the engine's thread, since handing over
would cost more than it gains.

Who may make the engine wait: the pacing, the source, and the encoding while its queue is full,
which in turn, without a pace, waits for the recorder while that one's queue is full. With a pace it
does not: recording then stops, and the hole is declared. The hub never does.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from marketcam.engine import MarketCameraError, Metric, TickError
from marketcam.server.logs import get_logger
from marketcam.server.operators.events import EVENTS, EventSifter, FoundEvents
from marketcam.server.running.encoding import EncodingStage, Outputs, Times
from marketcam.server.running.pacing import Pacer
from marketcam.server.running.pulse import Pulse
from marketcam.server.running.reading import Reader
from marketcam.server.running.stages import STAGES, QueueFigures, Stage, StageTime, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from marketcam.engine import Frame, SlidingWindowCamera, Tick
    from marketcam.io.sources import BadLine, Source
    from marketcam.server.operators.events import Event
    from marketcam.server.running.filming import Filming

__all__ = ["STAGES", "Outputs", "Pipeline", "PipelineOptions", "Stage", "StageTime", "Told"]

log = get_logger(__name__)


class Told(Protocol):
    """Takes events with their fields, as a logger does."""

    def info(self, event: str, **fields: Any) -> object:
        """Take what is as it should be."""

    def warning(self, event: str, **fields: Any) -> object:
        """Take what goes on all the same."""

    def error(self, event: str, **fields: Any) -> object:
        """Take what ends the run."""

    def exception(self, event: str, **fields: Any) -> object:
        """Take the fault that is being handled."""


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How the engine is run.

    Attributes:
        tick_rate: ticks a second, 0 for as fast as the source goes.
        metric_downsample: a metric every so many ticks.
        bad_tick: what a refused tick does: ``"skip"`` it, or ``"fail"`` and end the run.
        record_ticks: whether the raw ticks are recorded too.
        is_fed: whether ticks come from elsewhere, and may be long in coming; else they are made
            in this process.
    """

    tick_rate: float = 100.0
    metric_downsample: int = 1
    bad_tick: Literal["skip", "fail"] = "skip"
    record_ticks: bool = False
    is_fed: bool = False


class Pipeline:
    """Runs the camera on a source, in a thread of its own, once.

    Attributes, safe to read from any thread:
        running: whether ticks are being taken in; false once the source has ended and all that
            was made of it is handed out.
        ticks: ticks taken in.
        last_t: number of the last tick taken in, None before the first.
        given: by kind, the tick of the last line handed out, in this process or before.
        error: why the run has failed; None while it has not.
        fatal: whether it failed at its ticks (refused, or not to be had), which ends the process;
            else it is a fault in the camera, and the viewers keep what there is.
        stages: time spent, by stage.
        pulse: how long the tick in hand has taken.

    What there is to tell goes to `told`, the log where nothing else is said.
    """

    def __init__(
        self,
        camera: SlidingWindowCamera | Filming,
        outputs: Outputs,
        options: PipelineOptions,
        told: Told = log,
    ) -> None:
        self.running = False
        self.ticks = 0
        self.last_t: int | None = None
        self.given: dict[str, int] = {}
        self.error: str | None = None
        self.fatal = False
        self.stages = {stage: StageTime() for stage in STAGES}
        self.pulse = Pulse()
        self._camera = camera
        self._options = options
        self._told = told
        self._pacer = Pacer(options.tick_rate)
        self._recorded: Mapping[str, int] = {}
        self._known_t = -math.inf
        self._sifter = EventSifter()
        self._on_filmed: Callable[[int], None] | None = None
        self._on_refused: Callable[[TickError], None] | None = None
        times = Times(self.stages["encode"], self.stages["record"])
        self._encoding = EncodingStage(outputs, times, self._interrupt)
        self._reader: Reader | None = None
        self._thread: threading.Thread | None = None
        # An interrupt in `Thread.join` may leave a thread that lives marked as ended.
        self._ended = threading.Event()
        self._refused_ticks = 0
        self._skipped_lines = 0  # counted by the thread that reads the source
        self._said_no_state = False

    @property
    def refused(self) -> int:
        """Ticks refused, and lines that hold none."""
        return self._refused_ticks + self._skipped_lines

    @property
    def queues(self) -> dict[Stage, QueueFigures]:
        """The queues, by the stage behind each: ticks read ahead, and things to encode."""
        ahead = QueueFigures() if self._reader is None else self._reader.ahead
        return {"ingest": ahead, "encode": self._encoding.queue}

    def start(
        self,
        source: Source,
        on_fatal: Callable[[], None],
        *,
        recorded: Mapping[str, int] | None = None,
        known_events: Iterable[Event] = (),
        on_filmed: Callable[[int], None] | None = None,
        on_refused: Callable[[TickError], None] | None = None,
    ) -> None:
        """Begin to take in the ticks of `source`; it is closed when the run ends.

        Args:
            source: gives the ticks.
            on_fatal: called, in the engine's thread, after a run that failed at its ticks.
            recorded: of a run that goes on, by kind, the tick of the last line that was recorded.
                What is made of ticks up to there was handed out before and is not again, and the
                ticks that have nothing new are not paced.
            known_events: of a run that goes on, those that were recorded of ticks played again.
            on_filmed: called, in the engine's thread, after each tick, once all it gave is handed
                to the encoding.
            on_refused: called, in the engine's thread, for each tick that the camera refuses.
        """
        self._recorded = recorded or {}
        self._sifter = EventSifter(known_events)
        self.given = dict(self._recorded)
        self._known_t = max(self._recorded.values(), default=-math.inf)
        self._on_filmed = on_filmed
        self._on_refused = on_refused
        self.running = True
        self._told.info("source_started", source=source.name)
        self._reader = reader = Reader(source, self.stages["source"])
        self._thread = threading.Thread(
            target=self._run, args=(reader, on_fatal), name="engine", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the run after the tick in hand, and wait for it. A tick taken in is not lost."""
        self._interrupt()
        if self._thread is not None:
            self._ended.wait()
            self._thread.join()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the run, so long at most; return whether it has ended."""
        return self._thread is None or self._ended.wait(seconds)

    def skip_line(self, bad: BadLine) -> None:
        """Count and report a line, or a row, of a tick file that holds no tick."""
        self._skipped_lines += 1
        place = {bad.unit: bad.number}
        self._told.warning("line_skipped", source=bad.source, **place, error=str(bad.error))

    def _interrupt(self) -> None:
        """Have the engine's thread take in no further tick, whatever it waits for."""
        self._pacer.stop()
        if self._reader is not None:
            self._reader.interrupt()

    def _run(self, reader: Reader, on_fatal: Callable[[], None]) -> None:
        try:
            with self._encoding:
                self._film(reader)
        except MarketCameraError as error:
            self.error, self.fatal = _with_place(error, reader.place), True
            self._told.error("run_failed", error=self.error, last_t=self.last_t)
        except Exception as error:  # noqa: BLE001 - told with its traceback
            self.error = f"{type(error).__name__}: {error}"
            self._told.exception("engine_failed", last_t=self.last_t)
        else:
            self._told.info(
                "source_ended", ticks=self.ticks, refused=self.refused, last_t=self.last_t
            )
        finally:
            self.running = False
            self.pulse.rest()
            try:
                reader.close()
                if self.fatal:
                    on_fatal()
            finally:
                self._ended.set()

    def _film(self, reader: Reader) -> None:
        while self._turn() and (tick := reader.next()) is not None:
            self.pulse.work()
            try:
                timed(self.stages["ingest"], self._camera.ingest_tick, tick)
            except TickError as error:
                self._refused_ticks += 1
                if self._on_refused is not None:
                    self._on_refused(error)
                if self._options.bad_tick == "fail":
                    raise
                self._told.warning("tick_skipped", error=_with_place(error, reader.place))
            else:
                self._develop(tick)

    def _turn(self) -> bool:
        """Wait until the next tick is due; False when stopped."""
        self.pulse.rest()
        goes_on = self._pacer.turn(at_once=self._is_behind())
        if not self._options.is_fed:
            self.pulse.work()
        return goes_on

    def _is_behind(self) -> bool:
        """Whether the next tick is one of which everything is recorded already."""
        return self.last_t is not None and self.last_t < self._known_t

    def _develop(self, tick: Tick) -> None:
        """Make and hand on all that a tick gives, the metric before the frame."""
        t = tick.t
        self.ticks += 1
        self.last_t = t
        if self._options.record_ticks and self._is_new("ticks", t):
            self._hand_on("ticks", tick)
        if t % self._options.metric_downsample == 0 and self._is_new("metrics", t):
            self._develop_metric(tick)
        # Of a run that goes on, frames that are recorded may show events that are not.
        if self._is_new("frames", t) or self._is_new(EVENTS, t):
            frame = timed(self.stages["frame"], self._camera.maybe_frame, t)
            if frame is not None:
                self._develop_frame(frame)
        if self._on_filmed is not None:
            self._on_filmed(t)

    def _develop_frame(self, frame: Frame) -> None:
        if self._is_new("frames", frame.t):
            self._hand_on("frames", frame)
        events = self._sifter.new_events(frame)
        if events and self._is_new(EVENTS, frame.t):
            self._hand_on(EVENTS, FoundEvents(frame.t, tuple(events)))

    def _develop_metric(self, tick: Tick) -> None:
        metric = Metric.of(tick)
        if metric is not None:
            self._hand_on("metrics", metric)
        elif not self._said_no_state:
            self._said_no_state = True
            self._told.warning(
                "tick_without_state", t=tick.t, note="a tick without `s` makes no metric"
            )

    def _is_new(self, kind: str, t: int) -> bool:
        """Return whether a line of tick `t` is not among those that were recorded before."""
        return t > self._recorded.get(kind, -math.inf)

    def _hand_on(self, kind: str, thing: Tick | Metric | Frame | FoundEvents) -> None:
        self.given[kind] = thing.t
        self._encoding.take(thing)


def _with_place(error: MarketCameraError, place: str) -> str:
    """Say where a refused tick stands, such as its line; other errors say so themselves."""
    return f"{place}: {error}" if isinstance(error, TickError) and place else str(error)
