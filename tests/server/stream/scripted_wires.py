"""Wires whose room the test says, and the messages in what was written to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from marketcam.server.stream.hub import Hub, HubOptions
from marketcam.server.stream.messages import Entry, Gap, Kind, Message
from marketcam.server.stream.writing import PASS_SECONDS, FairWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marketcam.server.stream.writing import Piece

FIN = 0x80


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ScriptedWire:
    """A wire that takes what is written while it has room, and pauses in the middle of a write."""

    def __init__(self, clock: Clock, room: float = float("inf"), cost: float = 0.0) -> None:
        self.is_open = True
        self.has_room = True
        self.lacked_room = False
        self.taken = 0
        self.writes: list[bytes] = []
        self._clock = clock
        self._room = room
        self._cost = cost
        self._on_change: Callable[[], None] | None = None

    @property
    def write_bytes(self) -> Callable[[bytes], None]:
        return self._write

    def write(self, piece: Piece) -> None:
        self._write(b"".join(piece))

    def watch(
        self, on_change: Callable[[], None] | None, by_others: Callable[[], int] | None = None
    ) -> None:
        self._on_change = on_change

    def abort(self) -> None:
        self.lose()

    def pause(self) -> None:
        """Have no room from now on, as when something else was written."""
        if self.has_room:
            self.has_room, self.lacked_room, self._room = False, True, 0
            self._tell()

    def resume(self, room: float = float("inf")) -> None:
        """Have room again for so many bytes."""
        if self.is_open and not self.has_room:
            self.has_room, self._room = True, room
            self._tell()

    def open_up(self) -> None:
        """Have room for all that comes."""
        self._room = float("inf")
        self.resume()

    def lose(self) -> None:
        """Be at the end of the connection."""
        self.is_open = False
        self.has_room = True  # as uvicorn has it then
        self._tell()

    def messages(self) -> list[dict[str, Any]]:
        return list(parsed(b"".join(self.writes)))

    def names(self) -> list[tuple[str, int]]:
        """Return kind and tick of all messages; of gaps, the first tick missing."""
        return [
            (m["type"], m["from_t"] if m["type"] == "gap" else m.get("t")) for m in self.messages()
        ]

    def _write(self, data: bytes) -> None:
        assert self.is_open, "written to what has ended"
        assert self.has_room, "written to what has no room"
        self.writes.append(data)
        self._clock.now += self._cost
        self._room -= len(data)
        if self._room <= 0:
            self.pause()

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change()


def parsed(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the messages in WebSocket frames; their fragments lie together."""
    message, opcode = b"", 0
    while data:
        first, size, start = data[0], data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4]), 4
        assert (first & 0xF == 0) == bool(opcode), "a message in the middle of another"
        opcode = opcode or first & 0xF
        message += data[start : start + size]
        data = data[start + size :]
        if first & FIN:
            yield orjson.loads(message)
            message, opcode = b"", 0


def entry(kind: Kind, t: int, size: int = 0, gap: Gap | None = None) -> Entry:
    text = orjson.dumps({"type": kind, "t": t, "fill": "x" * size})
    return Entry(gap, Message.of_text(kind, t, text))


def metrics(first: int, last: int) -> list[Entry]:
    return [entry("metric", t) for t in range(first, last + 1)]


def named_metrics(first: int, last: int) -> list[tuple[str, int]]:
    return [("metric", t) for t in range(first, last + 1)]


def hub_on(clock: Clock, **options: Any) -> Hub:
    """Return a hub whose time, and whose writer's, is the clock's."""
    return Hub(HubOptions(**options), clock, FairWriter(clock))


SLOW: float = PASS_SECONDS / 200
"""Cost of a write with which a pass of the loop comes to two parts of a round."""


async def turn(times: int = 10) -> None:
    for _ in range(times):
        await asyncio.sleep(0)
