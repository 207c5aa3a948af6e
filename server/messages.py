"""What goes over a stream: metrics and frames, and the few words said between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

import orjson

__all__ = ["KINDS", "PONG", "Entry", "Gap", "Kind", "Message", "heartbeat"]

Kind: TypeAlias = Literal["metric", "frame"]

KINDS: Final[tuple[Kind, ...]] = ("metric", "frame")
"""The kinds of message, in their order within a tick."""

PONG: Final = '{"type":"pong"}'


def heartbeat(t: int | None) -> str:
    """Return the message for a silence; `t` is the last tick taken in, if any."""
    return orjson.dumps({"type": "heartbeat", "t": t}).decode()


@dataclass(slots=True, eq=False)
class Message:
    """One metric or frame, encoded once and shared by all who are sent it.

    Attributes:
        kind: which of the two.
        t: its tick.
        data: its JSON text, UTF-8; the recorder writes the same object.
        at: when it reached the hub, on the event loop's clock, in seconds.
    """

    kind: Kind
    t: int
    data: bytes
    at: float = 0.0
    _text: str | None = field(default=None, init=False, repr=False)

    @property
    def size(self) -> int:
        """Bytes of its text."""
        return len(self.data)

    @property
    def text(self) -> str:
        """Its text as ASGI wants it, decoded on first use and then kept for the next client."""
        if self._text is None:
            self._text = self.data.decode()
        return self._text


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of one kind that were dropped: those of the ticks `from_t` to `to_t`, inclusive.

    Attributes:
        kind: which messages.
        from_t: tick of the first one dropped.
        to_t: tick of the last one dropped.
        reason: ``"slow"``, this client was behind, or ``"busy"``, the server made more than it
            could hand out to anyone.
    """

    kind: Kind
    from_t: int
    to_t: int
    reason: Literal["slow", "busy"]

    @property
    def text(self) -> str:
        """The message that declares it."""
        fields = {
            "type": "gap",
            "kind": self.kind,
            "from_t": self.from_t,
            "to_t": self.to_t,
            "reason": self.reason,
        }
        return orjson.dumps(fields).decode()


class Entry(NamedTuple):
    """A message as it waits somewhere, with the gap to be declared before it, if any."""

    gap: Gap | None
    message: Message
