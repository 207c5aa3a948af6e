"""The stream in JetStream that keeps a camera's recent messages: made, found, and read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from marketcam.server.edges.link import LinkError
from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.api import StreamConfig, StreamInfo

    from marketcam.server.settings import Settings

__all__ = ["StreamOptions", "ensure_stream", "find_stream", "next_batch", "subscribe"]

_NAME_IN_USE: Final = 10058
_BATCH_MESSAGES: Final = 256
_BATCH_BYTES: Final = 8 * 2**20

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What JetStream keeps, whichever bound is reached first; then the oldest go.

    Attributes:
        name: of the stream, with which its subjects begin.
        storage: where it keeps them.
        replicas: how many servers of a cluster do.
        seconds, bytes, messages: the bounds.
    """

    name: str = "marketcam"
    storage: Literal["file", "memory"] = "file"
    replicas: int = 1
    seconds: float = 600.0
    bytes: int = 256 * 2**20
    messages: int = 1_000_000

    @classmethod
    def of(cls, settings: Settings) -> StreamOptions:
        """Return what is configured."""
        return cls(
            settings.nats_stream,
            settings.nats_storage,
            settings.nats_replicas,
            settings.nats_keep_seconds,
            settings.nats_keep_bytes,
            settings.nats_keep_messages,
        )

    def config(self) -> StreamConfig:
        """Return it as JetStream wants it."""
        from nats.js import api  # noqa: PLC0415 - comes with an extra

        return api.StreamConfig(
            name=self.name,
            subjects=[f"{self.name}.>"],
            storage=api.StorageType(self.storage),
            num_replicas=self.replicas,
            max_age=self.seconds,
            max_bytes=self.bytes,
            max_msgs=self.messages,
            discard=api.DiscardPolicy.OLD,
        )


async def ensure_stream(jetstream: JetStreamContext, options: StreamOptions) -> None:
    """See to it that the stream is there, and as it is configured.

    One that is there and cannot be changed so, as from memory to files, is used as it is.

    Raises:
        nats.errors.Error: JetStream is not to be had, or refuses.
    """
    from nats.js.errors import APIError  # noqa: PLC0415 - comes with an extra

    config = options.config()
    try:
        await jetstream.add_stream(config)
    except APIError as error:
        if error.err_code != _NAME_IN_USE:
            raise
        try:
            await jetstream.update_stream(config)
        except APIError as refusal:
            log.warning("nats_stream_not_changed", stream=options.name, reason=refusal.description)


async def find_stream(jetstream: JetStreamContext, stream: str) -> StreamInfo | None:
    """Return what JetStream says of a stream, None where there is none.

    Raises:
        LinkError: there is no JetStream.
        nats.errors.Error: it does not answer.
    """
    from nats.errors import NoRespondersError  # noqa: PLC0415 - comes with an extra
    from nats.js.errors import NotFoundError, ServiceUnavailableError  # noqa: PLC0415 - as above

    try:
        return await jetstream.stream_info(stream)
    except NotFoundError:
        return None
    except (NoRespondersError, ServiceUnavailableError) as error:
        raise LinkError("JetStream is not to be had") from error


async def subscribe(
    jetstream: JetStreamContext, stream: str, first: int, patience: float
) -> JetStreamContext.PushSubscription:
    """Have a stream's messages come in order, from a number on.

    Args:
        jetstream: has the stream.
        stream: its name.
        first: the number.
        patience: seconds after which JetStream says that there is nothing.

    Raises:
        nats.errors.Error: JetStream is not to be had.
    """
    from nats.js.api import ConsumerConfig, DeliverPolicy  # noqa: PLC0415 - comes with an extra

    from_there = DeliverPolicy.BY_START_SEQUENCE
    return await jetstream.subscribe(
        f"{stream}.>",
        stream=stream,
        ordered_consumer=True,
        idle_heartbeat=patience,
        config=ConsumerConfig(deliver_policy=from_there, opt_start_seq=first),
    )


async def next_batch(coming: JetStreamContext.PushSubscription, patience: float) -> list[Msg]:
    """Return the next messages, as many as are there; none after so many seconds without any."""
    from nats.errors import TimeoutError as SilenceError  # noqa: PLC0415 - comes with an extra

    try:
        batch = [await coming.next_msg(patience)]
    except SilenceError:
        return []
    size = len(batch[0].data)
    while coming.pending_msgs and len(batch) < _BATCH_MESSAGES and size < _BATCH_BYTES:
        batch.append(await coming.next_msg(patience))
        size += len(batch[-1].data)
    return batch
