"""The writer's rules, with wires that only note what is written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from marketcam.server.stream.writing import PASS_SECONDS, FairWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.server.stream.writing import Piece


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class NotedWire:
    """A wire whose writes take some time of a clock."""

    def __init__(self, written: list[bytes], clock: Clock, cost: float = 0.0) -> None:
        self.is_open = True
        self.has_room = True
        self.lacked_room = False
        self.taken = 0
        self.written = written
        self._clock = clock
        self._cost = cost
        self._on_change: Callable[[], None] | None = None

    def write(self, piece: Piece) -> None:
        self.written.append(b"".join(piece))
        self._clock.now += self._cost

    @property
    def write_bytes(self) -> Callable[[bytes], None]:
        return lambda data: self.write((data,))

    def watch(
        self, on_change: Callable[[], None] | None, by_others: Callable[[], int] | None = None
    ) -> None:
        self._on_change = on_change

    def abort(self) -> None:
        self.change(has_room=True, is_open=False)

    def change(self, *, has_room: bool = True, is_open: bool = True) -> None:
        self.has_room, self.is_open = has_room, is_open
        if self._on_change is not None:
            self._on_change()


def piece(name: bytes) -> Piece:
    return name[:1], memoryview(name)[1:]


def pieces(name: str, count: int) -> tuple[Piece, ...]:
    return tuple(piece(f"{name}{number}".encode()) for number in range(count))


async def turn(times: int = 3) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


def test_a_small_message_is_written_at_once() -> None:
    async def scenario() -> None:
        clock = Clock()
        wire = NotedWire([], clock)
        task = FairWriter(clock).write(wire, (piece(b"small"),))
        with pytest.raises(StopIteration):  # it never gives the loop away
            task.send(None)
        assert wire.written == [b"small"]

    asyncio.run(scenario())


def test_large_messages_go_out_piece_by_piece_in_turns() -> None:
    async def scenario() -> list[bytes]:
        clock = Clock()
        written: list[bytes] = []
        writer = FairWriter(clock)
        wires = [NotedWire(written, clock) for _ in range(3)]
        await asyncio.gather(
            *(writer.write(wire, pieces(name, 3)) for name, wire in zip("abc", wires, strict=True))
        )
        return written

    assert asyncio.run(scenario()) == [
        b"a0",
        b"b0",
        b"c0",
        b"a1",
        b"b1",
        b"c1",
        b"a2",
        b"b2",
        b"c2",
    ]


def test_a_pass_of_the_loop_writes_for_its_time_only() -> None:
    async def scenario() -> None:
        clock = Clock()
        writer = FairWriter(clock)
        wire = NotedWire([], clock, cost=PASS_SECONDS / 2.5)
        task = asyncio.create_task(writer.write(wire, pieces("a", 100)))
        await turn(1)  # the task has begun
        seen = []
        while not task.done():
            before = len(wire.written)
            await turn(1)
            seen.append(len(wire.written) - before)
        assert set(seen) <= {0, 1, 3}  # the third is begun in time, and finished; the last alone
        assert len(wire.written) == 100

    asyncio.run(scenario())


def test_a_flood_of_small_messages_shares_the_time_too() -> None:
    async def scenario() -> None:
        clock = Clock()
        writer = FairWriter(clock)
        wires = [NotedWire([], clock, cost=PASS_SECONDS / 10) for _ in range(2)]

        async def flood(wire: NotedWire) -> None:
            for _ in range(100):
                await writer.write(wire, (piece(b"x"),))

        tasks = [asyncio.create_task(flood(wire)) for wire in wires]
        others = 0
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            others += 1
        assert others > 15  # of 200 messages, 10 a pass
        assert [len(wire.written) for wire in wires] == [100, 100]

    asyncio.run(scenario())


def test_waits_for_room_and_lets_others_go_on() -> None:
    async def scenario() -> None:
        clock = Clock()
        writer = FairWriter(clock)
        full, free = NotedWire([], clock), NotedWire([], clock)
        full.has_room = False
        stuck = [asyncio.create_task(writer.write(full, pieces("a", 2)))]
        await turn()
        await writer.write(free, pieces("b", 5))
        assert full.written == []
        full.change(has_room=True)
        await asyncio.gather(*stuck)
        assert full.written == [b"a0", b"a1"]

    asyncio.run(scenario())


@pytest.mark.parametrize("count", [1, 3])
def test_a_connection_that_ends_is_told(count: int) -> None:
    async def scenario() -> None:
        clock = Clock()
        writer = FairWriter(clock)
        wire = NotedWire([], clock)
        wire.has_room = False
        task = asyncio.create_task(writer.write(wire, pieces("a", count)))
        await turn()
        wire.change(has_room=False, is_open=False)
        with pytest.raises(ConnectionError):
            await task
        with pytest.raises(ConnectionError):
            await writer.write(wire, (piece(b"b"),))
        assert wire.written == []

    asyncio.run(scenario())


def test_cancelled_it_writes_nothing_more() -> None:
    async def scenario() -> None:
        clock = Clock()
        writer = FairWriter(clock)
        wire = NotedWire([], clock, cost=PASS_SECONDS)  # one piece a pass
        task = asyncio.create_task(writer.write(wire, pieces("a", 5)))
        while not wire.written:
            await turn(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await turn(10)
        assert wire.written == [b"a0"]
        await writer.write(wire, (piece(b"b"),))
        assert wire.written == [b"a0", b"b"]

    asyncio.run(scenario())
