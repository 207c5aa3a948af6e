"""What goes over a stream: metrics and frames, and the few words said between them."""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import orjson
from websockets.frames import Opcode

from marketcam.io import decode_frame_columns, encode_frame, encode_frame_columns
from marketcam.server.stream.deflate import deflated
from marketcam.server.stream.selection import COLUMNS_FORM, PLAIN_FORM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from marketcam.engine import Frame
    from marketcam.server.stream.selection import Form
    from marketcam.server.stream.writing import Piece

__all__ = [
    "ENCODINGS",
    "FRAGMENT_BYTES",
    "KINDS",
    "PONG",
    "Body",
    "Encoding",
    "Entry",
    "Gap",
    "Kind",
    "Message",
    "Reason",
    "heartbeat",
]

Kind: TypeAlias = Literal["metric", "frame"]
Reason: TypeAlias = Literal["slow", "upstream", "busy"]
Encoding: TypeAlias = Literal["json", "columns"]

KINDS: Final[tuple[Kind, ...]] = ("metric", "frame")
"""The kinds of message, in their order within a tick."""

ENCODINGS: Final[Mapping[Encoding, Callable[[Frame], bytes]]] = {
    "json": encode_frame,
    "columns": encode_frame_columns,
}
"""How a frame can be sent; the default first. All else is JSON under every encoding."""

FRAGMENT_BYTES: Final = 2**16 - 4
"""Payload of a WebSocket frame at most; what is larger goes as several, which every receiver
joins. With its header, such a piece is 64 KB: a write of some tens of µs over loopback, after which
others have their turn, and between which pings find their place."""

_RSV1: Final = 0x40
"""Says, in the first fragment of a message, that it is compressed (RFC 7692, 6)."""

_COPIED_UP_TO: Final = 1024
"""Bytes that are copied behind their header: one buffer is written faster than two."""

_TWO_BYTE_SIZE: Final = 126
"""Payloads from this size on have it in two bytes of their own, and this in its usual place."""


class Body:
    """A message in one form: made once, framed once, and shared by all who are sent it.

    The bytes are held once: what is sent are views of them, unless they are few.

    Attributes:
        is_text: whether it is text, UTF-8, or else binary.
        is_deflated: whether its bytes are compressed. Such a one is for connections that have
            agreed to that, and only as `pieces`.
    """

    __slots__ = ("_data", "_make", "_making", "_pieces", "_text", "is_deflated", "is_text")

    def __init__(
        self,
        data: bytes | Callable[[], bytes],
        *,
        is_text: bool = True,
        is_deflated: bool = False,
    ) -> None:
        """Hold the bytes, or what makes them when they are first wanted."""
        self.is_text = is_text
        self.is_deflated = is_deflated
        self._data = data if isinstance(data, bytes) else None
        self._make = None if isinstance(data, bytes) else data
        self._making = threading.Lock()
        self._pieces: tuple[Piece, ...] | None = None
        self._text: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it can be sent without work that would hold the event loop."""
        return self._data is not None

    @property
    def size(self) -> int | None:
        """Its bytes; None before it is made."""
        return None if self._data is None else len(self._data)

    @property
    def data(self) -> bytes:
        """The bytes, made on first use, by one thread while others wait."""
        if self._data is None:
            with self._making:
                if self._make is not None:
                    self._data, self._make = self._make(), None
        assert self._data is not None  # noqa: S101 - what was there to make it has made it
        return self._data

    @property
    def text(self) -> str:
        """The bytes as ASGI wants text, decoded on first use; a copy, which stays."""
        if self._text is None:
            self._text = self.data.decode()
        return self._text

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The bytes as a server sends them: WebSocket frames, unmasked, in order."""
        if self._pieces is None:
            data = self.data
            with self._making:
                if self._pieces is None:
                    opcode = Opcode.TEXT if self.is_text else Opcode.BINARY
                    self._pieces = _fragments(data, opcode | _RSV1 * self.is_deflated)
        return self._pieces

    def prepare(self) -> None:
        """Do all the work now, in whatever thread this is called, so that it is ready."""
        _ = self.pieces


def _fragments(data: bytes, opcode: int) -> tuple[Piece, ...]:
    if len(data) <= _COPIED_UP_TO:
        return ((_header(opcode, len(data), is_last=True) + data,),)
    view = memoryview(data)
    starts = range(0, len(data), FRAGMENT_BYTES) or range(1)
    parts = [view[start : start + FRAGMENT_BYTES] for start in starts]
    opcodes = [opcode, *[Opcode.CONT] * (len(parts) - 1)]
    return tuple(
        (_header(part_opcode, len(part), is_last=number == len(parts)), part)
        for number, (part_opcode, part) in enumerate(zip(opcodes, parts, strict=True), 1)
    )


def _header(opcode: int, size: int, *, is_last: bool) -> bytes:
    """Return the header of an unmasked WebSocket frame of up to 65,535 bytes (RFC 6455, 5.2)."""
    first = opcode | (0x80 if is_last else 0)
    if size < _TWO_BYTE_SIZE:
        return bytes((first, size))
    return bytes((first, _TWO_BYTE_SIZE)) + size.to_bytes(2)


class _NoBody(Body):
    """What is sent where nothing is."""

    __slots__ = ()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """None."""
        return ()


_NO_BODY: Final = _NoBody(b"")


def heartbeat(t: int | None) -> Body:
    """Return the message for a silence; `t` is the last tick taken in, if any."""
    return Body(orjson.dumps({"type": "heartbeat", "t": t}))


PONG: Final = Body(b'{"type":"pong"}')


class Message:
    """One metric or frame, on its way to all who are sent it.

    A frame's holds the text, the frame itself, from which any other form can be made, and the forms
    that were made. Of the memory of the text, the frame takes a quarter, the encoded columns about
    a ninth, the compressed text a twelfth, and a form with fewer edges its share.

    Attributes:
        kind: which of the two.
        t: its tick.
        at: when it reached the hub, on the event loop's clock, in seconds.
    """

    __slots__ = ("_bodies", "_check", "_frame", "_match_share", "_text", "at", "kind", "t")

    def __init__(
        self,
        kind: Kind,
        t: int,
        text: Body,
        frame: Frame | Callable[[], Frame] | None = None,
        match_share: float = 0.5,
    ) -> None:
        """Hold its JSON text and, so that it can be written in other forms, the frame.

        Without one it is JSON text under every form.

        Args:
            kind: which of the two.
            t: its tick.
            text: its JSON text.
            frame: the frame, or what reads it when it is first wanted.
            match_share: the share of the edges that was set aside for matches.
        """
        self.kind: Final[Kind] = kind
        self.t = t
        self.at = 0.0
        self._text = text
        self._bodies = {PLAIN_FORM: text}
        self._frame = frame
        self._match_share = match_share
        self._check: int | None = None

    @classmethod
    def of_text(cls, kind: Kind, t: int, text: bytes) -> Message:
        """Return a message that is JSON under every form."""
        return cls(kind, t, Body(text))

    @classmethod
    def of_frame(cls, frame: Frame, match_share: float = 0.5) -> Message:
        """Return the message of a frame, which is encoded when a form is first wanted."""
        return cls("frame", frame.t, Body(partial(encode_frame, frame)), frame, match_share)

    @classmethod
    def of_columns(cls, columns: bytes, match_share: float = 0.5) -> Message:
        """Return the message of a frame that comes as columns, which are not made again.

        Raises:
            ColumnsError: they are none.
        """
        message = cls.of_frame(decode_frame_columns(columns), match_share)
        message.add(COLUMNS_FORM, Body(columns, is_text=False))
        return message

    @classmethod
    def missing(cls, kind: Kind, t: int) -> Message:
        """Return what stands where a message is missing: the gap before it has its tick as well.

        So that a gap has its place among the messages where none comes after it. It is sent as
        nothing, and not counted.
        """
        return cls(kind, t, _NO_BODY)

    @property
    def is_missing(self) -> bool:
        """Whether it only stands for one that is."""
        return self._text is _NO_BODY

    @property
    def check(self) -> int:
        """CRC-32 of its JSON text, reckoned on first use. Cost: 0.5 ms a MB."""
        if self._check is None:
            self._check = zlib.crc32(self._text.data)
        return self._check

    def only(self, form: Form) -> Message:
        """Return it as one form and nothing else, for whoever has it wait long and sends only that.

        It is in that form under every form, holds the bytes of no other, nor the frame, and has
        the same `check`.
        """
        body = self.body(form)
        alone = Message(self.kind, self.t, Body(body.data, is_text=body.is_text))
        alone.at = self.at
        alone._check = self.check
        return alone

    def add(self, form: Form, body: Body) -> None:
        """Have a form of it that is there already."""
        self._bodies[form] = body

    def body(self, form: Form = PLAIN_FORM) -> Body:
        """Return it in a form; the same one to all, whose bytes are made on first use."""
        if self._frame is None or form is PLAIN_FORM:
            return self._text
        body = self._bodies.get(form)
        if body is None:
            body = self._bodies.setdefault(form, self._new_body(form))
        return body

    def size(self, form: Form = PLAIN_FORM) -> int:
        """Return the bytes it is sent as; of a form not made yet, those of the JSON text.

        All other forms are the smaller ones.
        """
        size = self.body(form).size
        return len(self._text.data) if size is None else size

    def _new_body(self, form: Form) -> Body:
        if form.deflate:
            plain = self.body(replace(form, deflate=False))
            return Body(lambda: deflated(plain.data), is_text=plain.is_text, is_deflated=True)
        return Body(partial(self._written, form), is_text=form.encoding == "json")

    def _written(self, form: Form) -> bytes:
        frame = self._read_frame()
        if form.edges is not None:
            frame = frame.with_fewer_edges(form.edges, self._match_share)
        return ENCODINGS[form.encoding](frame)

    def _read_frame(self) -> Frame:
        if callable(self._frame):  # which two threads may do at once, and nobody sees
            self._frame = self._frame()
        assert self._frame is not None  # noqa: S101 - only frames are written anew
        return self._frame


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of one kind that were dropped: those of the ticks `from_t` to `to_t`, inclusive.

    Attributes:
        kind: which messages.
        from_t: tick of the first one dropped.
        to_t: tick of the last one dropped.
        reason: ``"slow"``, this client was behind; ``"busy"``, the server made more than it
            could hand out to anyone; or ``"upstream"``, they never reached this edge.
    """

    kind: Kind
    from_t: int
    to_t: int
    reason: Reason

    @property
    def body(self) -> Body:
        """The message that declares it."""
        fields = {
            "type": "gap",
            "kind": self.kind,
            "from_t": self.from_t,
            "to_t": self.to_t,
            "reason": self.reason,
        }
        return Body(orjson.dumps(fields))


class Entry(NamedTuple):
    """A message as it waits somewhere, with the gap to be declared before it, if any."""

    gap: Gap | None
    message: Message
