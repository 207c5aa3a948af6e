"""`/metrics`: the camera's figures for Prometheus, gathered when it asks and not before."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import InfoMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from marketcam.engine.kernel_cache import kernel_files
from marketcam.server.operators.condition import CODES
from marketcam.server.operators.queues import queues_of
from marketcam.server.operators.webhook import LOSSES, WebhookStatus
from marketcam.server.running.filming import Rule
from marketcam.server.security.telling import shows_version
from marketcam.server.web.families import by, counter, counters, gauge, gauges, summary
from marketcam.server.web.figures import (
    of_condition,
    of_forms,
    of_hub,
    of_link,
    of_loop,
    of_queues,
    of_seats,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from marketcam.io.store import Recorder, RecorderStatus
    from marketcam.server.edges.outlet import Outlet
    from marketcam.server.history.history import History
    from marketcam.server.ingest.source import IngestSource
    from marketcam.server.operators.webhook import Webhook
    from marketcam.server.running.filming import Filming
    from marketcam.server.running.pipeline import Pipeline
    from marketcam.server.running.rig import Rig
    from marketcam.server.stream.forms import Forms
    from marketcam.server.stream.handover import Handover
    from marketcam.server.web.families import Family

__all__ = ["CONTENT_TYPE", "Exposition"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""Of the text that `Exposition.render` returns."""

_WRITTEN: Final = (
    ("lines", "recorded_lines", "Lines recorded."),
    ("json_bytes", "recorded_bytes", "Bytes of JSON recorded."),
    ("file_bytes", "recorded_file_bytes", "Bytes of them in files, compressed."),
    ("segments", "recorded_segments", "Segments closed."),
)

_NO_WEBHOOK: Final = WebhookStatus(
    waiting=0,
    limit=0,
    posted=0,
    attempts=0,
    failures=0,
    seconds=0.0,
    lost=dict.fromkeys(LOSSES, 0),
    problem=None,
)


class Exposition:
    """Renders the figures of one rig, from a registry of its own: no process-wide state."""

    def __init__(self, rig: Rig, history: History, forms: Forms) -> None:
        """Gather from this rig, from those who read its recording, and of how they want it."""
        self._registry = CollectorRegistry()
        self._registry.register(_RigCollector(rig, history, forms))
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """Return the figures of this moment as text."""
        return generate_latest(self._registry)


class _RigCollector(Collector):
    def __init__(self, rig: Rig, history: History, forms: Forms) -> None:
        self._rig = rig
        self._history = history
        self._forms = forms
        self._info = InfoMetricFamily(
            "marketcam", "This program.", {"version": version("marketcam")}
        )

    def describe(self) -> Iterable[Family]:
        return ()  # so that registering does not gather

    def collect(self) -> Iterator[Family]:
        rig = self._rig
        if shows_version(rig.settings):
            yield self._info
        yield counter("kernels_compiled", "Kernels compiled.", kernel_files().compiled)
        yield from of_condition(CODES, rig.condition.reasons())
        yield from _of_start(rig)
        yield from _of_pipeline(rig.pipeline)
        yield from _of_filming(rig.filming)
        yield from of_loop(rig.lag)
        yield from _of_ingest(rig.ingest)
        yield from of_queues(queues_of(rig))
        yield from _of_handover(rig.handover)
        yield from of_hub(rig.hub, rig.settings.max_clients)
        yield from of_forms(self._forms)
        yield from _of_recorder(rig.recorder.status())
        yield from _of_segments(rig.recorder)
        yield from _of_history(self._history)
        yield from of_seats(rig.seats)
        refused = "Those who were not let in, or no longer."
        yield counters("reason", "refusals", refused, rig.refusals.counts)
        yield from _of_webhook(rig.webhook)
        yield from _of_outlet(rig.outlet)


def _of_start(rig: Rig) -> Iterator[Family]:
    yield gauge("start_time_seconds", "When ticks were first taken in, Unix time.", rig.started_at)
    saved = None if rig.saving is None else rig.saving.figures()["last_t"]
    yield gauge("checkpoint_tick", "Tick of the last checkpoint.", saved)


def _of_outlet(outlet: Outlet | None) -> Iterator[Family]:
    figures = None if outlet is None else outlet.figures()
    yield from of_link(None if outlet is None else outlet.link)
    waiting = None if figures is None else figures.waiting
    yield gauge("nats_waiting", "Messages that wait for NATS.", waiting)
    sent, dropped = ({}, {}) if figures is None else (figures.sent, figures.dropped)
    yield counters("kind", "nats_sent", "Messages that NATS has stored.", sent)
    yield counters("kind", "nats_dropped", "Messages that no edge gets.", dropped)


def _of_pipeline(pipeline: Pipeline) -> Iterator[Family]:
    yield gauge("running", "Whether ticks are being taken in.", pipeline.running)
    yield counter("ticks", "Ticks taken in.", pipeline.ticks)
    yield counter("refused_ticks", "Ticks refused.", pipeline.refused)
    yield gauge("last_tick", "Number of the last tick taken in.", pipeline.last_t)
    stages = SummaryMetricFamily(
        "marketcam_stage_seconds",
        "Time in the stages of the pipeline; they overlap where ticks or frames are large.",
        labels=["stage"],
    )
    for stage, spent in pipeline.stages.items():
        stages.add_metric([stage], spent.count, spent.seconds)
    yield stages
    queues = pipeline.queues.items()
    yield gauges(
        "stage",
        "stage_waiting",
        "Ticks, metrics and frames before a stage.",
        {stage: queue.waiting for stage, queue in queues},
    )
    yield counters(
        "stage",
        "stage_waits",
        "Times that the stage before found that queue full, and waited.",
        {stage: queue.waits for stage, queue in queues},
    )


def _of_ingest(source: IngestSource | None) -> Iterator[Family]:
    connected, refused, queued = (None, None, None)
    if source is not None:
        connected, refused, queued = source.is_connected, source.refused, source.waiting_bytes
    yield gauge("ingest_connected", "Whether a producer of ticks is connected.", connected)
    yield counter("ingest_refused_ticks", "Ticks of producers refused.", refused)
    yield gauge("ingest_queue_bytes", "Bytes of ticks waiting for the engine.", queued)


def _of_filming(filming: Filming) -> Iterator[Family]:
    status = filming.status
    yield gauge(
        "degraded",
        "Whether the agents have outgrown the pair budget, so that frames wait or are of another "
        "rule.",
        status.degraded,
    )
    rules = get_args(Rule)
    yield by("rule", "proximity_rule", "Whether frames are of this rule.", rules, {status.rule})
    yield counter("pair_budget_outgrown", "Times that the agents outgrew it.", filming.outgrown)
    yield counter(
        "waited_ticks",
        "Ticks taken in that were not filmed, since their agents did not fit the pair budget.",
        filming.waited_ticks,
    )


def _of_handover(handover: Handover) -> Iterator[Family]:
    yield summary(
        "handover_seconds",
        "How long batches of messages waited for the event loop.",
        handover.batches,
        handover.lag_seconds,
    )
    yield gauge("handover_waiting", "Messages that wait for the event loop.", handover.waiting)
    yield counters(
        "kind",
        "handover_dropped",
        "Messages that no client was sent, since the event loop was behind.",
        handover.dropped,
    )


def _of_recorder(status: RecorderStatus) -> Iterator[Family]:
    yield gauge("recording", "Whether lines are being recorded.", status.recording)
    yield gauge("record_queue_bytes", "Memory of lines waiting for the disk.", status.queued_bytes)
    yield gauge("record_queue_lines", "Lines waiting for the disk.", status.queued_lines)
    yield counter("record_waits", "Times the recorder's queue was found full.", status.waits)
    yield counter("record_dropped", "Lines that were not recorded.", status.dropped_lines)
    yield counter("record_holes", "Holes declared in the recording.", status.holes)
    yield counter("removed_segments", "Segments removed by retention.", status.removed_segments)
    yield counter("removed_bytes", "Bytes of the segments removed.", status.removed_bytes)
    seen = status.retention
    used, total = (None, None) if seen is None else (seen.disk_used_pct, seen.total_bytes)
    yield gauge("disk_used_percent", "Use of the store's disk.", used)
    yield gauge("store_bytes", "Bytes of all segment files.", total)
    synced = "Tick of the last line that a power loss would leave."
    yield gauges("kind", "synced_tick", synced, status.synced)
    for field, name, meaning in _WRITTEN:
        counts = {kind: getattr(totals, field) for kind, totals in status.kinds.items()}
        yield counters("kind", name, meaning, counts)


def _of_segments(recorder: Recorder) -> Iterator[Family]:
    closed = recorder.segments()
    yield gauges("kind", "segments", "Closed segments in the store, of all runs.", closed)
    written = {kind: recorder.current(kind) or {} for kind in closed}
    for field, unit in (("lines", "Lines"), ("bytes", "Bytes")):
        values = {kind: entry.get(field) for kind, entry in written.items()}
        meaning = f"{unit} in the file of the segment being written."
        yield gauges("kind", f"current_segment_{field}", meaning, values)


def _of_history(history: History) -> Iterator[Family]:
    readers, replays = history.readers, history.replays
    yield gauge("history_readers", "Range requests, and streams catching up, now.", readers.taken)
    yield counter("history_requests", "The same, so far.", readers.served)
    yield counter("history_refused", "The same, refused for their number.", readers.refused)
    yield gauge("replays", "Replays now.", replays.taken)
    yield counter("replays_started", "Replays so far.", replays.served)
    yield counter("replays_refused", "Replays refused for their number.", replays.refused)
    measurers = history.measurers
    yield gauge("measurers", "Requests for measures, each with a process, now.", measurers.taken)
    yield counter("measures_requests", "The same, so far.", measurers.served)
    yield counter("measures_refused", "The same, refused for their number.", measurers.refused)


def _of_webhook(webhook: Webhook | None) -> Iterator[Family]:
    status = _NO_WEBHOOK if webhook is None else webhook.status()
    yield counter("webhook_events", "Events posted.", status.posted)
    lost = "Events that were not posted."
    yield counters("reason", "webhook_events_lost", lost, status.lost)
    asked = "Requests of the webhook, and the time they took."
    yield summary("webhook_seconds", asked, status.attempts, status.seconds)
    yield counter("webhook_failures", "Requests that failed.", status.failures)
    failing = status.problem is not None
    yield gauge("webhook_failing", "Whether the last request failed.", failing)
