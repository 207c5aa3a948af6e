"""`/metrics`: the camera's figures for Prometheus, gathered when it asks and not before."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from marketcam.engine.kernel_cache import kernel_files
from marketcam.server.running.filming import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client import Metric as Family

    from marketcam.io.store import RecorderStatus
    from marketcam.server.history.history import History
    from marketcam.server.running.filming import Filming
    from marketcam.server.running.lag import LagProbe
    from marketcam.server.running.pipeline import Pipeline
    from marketcam.server.running.rig import Rig
    from marketcam.server.stream.handover import Handover
    from marketcam.server.stream.hub import Hub

__all__ = ["CONTENT_TYPE", "Exposition"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""Of the text that `Exposition.render` returns."""

_WRITTEN: Final = (
    ("lines", "recorded_lines", "Lines recorded."),
    ("json_bytes", "recorded_bytes", "Bytes of JSON recorded."),
    ("file_bytes", "recorded_file_bytes", "Bytes of them in files, compressed."),
    ("segments", "recorded_segments", "Segments closed."),
)


class Exposition:
    """Renders the figures of one rig, from a registry of its own: no process-wide state."""

    def __init__(self, rig: Rig, history: History) -> None:
        """Gather from this rig, and from those who read its recording."""
        self._registry = CollectorRegistry()
        self._registry.register(_RigCollector(rig, history))

    def render(self) -> bytes:
        """Return the figures of this moment as text."""
        return generate_latest(self._registry)


class _RigCollector(Collector):
    def __init__(self, rig: Rig, history: History) -> None:
        self._rig = rig
        self._history = history
        self._info = InfoMetricFamily(
            "marketcam", "This program.", {"version": version("marketcam")}
        )

    def describe(self) -> Iterable[Family]:
        return ()  # so that registering does not gather

    def collect(self) -> Iterator[Family]:
        rig = self._rig
        yield self._info
        yield _counter("kernels_compiled", "Kernels compiled.", kernel_files().compiled)
        yield from _of_pipeline(rig.pipeline)
        yield from _of_filming(rig.filming)
        yield from _of_loop(rig.lag)
        yield from _of_handover(rig.handover)
        yield from _of_hub(rig.hub)
        yield from _of_recorder(rig.recorder.status())
        yield from _of_history(self._history)


def _of_pipeline(pipeline: Pipeline) -> Iterator[Family]:
    yield _gauge("running", "Whether ticks are being taken in.", pipeline.running)
    yield _counter("ticks", "Ticks taken in.", pipeline.ticks)
    yield _counter("refused_ticks", "Ticks refused.", pipeline.refused)
    if pipeline.last_t is not None:
        yield _gauge("last_tick", "Number of the last tick taken in.", pipeline.last_t)
    stages = SummaryMetricFamily(
        "marketcam_stage_seconds",
        "Time in the stages of the pipeline; they overlap where ticks or frames are large.",
        labels=["stage"],
    )
    for stage, spent in pipeline.stages.items():
        stages.add_metric([stage], spent.count, spent.seconds)
    yield stages
    waiting = GaugeMetricFamily(
        "marketcam_stage_waiting", "Ticks, metrics and frames before a stage.", labels=["stage"]
    )
    for stage, count in pipeline.waiting.items():
        waiting.add_metric([stage], count)
    yield waiting


def _of_loop(probe: LagProbe) -> Iterator[Family]:
    bounds = [*map(str, probe.lags.bounds), "+Inf"]
    yield HistogramMetricFamily(
        "marketcam_loop_lag_seconds",
        "How late the event loop came to a timer of its own.",
        list(zip(bounds, probe.lags.cumulative(), strict=True)),
        probe.lags.sum,
    )
    yield _gauge("last_loop_lag_seconds", "The same, the last time.", probe.last)


def _of_filming(filming: Filming) -> Iterator[Family]:
    status = filming.status
    yield _gauge(
        "degraded",
        "Whether the agents have outgrown the pair budget, so that frames wait or are of another "
        "rule.",
        status.degraded,
    )
    rule = GaugeMetricFamily(
        "marketcam_proximity_rule", "1 for the proximity rule of the frames.", labels=["rule"]
    )
    for name in get_args(Rule):
        rule.add_metric([name], name == status.rule)
    yield rule
    yield _counter("pair_budget_outgrown", "Times that the agents outgrew it.", filming.outgrown)
    yield _counter(
        "waited_ticks",
        "Ticks taken in that were not filmed, since their agents did not fit the pair budget.",
        filming.waited_ticks,
    )


def _of_handover(handover: Handover) -> Iterator[Family]:
    yield SummaryMetricFamily(
        "marketcam_handover_seconds",
        "How long batches of messages waited for the event loop.",
        handover.batches,
        handover.lag_seconds,
    )
    yield _gauge("handover_waiting", "Messages that wait for the event loop.", handover.waiting)
    yield _by_kind(
        "handover_dropped",
        "Messages that no client was sent, since the event loop was behind.",
        handover.dropped,
    )


def _of_hub(hub: Hub) -> Iterator[Family]:
    yield _gauge("clients", "Clients connected.", len(hub))
    yield _counter("clients_sent_away", "Clients closed for being too slow.", hub.sent_away)
    yield _gauge("client_queue_bytes", "Bytes waiting for clients.", hub.waiting_bytes)
    yield _by_kind("messages", "Messages made and passed on to the clients there are.", hub.passed)
    yield _by_kind("messages_sent", "Messages sent, counted for each client.", hub.sent)
    yield _by_kind("messages_dropped", "Messages that slow clients missed.", hub.dropped)


def _of_recorder(status: RecorderStatus) -> Iterator[Family]:
    yield _gauge("recording", "Whether lines are being recorded.", status.recording)
    yield _gauge("record_queue_bytes", "Memory of lines waiting for the disk.", status.queued_bytes)
    yield _counter("record_waits", "Times the recorder's queue was found full.", status.waits)
    yield _counter("record_dropped", "Lines that were not recorded.", status.dropped_lines)
    yield _counter("record_holes", "Holes declared in the recording.", status.holes)
    yield _counter("removed_segments", "Segments removed by retention.", status.removed_segments)
    if status.retention is not None:
        yield _gauge(
            "disk_used_percent", "Use of the store's disk.", status.retention.disk_used_pct
        )
    for field, name, meaning in _WRITTEN:
        counts = {kind: getattr(totals, field) for kind, totals in status.kinds.items()}
        yield _by_kind(name, meaning, counts)


def _of_history(history: History) -> Iterator[Family]:
    readers, replays = history.readers, history.replays
    yield _gauge("history_readers", "Range requests, and streams catching up, now.", readers.taken)
    yield _counter("history_requests", "The same, so far.", readers.served)
    yield _counter("history_refused", "The same, refused for their number.", readers.refused)
    yield _gauge("replays", "Replays now.", replays.taken)
    yield _counter("replays_started", "Replays so far.", replays.served)
    yield _counter("replays_refused", "Replays refused for their number.", replays.refused)


def _gauge(name: str, meaning: str, value: float) -> Family:
    return GaugeMetricFamily(f"marketcam_{name}", meaning, value)


def _counter(name: str, meaning: str, value: float) -> Family:
    return CounterMetricFamily(f"marketcam_{name}", meaning, value)


def _by_kind(name: str, meaning: str, counts: Mapping[str, int]) -> Family:
    family = CounterMetricFamily(f"marketcam_{name}", meaning, labels=["kind"])
    for kind, count in counts.items():
        family.add_metric([kind], count)
    return family
