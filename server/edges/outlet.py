"""The camera's end of NATS: every message published once, however many edges and viewers there are.

The camera never waits for it. What is published waits in lanes, bounded like those of a viewer, and
leaves in volleys: the next when JetStream has acknowledged the last. A volley of which anything is
not acknowledged is sent again, whole and in order. So what it holds may be stored twice; and what
JetStream refused of it the first time, or a lost connection still had, after what follows it. Edges
leave out what comes late, and declare it.

A frame waits as its columns alone: its JSON text, many times as long, is held for viewers, not
here.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.server.edges.envelope import HEAD_BYTES, STATUS, Parcel, Status, pack, subject_of
from marketcam.server.edges.link import Link, LinkError, reason_of
from marketcam.server.edges.stream import StreamOptions, ensure_stream
from marketcam.server.logs import get_logger
from marketcam.server.stream.lanes import LaneLimits, Lanes
from marketcam.server.stream.messages import Entry
from marketcam.server.stream.selection import COLUMNS_FORM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nats.aio.client import Client
    from nats.js import JetStreamContext

    from marketcam.server.edges.link import LinkOptions
    from marketcam.server.stream.messages import Kind, Message

__all__ = ["Outlet", "OutletFigures", "Pulse"]

STATUS_SECONDS: Final = 1.0
"""From one status to the next. Edges tell by it that the camera is there."""

_VOLLEY_MESSAGES: Final = 256
_VOLLEY_BYTES: Final = 4 * 2**20
_PART_BYTES: Final = 512 * 1024
"""A NATS message at most, where the server's `max_payload`, 1 MB by default, allows it."""

_LEAST_PAYLOAD: Final = 4 * HEAD_BYTES
_WAITING_MESSAGES: Final = 2**16
_RETRY_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 5.0
"""How long the end of a run may take to get to NATS when the camera stops."""

log = get_logger(__name__)


class Pulse(NamedTuple):
    """How a camera is at one moment, as it is told to edges; attributes as `Status` has them."""

    running: bool
    ticks: int
    last_t: int | None


@dataclass(frozen=True, slots=True)
class OutletFigures:
    """How the way to NATS is doing.

    Attributes:
        connected: whether messages get there.
        problem: why they do not.
        connects: how often a connection was made.
        waiting: messages that wait.
        waiting_bytes: bytes of these, as they are sent.
        sent: messages that JetStream has acknowledged, by kind.
        dropped: messages that had to go, by kind.
    """

    connected: bool
    problem: str | None
    connects: int
    waiting: int
    waiting_bytes: int
    sent: Mapping[str, int]
    dropped: Mapping[str, int]


class Outlet:
    """Publishes a run. All of it is used from the event loop.

    Args:
        link: how NATS is reached.
        stream: where the messages go.
        queue_bytes: bytes that wait at most, as they are sent, half of them for each kind.
        pulse: says how the camera is.
    """

    def __init__(
        self,
        link: LinkOptions,
        stream: StreamOptions,
        queue_bytes: int,
        pulse: Callable[[], Pulse],
    ) -> None:
        self.link = Link(link)
        self._stream = stream
        self._pulse = pulse
        self._silence_seconds = link.silence_seconds
        self._lanes = Lanes(LaneLimits(queue_bytes // 2, _WAITING_MESSAGES), "upstream")
        self._volley: list[Entry] = []
        self._something = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._told_at = -STATUS_SECONDS
        self._sent: dict[Kind, int | None] = {}
        self._status: Status | None = None
        self._counts = {"metric": 0, "frame": 0}
        self._dropped = {"metric": 0, "frame": 0}
        self._task: asyncio.Task[None] | None = None
        self._is_ending = False

    def start(self, status: Status) -> None:
        """Begin to publish a run; what it says of itself beside its pulse does not change."""
        self._status = status
        self._sent = dict(status.sent)
        self._task = asyncio.create_task(self.link.run(self._publish))

    async def close(self) -> None:
        """Publish what waits, so long as NATS takes it within some seconds, and end."""
        if self._task is None:
            return
        self._is_ending = True
        self._something.set()
        if self.link.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._all_sent.wait()
        if waiting := self.figures().waiting:
            log.warning("nats_left_behind", messages=waiting)
        self._task.cancel()
        await asyncio.wait([self._task])

    def offer(self, batch: list[Entry]) -> None:
        """Leave messages, in order.

        Cost: 2 µs each, of a frame whose columns and `check` are made already.
        """
        for gap, message in batch:
            self._dropped[message.kind] += self._lanes.push(Entry(gap, _as_sent(message)))
        self._something.set()

    @property
    def fill(self) -> float:
        """How full the lanes are, 0 to 1."""
        return self._lanes.fill

    def figures(self) -> OutletFigures:
        """Return how it is doing."""
        volley = sum(entry.message.size() for entry in self._volley)
        return OutletFigures(
            connected=self.link.is_well,
            problem=self.link.problem,
            connects=self.link.connects,
            waiting=len(self._lanes) + len(self._volley),
            waiting_bytes=self._lanes.bytes + volley,
            sent=dict(self._counts),
            dropped=dict(self._dropped),
        )

    async def _publish(self, client: Client) -> None:
        """Publish what comes, until the connection is lost."""
        from nats.errors import Error  # noqa: PLC0415 - comes with an extra

        jetstream = client.jetstream(timeout=self._silence_seconds)
        self._told_at = -STATUS_SECONDS  # first of all, an edge is told of which run it is
        while True:
            try:
                await ensure_stream(jetstream, self._stream)
                most = _part_bytes(client.max_payload)
                while True:
                    await self._publish_volley(jetstream, most)
            except (LinkError, Error) as error:
                if not client.is_connected:
                    raise
                self.link.note_problem(reason_of(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _publish_volley(self, jetstream: JetStreamContext, most: int) -> None:
        """Publish what waits, or nothing but a status, and wait until JetStream has it."""
        if not self._volley:
            await self._wait()
            self._volley = self._lanes.drain(_VOLLEY_MESSAGES, _VOLLEY_BYTES)
        packed = await self._packed(self._told_of(self._volley), most)
        await _store(jetstream, [*self._status_due(), *packed], self._silence_seconds)
        self.link.note_use()
        for _, message in self._volley:
            self._sent[message.kind] = message.t
            self._counts[message.kind] += 1
        self._volley = []
        if self._is_ending and not self._lanes:
            await _store(jetstream, [self._status_now()], self._silence_seconds)
            self._all_sent.set()

    async def _wait(self) -> None:
        """Wait until there is something to send, or it is time for a status."""
        left = self._told_at + STATUS_SECONDS - time.monotonic()
        if self._lanes or self._is_ending or left <= 0:
            return
        self._something.clear()
        try:
            async with asyncio.timeout(left):
                await self._something.wait()
        except TimeoutError:
            pass

    def _status_due(self) -> list[tuple[str, bytes]]:
        now = time.monotonic()
        if now - self._told_at < STATUS_SECONDS:
            return []
        self._told_at = now
        return [self._status_now()]

    def _status_now(self) -> tuple[str, bytes]:
        assert self._status is not None  # noqa: S101 - given at the start
        status = self._status._replace(**self._pulse()._asdict(), sent=self._sent)
        return subject_of(self._stream.name, STATUS, status.run), status.to_bytes()

    def _told_of(self, volley: list[Entry]) -> list[_Waiting]:
        """Return what is said of each message, the one before it of its kind above all."""
        before = dict(self._sent)
        told = []
        for gap, message in volley:
            prev = before.get(message.kind) if gap is None else gap.to_t
            missing_from = None if gap is None else gap.from_t
            told.append(_Waiting(message, prev, missing_from))
            before[message.kind] = message.t
        return told

    async def _packed(self, waiting: list[_Waiting], most: int) -> list[tuple[str, bytes]]:
        assert self._status is not None  # noqa: S101 - given at the start
        run, stream = self._status.run, self._stream.name

        def pack_all() -> list[tuple[str, bytes]]:
            return [
                (subject_of(stream, parcel.kind, run), part)
                for parcel in map(_parcel, waiting)
                for part in pack(run, parcel, most)
            ]

        has_frames = any(each.message.kind == "frame" for each in waiting)
        return await asyncio.to_thread(pack_all) if has_frames else pack_all()


class _Waiting(NamedTuple):
    """A message of a volley, and what is said of it, as `Parcel` has that."""

    message: Message
    prev: int | None
    missing_from: int | None


def _as_sent(message: Message) -> Message:
    return message.only(COLUMNS_FORM) if message.kind == "frame" else message


def _parcel(waiting: _Waiting) -> Parcel:
    message, prev, missing_from = waiting
    data = message.body().data
    return Parcel(message.kind, message.t, prev, missing_from, message.check, data)


def _part_bytes(max_payload: int) -> int:
    """Return how long a NATS message may be.

    Raises:
        LinkError: hardly anything fits.
    """
    if max_payload < _LEAST_PAYLOAD:
        raise LinkError(f"max_payload of NATS must be {_LEAST_PAYLOAD} or more, got {max_payload}")
    return min(max_payload, _PART_BYTES)


async def _store(
    jetstream: JetStreamContext, messages: list[tuple[str, bytes]], seconds: float
) -> None:
    """Publish messages, and wait until JetStream has stored them all.

    Raises:
        LinkError: it has not said so in time.
        nats.errors.Error: it refuses one.
    """
    if not messages:
        return
    futures = [await jetstream.publish_async(*message) for message in messages]
    _, waiting = await asyncio.wait(futures, timeout=seconds)
    for future in waiting:
        future.cancel()
    if waiting:
        raise LinkError(f"JetStream has not stored {len(waiting)} messages within {seconds:g} s")
    for future in futures:
        future.result()
