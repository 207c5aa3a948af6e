"""`/metrics`: the camera's figures for Prometheus, gathered when it asks and not before."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from marketcam.engine.kernel_cache import kernel_files
from marketcam.server.operators.condition import CODES
from marketcam.server.operators.queues import queues_of
from marketcam.server.operators.webhook import LOSSES, WebhookStatus
from marketcam.server.running.filming import Rule
from marketcam.server.security.telling import shows_version
from marketcam.server.web.families import counter, gauge, labelled, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from marketcam.io.store import Recorder, RecorderStatus
    from marketcam.server.history.history import History
    from marketcam.server.ingest.source import IngestSource
    from marketcam.server.operators.webhook import Webhook
    from marketcam.server.running.filming import Filming
    from marketcam.server.running.lag import LagProbe
    from marketcam.server.running.pipeline import Pipeline
    from marketcam.server.running.rig import Rig
    from marketcam.server.security.seats import Seats
    from marketcam.server.stream.forms import Forms
    from marketcam.server.stream.handover import Handover
    from marketcam.server.stream.hub import Hub
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
        yield from _of_condition(rig)
        yield from _of_pipeline(rig.pipeline)
        yield from _of_filming(rig.filming)
        yield from _of_loop(rig.lag)
        yield from _of_ingest(rig.ingest)
        yield from _of_queues(rig)
        yield from _of_handover(rig.handover)
        yield from _of_hub(rig.hub, rig.settings.max_clients)
        yield from _of_forms(self._forms)
        yield from _of_recorder(rig.recorder.status())
        yield from _of_segments(rig.recorder)
        yield from _of_history(self._history)
        yield from _of_seats(rig.seats)
        refused = "Those who were not let in, or no longer."
        yield _counters("reason", "refusals", refused, rig.refusals.counts)
        yield from _of_webhook(rig.webhook)


def _of_condition(rig: Rig) -> Iterator[Family]:
    told = {reason.code for reason in rig.condition.reasons()}
    yield gauge("ready", "Whether all is as it should be, as `/health` says.", not told)
    yield _by("reason", "health_reason", "Whether it is degraded for this.", CODES, told)
    yield gauge("start_time_seconds", "When ticks were first taken in, Unix time.", rig.started_at)
    saved = None if rig.saving is None else rig.saving.figures()["last_t"]
    yield gauge("checkpoint_tick", "Tick of the last checkpoint.", saved)


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
    yield _gauges(
        "stage",
        "stage_waiting",
        "Ticks, metrics and frames before a stage.",
        {stage: queue.waiting for stage, queue in queues},
    )
    yield _counters(
        "stage",
        "stage_waits",
        "Times that the stage before found that queue full, and waited.",
        {stage: queue.waits for stage, queue in queues},
    )


def _of_loop(probe: LagProbe) -> Iterator[Family]:
    bounds = [*map(str, probe.lags.bounds), "+Inf"]
    yield HistogramMetricFamily(
        "marketcam_loop_lag_seconds",
        "How late the event loop came to a timer of its own.",
        list(zip(bounds, probe.lags.cumulative(), strict=True)),
        probe.lags.sum,
    )
    yield gauge("last_loop_lag_seconds", "The same, the last time.", probe.last)


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
    yield _by("rule", "proximity_rule", "Whether frames are of this rule.", rules, {status.rule})
    yield counter("pair_budget_outgrown", "Times that the agents outgrew it.", filming.outgrown)
    yield counter(
        "waited_ticks",
        "Ticks taken in that were not filmed, since their agents did not fit the pair budget.",
        filming.waited_ticks,
    )


def _of_queues(rig: Rig) -> Iterator[Family]:
    queues = queues_of(rig)
    yield labelled(
        GaugeMetricFamily,
        "queue_waiting",
        "What waits in a queue, in its unit.",
        ("queue", "unit"),
        [((queue.name, queue.unit), queue.waiting) for queue in queues],
    )
    fills = {queue.name: queue.fill for queue in queues}
    yield _gauges("queue", "queue_fill_ratio", "How full that makes the queue, 0 to 1.", fills)


def _of_handover(handover: Handover) -> Iterator[Family]:
    yield summary(
        "handover_seconds",
        "How long batches of messages waited for the event loop.",
        handover.batches,
        handover.lag_seconds,
    )
    yield gauge("handover_waiting", "Messages that wait for the event loop.", handover.waiting)
    yield _counters(
        "kind",
        "handover_dropped",
        "Messages that no client was sent, since the event loop was behind.",
        handover.dropped,
    )


def _of_hub(hub: Hub, limit: int) -> Iterator[Family]:
    yield gauge("clients", "Clients connected.", len(hub))
    yield gauge("clients_limit", "Clients there may be.", limit)
    yield gauge("audiences", "Different selections that clients have made.", hub.audiences)
    yield gauge("clients_behind", "Clients that do not keep up at the moment.", hub.behind)
    yield counter("clients_sent_away", "Clients closed for being too slow.", hub.sent_away)
    yield gauge("client_queue_bytes", "Bytes waiting for clients.", hub.waiting_bytes)
    counts = {
        "messages": ("Messages made and passed on to the clients there are.", hub.passed),
        "messages_sent": ("Messages sent, counted for each client.", hub.sent),
        "messages_dropped": ("Messages that slow clients missed.", hub.dropped),
    }
    for name, (meaning, by_kind) in counts.items():
        yield _counters("kind", name, meaning, by_kind)


def _of_forms(forms: Forms) -> Iterator[Family]:
    wanted = "Ways of writing a frame that clients want, the plain one aside."
    yield gauge("frame_forms", wanted, len(forms))
    yield gauge("frame_forms_limit", "Ways there may be.", forms.limit)
    yield counter("frame_forms_refused", "Clients refused for their number.", forms.refused)


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
    yield _gauges("kind", "synced_tick", synced, status.synced)
    for field, name, meaning in _WRITTEN:
        counts = {kind: getattr(totals, field) for kind, totals in status.kinds.items()}
        yield _counters("kind", name, meaning, counts)


def _of_segments(recorder: Recorder) -> Iterator[Family]:
    closed = recorder.segments()
    yield _gauges("kind", "segments", "Closed segments in the store, of all runs.", closed)
    written = {kind: recorder.current(kind) or {} for kind in closed}
    for field, unit in (("lines", "Lines"), ("bytes", "Bytes")):
        values = {kind: entry.get(field) for kind, entry in written.items()}
        meaning = f"{unit} in the file of the segment being written."
        yield _gauges("kind", f"current_segment_{field}", meaning, values)


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


def _of_seats(seats: Seats | None) -> Iterator[Family]:
    now, waiting, most, evicted, refused = (None,) * 5 if seats is None else _counted(seats)
    yield gauge("connections", "Connections of all kinds.", now)
    yield gauge(
        "connections_waiting", "Those that have sent no request yet, or are between two.", waiting
    )
    yield gauge("connections_limit", "Connections there may be.", most)
    yield counter("connections_evicted", "Waiting ones that were cut for others.", evicted)
    yield counter("connections_refused", "Connections that found no place.", refused)


def _of_webhook(webhook: Webhook | None) -> Iterator[Family]:
    status = _NO_WEBHOOK if webhook is None else webhook.status()
    yield counter("webhook_events", "Events posted.", status.posted)
    lost = "Events that were not posted."
    yield _counters("reason", "webhook_events_lost", lost, status.lost)
    asked = "Requests of the webhook, and the time they took."
    yield summary("webhook_seconds", asked, status.attempts, status.seconds)
    yield counter("webhook_failures", "Requests that failed.", status.failures)
    failing = status.problem is not None
    yield gauge("webhook_failing", "Whether the last request failed.", failing)


def _counted(seats: Seats) -> tuple[int, int, int, int, int]:
    return len(seats), seats.waiting, seats.most, seats.evicted, seats.refused


def _gauges(label: str, name: str, meaning: str, values: Mapping[Any, float | None]) -> Family:
    return labelled(GaugeMetricFamily, name, meaning, (label,), _samples(values))


def _counters(label: str, name: str, meaning: str, values: Mapping[Any, float | None]) -> Family:
    return labelled(CounterMetricFamily, name, meaning, (label,), _samples(values))


def _samples(values: Mapping[Any, float | None]) -> Iterator[tuple[tuple[str], float | None]]:
    return (((key,), value) for key, value in values.items())


def _by(label: str, name: str, meaning: str, names: Iterable[str], those: set[str]) -> Family:
    """Return a family that is 1 for some names and 0 for the others."""
    return _gauges(label, name, meaning, {each: float(each in those) for each in names})
