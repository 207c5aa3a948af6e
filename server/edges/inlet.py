"""An edge's end of NATS: what a camera published, taken in order, and given to the edge's hub.

What is missing is found by what each message says of the one before it (`continuity`), and goes to
the hub as gaps. After a loss of NATS the edge goes on behind the last message it has taken: what
JetStream still has of the time between comes then, and what it has not is such a gap.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from marketcam.engine import MarketCameraError
from marketcam.server.edges.arrivals import InletFigures, Past, Whole, open_message
from marketcam.server.edges.beginning import Beginning, find_beginning
from marketcam.server.edges.continuity import Continuity
from marketcam.server.edges.envelope import (
    STATUS,
    Assembler,
    EnvelopeError,
    Head,
    Status,
    subject_of,
    unpack,
)
from marketcam.server.edges.link import Link
from marketcam.server.edges.stream import find_stream, next_batch, subscribe
from marketcam.server.edges.succession import Succession
from marketcam.server.logs import get_logger
from marketcam.server.stream.ending import GOING_AWAY, Closing
from marketcam.server.stream.messages import Entry
from marketcam.server.stream.place import Place

if TYPE_CHECKING:
    from datetime import datetime

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.api import StreamInfo

    from marketcam.server.edges.link import LinkOptions
    from marketcam.server.stream.hub import Hub
    from marketcam.server.stream.messages import Gap, Message

__all__ = ["Inlet"]

_NO_STREAM_SECONDS: Final = 0.5
_ANOTHER_RUN: Final = Closing(GOING_AWAY, "the camera has begun another run")
_FIRST_RUN: Final = Closing(GOING_AWAY, "the camera has begun a run")
"""For those who came before any: what they asked for is counted in the run's own steps."""
_NO_STREAM: Final = "the stream is not there: has the camera been started with --nats?"

log = get_logger(__name__)


class Inlet:
    """Takes a camera's messages into a hub. All of it is used from the event loop.

    Args:
        link: how NATS is reached.
        stream: where the messages are.
        hub: serves them.

    Attributes:
        status: the last that the camera said of itself; None before the first.
        last_t: the last tick taken in that this edge knows of; None without any.
        has_begun: set once there is a run, and all of its past is taken.
    """

    def __init__(self, link: LinkOptions, stream: str, hub: Hub) -> None:
        self.link = Link(link)
        self.status: Status | None = None
        self.last_t: int | None = None
        self.has_begun = asyncio.Event()
        self._stream = stream
        self._status_subject = subject_of(stream, STATUS, "")
        self._hub = hub
        self._silence_seconds = link.silence_seconds
        self._created: datetime | None = None  # the stream, as it was when this began in it
        self._number = 0  # of the last message that is dealt with, and all before it
        self._seen = 0  # of the last that has come
        self._past: Past | None = None
        self._runs = Succession()
        self._parts = Assembler()
        self._continuity = Continuity({}, {})
        self._heard_at: float | None = None
        self._behind = self._doubles = self._damaged = 0
        self._received = {"metric": 0, "frame": 0}
        self._gaps = {"metric": 0, "frame": 0}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take what comes."""
        self._task = asyncio.create_task(self.link.run(self._take_all))

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def figures(self) -> InletFigures:
        """Return how it is doing."""
        return InletFigures(
            connected=self.link.is_well,
            problem=self.link.problem,
            connects=self.link.connects,
            behind=self._behind,
            received=dict(self._received),
            gaps=dict(self._gaps),
            doubles=self._doubles,
            damaged=self._damaged,
            silence=None if self._heard_at is None else time.monotonic() - self._heard_at,
        )

    async def _take_all(self, client: Client) -> None:
        """Take what comes, until the connection is lost."""
        jetstream = client.jetstream(timeout=self._silence_seconds)
        while True:
            info = await find_stream(jetstream, self._stream)
            if info is None:
                self.link.note_problem(_NO_STREAM)
                await asyncio.sleep(_NO_STREAM_SECONDS)
                continue
            await self._find_place(jetstream, info)
            await self._follow(jetstream)

    async def _find_place(self, jetstream: JetStreamContext, info: StreamInfo) -> None:
        """Find out where to go on: behind what was taken last, or from the beginning."""
        self._parts = Assembler()
        if self.status is None:
            begin = await find_beginning(jetstream, info, self._hub.options.connect_metrics)
            self._begin(begin)
            self._number = begin.first - 1
        elif info.created != self._created or info.state.last_seq < self._number:
            log.warning("nats_stream_is_another", stream=self._stream)
            self._number = max(info.state.first_seq, 1) - 1  # 0 where it has nothing yet
            if self._past is not None:
                self._past.last = info.state.last_seq
        self._seen = self._number
        self._created = info.created
        if self._past is not None and self._number >= self._past.last:
            await self._end_past()

    def _begin(self, begin: Beginning) -> None:
        if begin.status is not None:
            self._runs.follows(begin.status)
            self._go_over_to(begin.status)
            self._heard_at = time.monotonic()  # of now on, whenever that was said
            self._past = Past(begin.last, self._hub.options.connect_metrics)

    async def _follow(self, jetstream: JetStreamContext) -> None:
        """Take messages from here on; return when they have to be asked for anew."""
        patience = self._silence_seconds / 2
        coming = await subscribe(jetstream, self._stream, self._number + 1, patience)
        self.link.note_use()
        try:
            while True:
                batch = await next_batch(coming, patience)
                if batch:
                    await self._take(batch)
                elif not await self._is_up_to_date(jetstream):
                    return
                elif self._past is not None:  # what was its last message is not there any more
                    await self._end_past()
        finally:
            with suppress(Exception):  # the connection may be lost
                await coming.unsubscribe()

    async def _is_up_to_date(self, jetstream: JetStreamContext) -> bool:
        """Return whether it is the camera that says nothing, and not JetStream that sends nothing.

        Raises:
            nats.errors.Error: JetStream does not answer.
        """
        info = await find_stream(jetstream, self._stream)
        return (
            info is not None and info.created == self._created and info.state.last_seq == self._seen
        )

    async def _take(self, batch: list[Msg]) -> None:
        """Take NATS messages, in order, and publish what is whole with them."""
        wholes: list[Whole] = []
        dealt_with = self._number
        for message in batch:
            number = message.metadata.sequence.stream
            if number <= self._seen:  # asked for anew meanwhile
                continue
            self._seen = number
            self._behind = message.metadata.num_pending
            try:
                if message.subject == self._status_subject:
                    status = Status.of_bytes(message.data)
                    if self._runs.follows(status, message.metadata.timestamp):
                        await self._take_status(status, wholes)
                elif (whole := self._whole(*unpack(message.data))) is not None:
                    wholes.append(whole)
            except EnvelopeError as error:
                self._note_damage(str(error))
            if self._past is not None and number >= self._past.last:
                await self._publish(wholes)
                wholes = []
                await self._end_past()
            if self._parts.is_empty:
                dealt_with = number
        await self._publish(wholes)
        # Not before: should the connection be lost meanwhile, all of this is asked for again.
        self._number = dealt_with

    def _whole(self, head: Head, data: bytes) -> Whole | None:
        """Take a part of a message; return the message that is whole with it, if any."""
        if self.status is None or head.run != self.status.run:
            return None  # of a run that is over
        self._heard_at = time.monotonic()
        whole = self._parts.take(head, data)
        return None if whole is None else Whole(head, whole)

    async def _take_status(self, status: Status, before: list[Whole]) -> None:
        """Take what the camera says of itself, once what came before that is published."""
        is_known = self.status is not None and status.run == self.status.run
        await self._publish(before)
        before.clear()
        if not is_known:
            self._go_over_to(status)
            self.has_begun.set()
        elif self._past is None:
            self._note_sent(status)
        self.status = status
        self._heard_at = time.monotonic()
        self._note_t(status.last_t)

    def _note_sent(self, status: Status) -> None:
        """Declare what was stored before this word of the camera, and is not there any more."""
        gaps = []
        for kind, t in status.sent.items():
            if (gap := self._continuity.note_sent(kind, t)) is not None:
                gaps.append(gap)
                self._note_gap(gap)
        if gaps:
            self._hub.declare(sorted(gaps, key=lambda gap: Place.of(gap.kind, gap.to_t)))

    def _note_gap(self, gap: Gap) -> None:
        self._gaps[gap.kind] += 1
        log.warning("upstream_gap", kind=gap.kind, from_t=gap.from_t, to_t=gap.to_t)

    def _go_over_to(self, status: Status) -> None:
        """Go over to another run: whoever is here has to connect again."""
        closing = _FIRST_RUN if self.status is None else _ANOTHER_RUN
        if self.status is not None:
            log.info("run_changed", run=status.run, before=self.status.run)
        self.status = status
        self.last_t = None
        self._past = None
        self._parts = Assembler()
        self._continuity = Continuity(status.filmed.steps, status.sent)
        self._hub.begin_anew(status.filmed.steps, closing)

    def _note_t(self, t: int | None) -> None:
        if t is not None and (self.last_t is None or t > self.last_t):
            self.last_t = t

    async def _publish(self, wholes: list[Whole]) -> None:
        """Give messages to the hub, or keep them of the past."""
        if self._past is not None:
            for whole in wholes:
                self._past.add(whole)
        elif wholes:
            await self._give(wholes)

    async def _give(self, wholes: list[Whole]) -> None:
        """Give messages to the hub."""
        opened = await self._opened(wholes)
        entries = []
        for whole, message in zip(wholes, opened, strict=True):
            if message is not None and (entry := self._entry(whole.head, message)) is not None:
                entries.append(entry)
        if entries:
            self._hub.publish(entries)

    def _entry(self, head: Head, message: Message) -> Entry | None:
        """Return a message with the gap before it; None where it has come before."""
        step = self._continuity.follow(head)
        if not step.is_new:
            self._doubles += 1
            return None
        self._received[head.kind] += 1
        self._note_t(head.t)
        if step.gap is not None:
            self._note_gap(step.gap)
        return Entry(step.gap, message)

    async def _opened(self, wholes: list[Whole]) -> list[Message | None]:
        """Return messages as they are sent, made in a thread where that takes time."""

        def open_all() -> list[Message | None]:
            return [self._open(whole) for whole in wholes]

        has_frames = any(whole.head.kind == "frame" for whole in wholes)
        return await asyncio.to_thread(open_all) if has_frames else open_all()

    def _open(self, whole: Whole) -> Message | None:
        """Return a message; None where it is not what the camera has sent."""
        assert self.status is not None  # noqa: S101 - nothing is taken before
        try:
            return open_message(whole, self.status.filmed.match_share, self._hub.wanted)
        except MarketCameraError as error:
            self._note_damage(str(error))
            return None

    async def _end_past(self) -> None:
        """Give the hub what is kept of the past, and go on with the present."""
        assert self._past is not None  # noqa: S101 - whoever calls this has seen it
        kept = self._past.kept()
        continuity = self._continuity
        if kept and self.status is not None:
            # What lies before the first that is kept of a kind is before this edge's time.
            first = {whole.head.kind: whole.head.prev for whole in reversed(kept)}
            known = {**continuity.last, **first}
            self._continuity = Continuity(self.status.filmed.steps, known)
        await self._give(kept)  # the past stays until then: the connection may be lost meanwhile
        self._past = None
        self._note_t(None if self.status is None else self.status.last_t)
        self.has_begun.set()

    def _note_damage(self, what: str) -> None:
        self._damaged += 1
        log.warning("nats_message_refused", error=what)
