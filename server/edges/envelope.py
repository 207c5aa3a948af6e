"""What travels over NATS: messages of a run, in parts that NATS takes, each with a head.

A NATS message is a line of JSON, the head, and after it the bytes. A metric's are its JSON text. A
frame's are its columns, a ninth of its JSON text, which an edge writes anew. The head has a
checksum of the text, so that what an edge sends is what the camera sends, or it is not sent.

Each head names the message of its kind before it. So whoever has had that one knows that nothing is
missing between the two, whatever the ticks are.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from marketcam.server.errors import ServerError
from marketcam.server.stream.messages import KINDS
from marketcam.server.stream.selection import FilmedWith

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from marketcam.server.stream.messages import Kind

__all__ = [
    "FORMAT",
    "HEAD_BYTES",
    "MOST_BYTES",
    "MOST_PARTS",
    "STATUS",
    "Assembler",
    "EnvelopeError",
    "Head",
    "Parcel",
    "Status",
    "pack",
    "subject_of",
    "unpack",
]

FORMAT: Final = 1
"""Version of what travels; an edge leaves out what is of another."""

HEAD_BYTES: Final = 1024
"""A head has no more: it holds numbers, and a run's name of 128 characters at most."""

MOST_PARTS: Final = 2**16
MOST_BYTES: Final = 64 * 2**20
"""What a message may have; columns of so many bytes are 600 MB of JSON text."""

STATUS: Final = "status"
"""The kind of message with which a camera says how it is, and of which run what follows is."""


_TYPES: Final[Mapping[str, set[type]]] = {
    "run": {str},
    "start_ts": {int, float},
    "seed": {int},
    "running": {bool},
    "ticks": {int},
    "last_t": {int, NoneType},
}
_FILMED_TYPES: Final[Mapping[str, set[type]]] = {
    "stride": {int},
    "metric_downsample": {int},
    "edge_cap": {int},
    "match_share": {int, float},
}


class EnvelopeError(ServerError):
    """What came over NATS is no message of a camera, or of another version."""


def subject_of(stream: str, kind: str, run: str) -> str:
    """Return the subject of a kind of message; that of the status does not depend on the run."""
    return f"{stream}.{STATUS}" if kind == STATUS else f"{stream}.{run}.{kind}"


class Parcel(NamedTuple):
    """A message on its way to NATS.

    Attributes:
        kind: its kind.
        t: its tick.
        prev: tick of the message of that kind before it that was made, None for the first.
        missing_from: tick of the first of those before it that were left out, None without any.
        check: CRC-32 of its JSON text.
        data: what travels of it.
    """

    kind: Kind
    t: int
    prev: int | None
    missing_from: int | None
    check: int
    data: bytes


class Head(NamedTuple):
    """What is said of the bytes of a part; all but the last two as `Parcel` has it.

    Attributes:
        part: which part it is, from 1.
        parts: how many there are.
    """

    run: str
    kind: Kind
    t: int
    prev: int | None
    missing_from: int | None
    check: int
    part: int
    parts: int


def pack(run: str, parcel: Parcel, most: int) -> Iterator[bytes]:
    """Yield a message in parts of `most` bytes at most, heads included."""
    kind, t, prev, missing_from, check, data = parcel
    size = most - HEAD_BYTES
    starts = range(0, len(data), size) or range(1)
    for part, start in enumerate(starts, 1):
        head = Head(run, kind, t, prev, missing_from, check, part, len(starts))
        yield orjson.dumps({"v": FORMAT, **head._asdict()}) + b"\n" + data[start : start + size]


def unpack(message: bytes) -> tuple[Head, bytes]:
    """Return the head of a part, and its bytes.

    Raises:
        EnvelopeError: it is no part of a message.
    """
    line, _, data = message.partition(b"\n")
    fields = _fields(line)
    try:
        head = Head(**fields)
    except TypeError as error:
        raise EnvelopeError(f"not a head: {bytes(line[:80])!r}") from error
    known = head.kind in KINDS and isinstance(head.run, str)
    numbers = (head.t, head.check, head.part, head.parts)
    maybe = (head.prev, head.missing_from)
    is_whole = all(type(number) is int for number in numbers)
    if not (known and is_whole and all(type(each) in {int, NoneType} for each in maybe)):
        raise EnvelopeError(f"not a head: {bytes(line[:80])!r}")
    if not 1 <= head.part <= head.parts <= MOST_PARTS:
        raise EnvelopeError(
            f"part must be 1 to parts, and parts {MOST_PARTS} at most, "
            f"got part {head.part} of {head.parts}"
        )
    return head, data


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise EnvelopeError(f"not a line of JSON: {bytes(line[:80])!r}") from error
    if not isinstance(fields, dict):
        raise EnvelopeError(f"not an object: {bytes(line[:80])!r}")
    version = fields.pop("v", None)
    if version != FORMAT:
        raise EnvelopeError(f"format must be {FORMAT}, got {version!r:.40}")
    return fields


class Assembler:
    """Puts the parts of messages together; bounded by one message of each kind.

    The parts of a message come in order. What is not whole when another of its kind begins is left
    out: the next of its kind will say so.
    """

    def __init__(self) -> None:
        self._begun: dict[Kind, _Begun] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is no part of a message that is yet to become whole."""
        return not self._begun

    def take(self, head: Head, data: bytes) -> bytes | None:
        """Take a part; return the bytes of a message that is whole with it.

        Raises:
            EnvelopeError: it makes the message larger than any is; what there is of it is left out.
        """
        before = self._begun.pop(head.kind, None)
        begun = _Begun(head) if head.part == 1 else before
        if begun is None or not begun.is_followed_by(head):
            return None
        begun.add(data)
        if head.part == head.parts:
            return b"".join(begun.parts)
        self._begun[head.kind] = begun
        return None


class _Begun:
    """The parts that have come of a message, from the first on."""

    def __init__(self, head: Head) -> None:
        self.parts: list[bytes] = []
        self._head = head
        self._size = 0

    def is_followed_by(self, head: Head) -> bool:
        """Return whether this is the head of its next part."""
        return self._head._replace(part=len(self.parts) + 1) == head

    def add(self, data: bytes) -> None:
        """Have the next part.

        Raises:
            EnvelopeError: that is more than a message may have.
        """
        self._size += len(data)
        if self._size > MOST_BYTES:
            kind, t = self._head.kind, self._head.t
            raise EnvelopeError(f"the {kind} of tick {t} must have {MOST_BYTES} bytes at most")
        self.parts.append(data)


class Status(NamedTuple):
    """How a camera is, as its edges are told: at a run's begin, and then every second.

    Attributes:
        run: the run.
        start_ts: when ticks were first taken in, seconds since 1970.
        seed: its random seed.
        running: whether ticks are being taken in.
        ticks: ticks taken in by this process.
        last_t: the last of them, None before the first.
        sent: tick of the last message that was sent to NATS, by kind; None for none.
        filmed: with what it is filmed.
    """

    run: str
    start_ts: float
    seed: int
    running: bool
    ticks: int
    last_t: int | None
    sent: Mapping[Kind, int | None]
    filmed: FilmedWith

    @property
    def has_begun(self) -> bool:
        """Whether there is anything of the run, by this process or by one before it."""
        return self.last_t is not None or any(t is not None for t in self.sent.values())

    def to_bytes(self) -> bytes:
        """Return it as it travels."""
        filmed = {name: getattr(self.filmed, name) for name in FilmedWith.__slots__}
        return orjson.dumps(
            {"v": FORMAT, **self._asdict(), "sent": dict(self.sent), "filmed": filmed}
        )

    @classmethod
    def of_bytes(cls, message: bytes) -> Status:
        """Read what has travelled.

        Raises:
            EnvelopeError: it is no status.
        """
        fields = _fields(message)
        try:
            status = cls(**{**fields, "filmed": FilmedWith(**fields["filmed"])})
            sent: dict[Kind, int | None] = {kind: status.sent.get(kind) for kind in KINDS}
        except (KeyError, TypeError, AttributeError) as error:
            raise EnvelopeError(f"not a status: {bytes(message[:80])!r}") from error
        status = status._replace(sent=sent)
        if not (_has_types(status) and _is_filmed_with(status.filmed)):
            raise EnvelopeError(f"not a status: {bytes(message[:80])!r}")
        return status


def _has_types(status: Status) -> bool:
    """Return whether the fields of a status are what they say."""
    told: dict[str, Any] = status._asdict()  # whatever has come
    return all(type(told[name]) in types for name, types in _TYPES.items()) and all(
        type(t) in _TYPES["last_t"] for t in status.sent.values()
    )


def _is_filmed_with(filmed: FilmedWith) -> bool:
    values: dict[str, Any] = {name: getattr(filmed, name) for name in FilmedWith.__slots__}
    return (
        all(type(values[name]) in types for name, types in _FILMED_TYPES.items())
        and filmed.stride >= 1 <= filmed.metric_downsample
        and 0 <= filmed.match_share <= 1
    )
