"""The engine's thread: ticks from a source through the camera, out to the recorder and the hub.

::

    source ── pacing ── camera.ingest_tick ─┬─ metric ─┐
                                            ├─ frame ──┼─ encoded once ─┬─ recorder
                                            └─ tick ───┘                └─ hub (not ticks)

Who may make it wait: the pacing, the source, and the recorder while its queue is full, since a
recording without holes goes before pace. The hub never does.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, ParamSpec, TypeVar

from marketcam.engine import MarketCameraError, Metric, TickError
from marketcam.io import encode_metric, encode_tick
from marketcam.server.logs import get_logger
from marketcam.server.messages import Message
from marketcam.server.pacing import Pacer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from marketcam.engine import SlidingWindowCamera, Tick
    from marketcam.io.sources import BadLine, Source
    from marketcam.server.messages import Encoding

__all__ = ["STAGES", "Outputs", "Pipeline", "PipelineOptions", "Stage", "StageTime"]

Stage = Literal["ingest", "frame", "encode", "record"]

STAGES: Final[tuple[Stage, ...]] = ("ingest", "frame", "encode", "record")
"""What a tick passes through, each timed: the window, the frame, JSON, the recorder's queue."""

P = ParamSpec("P")
R = TypeVar("R")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How the engine is run.

    Attributes:
        tick_rate: ticks a second, 0 for as fast as the source goes.
        metric_downsample: a metric every so many ticks.
        bad_tick: what a refused tick does: ``"skip"`` it, or ``"fail"`` and end the run.
        record_ticks: whether the raw ticks are recorded too.
    """

    tick_rate: float = 100.0
    metric_downsample: int = 1
    bad_tick: Literal["skip", "fail"] = "skip"
    record_ticks: bool = False


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where what the pipeline makes goes. All are called in the engine's thread.

    Attributes:
        record: takes a kind (``"frames"``, ``"metrics"`` or ``"ticks"``), a line and its tick; may
            wait until there is room for it.
        publish: takes a message for the viewers; must not wait.
        wanted: says which encodings there are viewers for, so that these are made here and not
            when somebody waits for them.
    """

    record: Callable[[str, bytes, int], None]
    publish: Callable[[Message], None]
    wanted: Callable[[], Collection[Encoding]]


@dataclass(slots=True)
class StageTime:
    """How often a stage was passed, and for how long in all."""

    count: int = 0
    seconds: float = 0.0


class Pipeline:
    """Runs the camera on a source, in a thread of its own, once.

    Attributes, written by that thread alone and safe to read from any other:
        running: whether ticks are being taken in; false once the source has ended.
        ticks: ticks taken in.
        refused: ticks refused.
        last_t: number of the last tick taken in, None before the first.
        error: why the run has failed; None while it has not.
        fatal: whether it failed at its ticks (refused, or not to be had), which ends the process;
            else it is a fault in the camera, and the viewers keep what there is.
        stages: time spent, by stage.
    """

    def __init__(
        self, camera: SlidingWindowCamera, outputs: Outputs, options: PipelineOptions
    ) -> None:
        self.running = False
        self.ticks = 0
        self.refused = 0
        self.last_t: int | None = None
        self.error: str | None = None
        self.fatal = False
        self.stages = {stage: StageTime() for stage in STAGES}
        self._camera = camera
        self._outputs = outputs
        self._options = options
        self._pacer = Pacer(options.tick_rate)
        self._thread: threading.Thread | None = None
        self._said_no_state = False
        self._source: Source | None = None

    def start(self, source: Source, on_fatal: Callable[[], None]) -> None:
        """Begin to take in the ticks of `source`; it is closed when the run ends.

        `on_fatal` is called, in the engine's thread, after a run that failed at its ticks.
        """
        self.running = True
        self._source = source
        self._thread = threading.Thread(
            target=self._run, args=(source, on_fatal), name="engine", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the run after the tick in hand, and wait for it. A tick taken in is not lost."""
        self._pacer.stop()
        if self._source is not None:
            self._source.close()  # it may be waiting for a tick that never comes
        if self._thread is not None:
            self._thread.join()

    def skip_line(self, bad: BadLine) -> None:
        """Count and report a line of a tick file that holds no tick."""
        self.refused += 1
        log.warning("line_skipped", source=bad.source, line=bad.number, error=str(bad.error))

    def _run(self, source: Source, on_fatal: Callable[[], None]) -> None:
        log.info("source_started", source=source.name)
        try:
            self._film(source)
        except MarketCameraError as error:
            self.error, self.fatal = _with_place(error, source), True
            log.error("run_failed", error=self.error, last_t=self.last_t)  # noqa: TRY400 - expected
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            log.exception("engine_failed", last_t=self.last_t)
        else:
            log.info("source_ended", ticks=self.ticks, refused=self.refused, last_t=self.last_t)
        finally:
            self.running = False
            source.close()
            if self.fatal:
                on_fatal()

    def _film(self, source: Source) -> None:
        ticks = iter(source)
        while self._pacer.turn() and (tick := next(ticks, None)) is not None:
            try:
                self._timed("ingest", self._camera.ingest_tick, tick)
            except TickError as error:
                self.refused += 1
                if self._options.bad_tick == "fail":
                    raise
                log.warning("tick_skipped", error=_with_place(error, source))
            else:
                self._develop(tick)

    def _develop(self, tick: Tick) -> None:
        """Make and hand out all that a tick gives, the metric before the frame."""
        t = tick.t
        self.ticks += 1
        self.last_t = t
        if self._options.record_ticks:
            self._record("ticks", self._timed("encode", encode_tick, tick), t)
        if t % self._options.metric_downsample == 0:
            self._develop_metric(tick)
        frame = self._timed("frame", self._camera.maybe_frame, t)
        if frame is not None:
            message = Message.of_frame(frame)
            self._timed("encode", self._prepare, message)
            self._hand_out("frames", message)

    def _develop_metric(self, tick: Tick) -> None:
        metric = Metric.of(tick)
        if metric is not None:
            text = self._timed("encode", encode_metric, metric)
            self._hand_out("metrics", Message.of_text("metric", tick.t, text))
        elif not self._said_no_state:
            self._said_no_state = True
            log.warning("tick_without_state", t=tick.t, note="a tick without `s` makes no metric")

    def _prepare(self, message: Message) -> None:
        _ = message.body("json").data
        for encoding in self._outputs.wanted():
            message.body(encoding).prepare()

    def _hand_out(self, folder: str, message: Message) -> None:
        self._outputs.publish(message)
        self._record(folder, message.body("json").data, message.t)

    def _record(self, folder: str, line: bytes, t: int) -> None:
        self._timed("record", self._outputs.record, folder, line, t)

    def _timed(self, stage: Stage, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        began = time.perf_counter()
        result = work(*args, **kwargs)
        spent = self.stages[stage]
        spent.count += 1
        spent.seconds += time.perf_counter() - began
        return result


def _with_place(error: MarketCameraError, source: Source) -> str:
    """Say where a refused tick stands, such as its line; other errors say so themselves."""
    in_tick = isinstance(error, TickError) and source.place
    return f"{source.place}: {error}" if in_tick else str(error)
