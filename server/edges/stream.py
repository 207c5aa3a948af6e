"""The stream in JetStream that keeps a camera's recent messages: made, or brought up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.api import StreamConfig

    from marketcam.server.settings import Settings

__all__ = ["StreamOptions", "ensure_stream"]

_NAME_IN_USE: Final = 10058

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
