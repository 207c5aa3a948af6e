"""What comes over NATS, made without NATS or a camera."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import orjson

from marketcam.server.edges.envelope import Parcel, Status, pack
from marketcam.server.edges.inlet import Inlet
from marketcam.server.edges.link import LinkOptions
from marketcam.server.stream.hub import Hub, HubOptions
from marketcam.server.stream.messages import Entry, Message
from marketcam.server.stream.selection import FilmedWith

STREAM = "cam"
_BEGIN = datetime(2026, 1, 24, tzinfo=UTC)


def status(run: str, **fields: Any) -> Status:
    """Return what a camera says of a run; by itself, that it has begun and has sent nothing."""
    sent = {"metric": None, "frame": None}
    told = Status(run, 1.0, 0, True, 0, None, sent, FilmedWith(stride=2))  # type: ignore[arg-type]
    return told._replace(**fields)


def metric_text(t: int) -> bytes:
    return orjson.dumps({"type": "metric", "t": t})


def metric_entry(t: int) -> Entry:
    return Entry(None, Message.of_text("metric", t, metric_text(t)))


def metric_data(run: str, t: int, prev: int | None) -> bytes:
    """Return a metric as it travels, in one part."""
    text = metric_text(t)
    return next(pack(run, Parcel("metric", t, prev, None, zlib.crc32(text), text), 65536))


def nats_message(number: int, subject: str, data: bytes, *, seconds: float = 0.0) -> Any:
    """Return what nats-py gives of a message, as far as an inlet looks at it."""
    at = _BEGIN + timedelta(seconds=seconds)
    sequence = SimpleNamespace(stream=number)
    metadata = SimpleNamespace(sequence=sequence, num_pending=0, timestamp=at)
    return SimpleNamespace(subject=f"{STREAM}.{subject}", data=data, metadata=metadata)


class FakeStream:
    """A stream that an inlet takes messages of, one at a time, as from JetStream.

    Attributes:
        hub: the inlet's.
        inlet: takes them.
        number: of the last message.
        seconds: the stream's clock.
    """

    def __init__(self) -> None:
        self.hub = Hub(HubOptions())
        self.inlet = Inlet(LinkOptions(("nats://nowhere",)), STREAM, self.hub)
        self.number = 0
        self.seconds = 0.0

    async def tell(self, told: Status) -> None:
        """Have the camera say how it is."""
        await self.send("status", told.to_bytes())

    async def metrics(self, run: str, *ticks: int, first_prev: int | None = None) -> None:
        """Have metrics come, each of which names the one before it."""
        prev = first_prev
        for t in ticks:
            await self.send(f"{run}.metric", metric_data(run, t, prev))
            prev = t

    async def send(self, subject: str, data: bytes) -> None:
        """Have a message come."""
        self.number += 1
        await self.inlet._take([nats_message(self.number, subject, data, seconds=self.seconds)])
