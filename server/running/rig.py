"""The rig: everything that runs behind the port, put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

from marketcam.engine.embedded import EmbeddedMarket
from marketcam.io.store import Recorder, RecorderOptions, RetentionPolicy
from marketcam.server.edges.envelope import Status
from marketcam.server.edges.link import LinkOptions
from marketcam.server.edges.outlet import Outlet, Pulse
from marketcam.server.edges.stream import StreamOptions
from marketcam.server.ingest.source import IngestSource
from marketcam.server.logs import get_logger
from marketcam.server.operators.condition import Condition
from marketcam.server.operators.posting import Target, post
from marketcam.server.operators.webhook import Webhook, WebhookOptions
from marketcam.server.running.about import about_run, filmed_with, kinds_recorded
from marketcam.server.running.compiling import compile_kernels
from marketcam.server.running.filming import Filming
from marketcam.server.running.lag import LagProbe
from marketcam.server.running.pipeline import Outputs, Pipeline, PipelineOptions
from marketcam.server.running.saving import Saving
from marketcam.server.running.sources import open_source
from marketcam.server.security.refusals import Refusals
from marketcam.server.stream.connection import CLOSE_SECONDS
from marketcam.server.stream.handover import Handover
from marketcam.server.stream.hub import GOING_AWAY, Hub, HubOptions
from marketcam.server.stream.selection import COLUMNS_FORM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from marketcam.io.sources import Source
    from marketcam.io.store import Level
    from marketcam.server.security.seats import Seats
    from marketcam.server.settings import Settings
    from marketcam.server.stream.messages import Entry, Kind, Message
    from marketcam.server.stream.selection import Form

__all__ = ["Rig", "hub_options", "send_viewers_away"]

FAREWELL_SECONDS: Final = 3 * CLOSE_SECONDS
"""How long the viewers may take to go when the rig is stopped; the segments do not wait longer."""

_DRAIN_SECONDS: Final = 0.001
"""From one look at what waits for the event loop to the next, when all else has ended."""

log = get_logger(__name__)


class Rig:
    """Source, camera, recorder and hub of one run. It is started once and stopped once.

    Attributes:
        settings: what it was made from.
        recorder: writes the segments.
        hub: serves the viewers.
        handover: carries messages from the engine's thread to the hub's.
        filming: the camera, and what is done when its population outgrows the budget.
        pipeline: runs the camera.
        lag: how late the event loop is.
        ingest: what takes ticks of producers elsewhere, where that is the source, once started.
        saving: the checkpoints, where there are any, once it is started.
        outlet: publishes to NATS for edges, where it is asked to.
        webhook: posts bursts and shocks, where it is asked to.
        seats: those of its connections; None where another server than ours counts them.
        refusals: of those who are not let in.
        stopping: whether it has begun to stop.
        condition: says whether it is as it should be.
        started_at: when ticks were first taken in, seconds since 1970; before that, when the rig
            was made.
    """

    def __init__(self, settings: Settings) -> None:
        """Put it together. Touches neither disk nor threads.

        Raises:
            LimitError: the camera or the recorder refuses a setting.
            ConfigurationError: the webhook's address is none, or NATS cannot be used so.
            MissingExtraError: NATS is configured, and its library is not installed.
        """
        self.settings = settings
        self.recorder = Recorder(_recorder_options(settings), on_event=_log_event)
        self.hub = Hub(hub_options(settings, filmed_with(settings).steps))
        self.outlet = self._outlet_of(settings)
        self.handover = Handover(self.hub.publish if self.outlet is None else self._publish)
        self.started_at = time.time()
        self.webhook = _webhook_of(settings, self.recorder)
        self.filming = Filming(settings.camera_arguments(), settings.pair_budget_action)
        if settings.source == "market":
            self.filming.check_room(settings.agents)
        self.pipeline = Pipeline(self.filming, self._outputs(), _pipeline_options(settings))
        self.lag = LagProbe()
        self.ingest: IngestSource | None = None
        self.saving: Saving | None = None
        self.seats: Seats | None = None
        self.refusals = Refusals()
        self.stopping = False
        self.condition = Condition(self)
        self._undo = AsyncExitStack()
        self._changing = asyncio.Lock()

    async def start(self, on_fatal: Callable[[], None]) -> None:
        """Open the source, recover the store, compile the kernels, and begin; in this order.

        What a mistyped path can break comes first, and nothing is recorded before all is ready.
        `on_fatal` is called, from another thread, when the ticks later fail the run.

        Raises:
            MarketCameraError, OSError: a part cannot start; those before it are stopped again.
        """
        async with self._changing, AsyncExitStack() as undo:
            source = await asyncio.to_thread(open_source, self.settings, self.pipeline.skip_line)
            undo.callback(source.close)
            self.ingest = source if isinstance(source, IngestSource) else None
            if self.webhook is not None:  # here, so that it is the last to stop but for the source
                self.webhook.open()
                undo.push_async_callback(self.webhook.close)
            saving = self.saving = await asyncio.to_thread(self._saving_of, source)
            await asyncio.to_thread(self.recorder.start)
            undo.push_async_callback(asyncio.to_thread, self.recorder.close)
            await asyncio.to_thread(compile_kernels)
            if saving is not None:
                source = await asyncio.to_thread(saving.start)
                undo.push_async_callback(asyncio.to_thread, saving.close)
            self.started_at = time.time()
            if self.outlet is not None:
                self.outlet.start(self._status())
                undo.push_async_callback(self._close_outlet, self.outlet)
            self.handover.open(asyncio.get_running_loop())
            self._start_pipeline(source, on_fatal)
            undo.push_async_callback(asyncio.to_thread, self.pipeline.stop)
            undo.push_async_callback(send_viewers_away, self.hub)
            self.lag.start()
            undo.callback(self.lag.stop)
            self.condition.start()
            undo.callback(self.condition.stop)
            self._undo = undo.pop_all()

    @property
    def failure(self) -> str | None:
        """Why the process has to end; None while it has not."""
        return self.pipeline.error if self.pipeline.fatal else None

    @property
    def last_t(self) -> int | None:
        """The last tick taken in."""
        return self.pipeline.last_t

    @property
    def stuck_seconds(self) -> float:
        """How long the tick in hand has taken; 0 where there is none."""
        return self.pipeline.pulse.seconds

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        return f"{self.pipeline.ticks} ticks"

    def _outputs(self) -> Outputs:
        record = self.recorder.write
        publish = self.handover.put if self.outlet is None else self._put
        share = self.settings.match_share
        if self.webhook is None:
            return Outputs(record, publish, self._wanted, share)
        return Outputs(record, publish, self._wanted, share, self.webhook.take)

    def _wanted(self) -> frozenset[Form]:
        wanted = self.hub.wanted
        return wanted if self.outlet is None else wanted | {COLUMNS_FORM}

    def _outlet_of(self, settings: Settings) -> Outlet | None:
        if settings.nats is None:
            return None
        link, stream = LinkOptions.of(settings, "marketcam"), StreamOptions.of(settings)
        return Outlet(link, stream, settings.nats_queue_bytes, self._pulse)

    def _pulse(self) -> Pulse:
        return Pulse(self.pipeline.running, self.pipeline.ticks, self.pipeline.last_t)

    def _status(self) -> Status:
        """Return what edges are told of the run when it begins, or is gone on with."""
        recorded = {} if self.saving is None else self.saving.recorded
        return Status(
            run=self.recorder.run,
            start_ts=self.started_at,
            seed=self.settings.seed,
            running=True,
            ticks=0,
            last_t=None,
            sent={"metric": recorded.get("metrics"), "frame": recorded.get("frames")},
            filmed=filmed_with(self.settings),
        )

    def _put(self, message: Message) -> None:
        """Hand over what goes to NATS as well, with the checksum made, beside the event loop."""
        _ = message.check
        self.handover.put(message)

    def _publish(self, batch: list[Entry]) -> None:
        assert self.outlet is not None  # noqa: S101 - else the hub is given them directly
        self.hub.publish(batch)
        self.outlet.offer(batch)

    async def _close_outlet(self, outlet: Outlet) -> None:
        """End after all that the pipeline has made, which has ended before."""
        while self.handover.waiting:
            await asyncio.sleep(_DRAIN_SECONDS)
        await outlet.close()

    def _saving_of(self, source: Source) -> Saving | None:
        """Return what saves the run of a source, where that can be saved and is to be."""
        if not self.settings.checkpoint_seconds or not isinstance(source, EmbeddedMarket):
            return None
        return Saving(self.settings, source, self.recorder, self.filming)

    def _start_pipeline(self, source: Source, on_fatal: Callable[[], None]) -> None:
        saving, pipeline = self.saving, self.pipeline
        if isinstance(source, IngestSource):
            source.when_named(lambda name: self.recorder.add_about({"producer": name}))
            pipeline.start(source, on_fatal, on_filmed=source.taken, on_refused=source.refuse)
            return
        if saving is None:
            pipeline.start(source, on_fatal)
            return

        def on_filmed(t: int) -> None:
            saving.filmed(t, pipeline.given)

        pipeline.start(
            source,
            on_fatal,
            recorded=saving.recorded,
            known_events=saving.known_events,
            on_filmed=on_filmed,
        )

    async def stop(self) -> None:
        """Close the viewers with 1001, stop the engine, write all it made, close the segments.

        Waits for a start that is under way. Again does nothing.
        """
        self.stopping = True
        async with self._changing:
            await self._undo.aclose()


async def send_viewers_away(hub: Hub) -> None:
    """Close the viewers of a server that stops; those who do not go in time are left behind."""
    try:
        async with asyncio.timeout(FAREWELL_SECONDS):
            await hub.close(GOING_AWAY, "the server is shutting down")
    except TimeoutError:
        log.warning("viewers_left_behind", clients=len(hub))


def _webhook_of(settings: Settings, recorder: Recorder) -> Webhook | None:
    if settings.webhook_url is None:
        return None
    target = Target.of(settings.webhook_url.get_secret_value())
    options = WebhookOptions(target.host, settings.webhook_queue, settings.webhook_retry_seconds)
    return Webhook(options, lambda: recorder.run, partial(post, target))


def _log_event(level: Level, event: str, /, **fields: object) -> None:
    getattr(log, level)(event, **fields)


def _recorder_options(settings: Settings) -> RecorderOptions:
    return RecorderOptions(
        store_dir=settings.store_dir,
        kinds=kinds_recorded(settings),
        segment_seconds=settings.segment_seconds,
        segment_bytes=settings.segment_bytes,
        level=settings.zstd_level,
        flush_seconds=settings.flush_seconds,
        sync_seconds=settings.fsync_seconds,
        queue_bytes=settings.record_queue_bytes,
        # Of a paced source every viewer expects the pace; without one, nobody does.
        when_full="skip" if settings.pace else "wait",
        stall_seconds=settings.record_stall_seconds,
        retry_seconds=settings.record_retry_seconds,
        retention=RetentionPolicy(
            retain_seconds=settings.retain_seconds,
            retain_bytes=settings.retain_bytes,
            disk_start_pct=settings.disk_start_pct,
            disk_target_pct=settings.disk_target_pct,
            keep_min=settings.keep_min,
        ),
        about=about_run(settings),
    )


def hub_options(settings: Settings, steps: Mapping[Kind, int] | None = None) -> HubOptions:
    """Return the limits of a hub; `steps` as it has them, where they are known."""
    return HubOptions(
        connect_metrics=settings.connect_metrics,
        client_queue_bytes=settings.client_queue_bytes,
        client_slow_seconds=settings.client_slow_seconds,
        max_clients=settings.max_clients,
        steps=steps or {},
    )


def _pipeline_options(settings: Settings) -> PipelineOptions:
    return PipelineOptions(
        tick_rate=settings.pace,
        metric_downsample=settings.metric_downsample,
        bad_tick=settings.bad_tick,
        record_ticks=settings.record_ticks,
        is_fed=settings.source in ("ticks", "ingest"),
    )
