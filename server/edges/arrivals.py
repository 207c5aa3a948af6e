"""What has arrived at an edge: messages that are whole, opened and compared with the camera's."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from marketcam.server.edges.envelope import EnvelopeError
from marketcam.server.stream.messages import Message
from marketcam.server.stream.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from marketcam.server.edges.envelope import Head
    from marketcam.server.stream.messages import Kind
    from marketcam.server.stream.selection import Form

__all__ = ["InletFigures", "Past", "Whole", "open_message"]


@dataclass(frozen=True, slots=True)
class InletFigures:
    """How the way from NATS is doing.

    Attributes:
        connected: whether messages come, if there are any.
        problem: why they do not.
        connects: how often a connection was made.
        behind: messages that JetStream had, and this edge had not, when it last took some.
        received: messages taken, by kind.
        gaps: gaps found among them, by kind.
        doubles: messages that came twice.
        damaged: NATS messages that were none of a camera's, or not what they should be.
        silence: seconds since the camera last said something; None where it never did.
    """

    connected: bool
    problem: str | None
    connects: int
    behind: int
    received: dict[str, int]
    gaps: dict[str, int]
    doubles: int
    damaged: int
    silence: float | None


class Whole(NamedTuple):
    """A message of which all parts have come."""

    head: Head
    data: bytes


class Past:
    """What is kept of the past while an edge begins: what it will send to those who connect.

    Attributes:
        last: number, in the stream, of the last message that is of the past.
    """

    def __init__(self, last: int, connect_metrics: int) -> None:
        self.last = last
        self._metrics: deque[Whole] = deque(maxlen=connect_metrics)
        self._frame: Whole | None = None
        self._last_t: dict[Kind, int] = {}

    def add(self, whole: Whole) -> None:
        """Keep a message, so long as it is among the last, unless it has come before."""
        kind, t = whole.head.kind, whole.head.t
        last = self._last_t.get(kind)
        if last is not None and t <= last:
            return
        self._last_t[kind] = t
        if kind == "metric":
            self._metrics.append(whole)
        else:
            self._frame = whole

    def kept(self) -> list[Whole]:
        """Return what is kept, in order: the last metrics, and the latest frame."""
        kept = [*self._metrics, *([] if self._frame is None else [self._frame])]
        return sorted(kept, key=lambda whole: Place.of(whole.head.kind, whole.head.t))


def open_message(whole: Whole, match_share: float, forms: Iterable[Form]) -> Message:
    """Return a message as it is sent, in every form that is wanted of it.

    Args:
        whole: what has come.
        match_share: the share of a frame's edges that is set aside for matches.
        forms: the forms.

    Raises:
        ColumnsError: it is a frame, and its columns are none.
        EnvelopeError: it is not, to the byte, what the camera has sent.
    """
    head, data = whole
    if head.kind == "metric":
        message = Message.of_text("metric", head.t, data)
    else:
        message = Message.of_columns(data, match_share)
    if message.check != head.check or message.t != head.t:
        raise EnvelopeError(f"the {head.kind} of tick {head.t} is not what the camera sent")
    for form in forms:
        message.body(form).prepare()
    return message
