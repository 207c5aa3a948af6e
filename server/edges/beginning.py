"""Where an edge begins in the stream: so far back that whoever connects gets what the camera sends.

That is the last metrics and the latest frame. Their place is found by halving: within a run ticks
only grow along the stream, so that some 20 questions find it, whatever the stream holds; where
ticks skip, some 20 for each time that it has to be looked twice as far back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.server.edges.envelope import (
    STATUS,
    EnvelopeError,
    Head,
    Status,
    subject_of,
    unpack,
)
from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.api import StreamInfo

    from marketcam.server.stream.messages import Kind

__all__ = ["Beginning", "find_beginning"]

_COUNTING_SECONDS: Final = 2.0

log = get_logger(__name__)


class Beginning(NamedTuple):
    """Where to begin, and with what.

    Attributes:
        status: the last that the camera said of itself; None where it has said nothing yet.
        first: number of the first message in the stream to take.
        last: number of the last that was there; up to here it is all of the past.
    """

    status: Status | None
    first: int
    last: int


async def find_beginning(
    jetstream: JetStreamContext, info: StreamInfo, connect_metrics: int
) -> Beginning:
    """Return where to begin.

    Args:
        jetstream: has the stream.
        info: what it says of the stream.
        connect_metrics: metrics that whoever connects is sent.

    Raises:
        nats.errors.Error: JetStream is not to be had.
    """
    state, name = info.state, info.config.name or ""
    status = await _last_status(jetstream, name)
    if status is None:
        return Beginning(None, state.last_seq + 1, state.last_seq)
    search = _Search(jetstream, name, status.run, state.first_seq)
    firsts = [
        await search.latest_frame(),
        await search.metrics(connect_metrics, status.filmed.metric_downsample),
    ]
    first = min((each for each in firsts if each is not None), default=state.last_seq + 1)
    return Beginning(status, first, state.last_seq)


async def _last_status(jetstream: JetStreamContext, stream: str) -> Status | None:
    """Return the last status; None without any, or where the last is none: another comes soon."""
    found = await _last(jetstream, stream, subject_of(stream, STATUS, ""))
    try:
        return None if found is None else Status.of_bytes(found[1])
    except EnvelopeError as error:
        log.warning("nats_message_refused", error=str(error))
        return None


async def _last(jetstream: JetStreamContext, stream: str, subject: str) -> tuple[int, bytes] | None:
    """Return the number and the bytes of the last message of a subject."""
    from nats.js.errors import NotFoundError  # noqa: PLC0415 - comes with an extra

    try:
        message = await jetstream.get_last_msg(stream, subject)
    except NotFoundError:
        return None
    return message.seq or 0, message.data or b""


class _Search:
    """Finds messages of a run by their ticks."""

    def __init__(self, jetstream: JetStreamContext, stream: str, run: str, first: int) -> None:
        self._jetstream = jetstream
        self._stream = stream
        self._run = run
        self._first = first

    async def latest_frame(self) -> int | None:
        """Return the number of the first part of the latest frame that is whole."""
        found = await self._last_head("frame")
        if found is None:
            return None
        number, head = found
        if head.part == head.parts:
            return await self._number_of("frame", head.t, number)
        # The rest is on its way, or never will be: then the one before it is the latest.
        return await self._number_of("frame", head.t if head.prev is None else head.prev, number)

    async def metrics(self, count: int, step: int) -> int | None:
        """Return a number from which on there are so many metrics, or all there are.

        Most often they are `step` ticks apart. Where ticks skip, it is looked further back.
        """
        found = await self._last_head("metric") if count else None
        if found is None:
            return None
        number, head = found
        _, earliest = await self._next("metric", self._first)
        span = (count - 1) * step
        while True:
            first = await self._number_of("metric", head.t - span, number)
            is_all = head.t - span <= earliest.t
            if is_all or await self._count("metric", first) >= count:
                return first
            span *= 2

    async def _last_head(self, kind: Kind) -> tuple[int, Head] | None:
        """Return the last message of a kind; None without any, or where the last is none."""
        found = await _last(self._jetstream, self._stream, self._subject(kind))
        try:
            return None if found is None else (found[0], unpack(found[1])[0])
        except EnvelopeError as error:
            log.warning("nats_message_refused", error=str(error))
            return None

    async def _number_of(self, kind: Kind, t: int, last: int) -> int:
        """Return the number of the first message of a kind that is of a tick or later.

        Args:
            kind: the kind.
            t: the tick.
            last: number of one that is.
        """
        first = self._first
        while first < last:
            middle = (first + last) // 2
            number, head = await self._next(kind, middle)
            if head.t >= t:
                last = min(middle, last)
            else:
                first = number + 1
        return last

    async def _count(self, kind: Kind, number: int) -> int:
        """Return how many messages of a kind there are from a number on."""
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy  # noqa: PLC0415 - of an extra

        # Only a consumer is told so; it is never asked for any, and soon forgotten.
        counting = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=number,
            filter_subject=self._subject(kind),
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            inactive_threshold=_COUNTING_SECONDS,
        )
        info = await self._jetstream.add_consumer(self._stream, counting)
        return info.num_pending or 0

    async def _next(self, kind: Kind, number: int) -> tuple[int, Head]:
        """Return the first message of a kind with a number or a greater one, of which there is."""
        while True:
            message = await self._jetstream.get_msg(
                self._stream, seq=number, subject=self._subject(kind), next=True
            )
            found = message.seq or number
            try:
                return found, unpack(message.data or b"")[0]
            except EnvelopeError:
                number = found + 1  # something else that was published there

    def _subject(self, kind: Kind) -> str:
        return subject_of(self._stream, kind, self._run)
