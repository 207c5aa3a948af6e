"""All that can happen to the clients of a hub, in any order."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.server.stream.hub import GOING_AWAY
from marketcam.server.stream.place import Place
from marketcam.server.stream.selection import PLAIN
from marketcam.server.stream.writing import PASS_SECONDS, PIECE_BYTES
from tests.server.stream.scripted_wires import (
    Clock,
    ScriptedWire,
    entry,
    hub_on,
    turn,
)

if TYPE_CHECKING:
    from marketcam.server.stream.direct import DirectClient


@pytest.mark.parametrize("seed", range(50))
def test_whatever_happens_nothing_is_lost_or_doubled_in_silence(seed: int) -> None:
    asyncio.run(_Storm(seed).rage())


class _Storm:
    """Does everything that can happen, in any order, and checks what every client was sent."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = Clock()
        limit = self.rng.choice([3000, 8 * 2**20])
        self.hub = hub_on(self.clock, connect_metrics=5, client_queue_bytes=limit)
        self.joined: list[tuple[ScriptedWire, DirectClient, int]] = []
        self.frames: list[int] = []
        self.catching_up: list[DirectClient] = []
        self.t = 0

    async def rage(self) -> None:
        rng = self.rng
        doings = [self.publish, self.join, self.pause, self.resume, self.turn, self.end]
        doings.append(self.go_live)
        for _ in range(80):
            await rng.choice([self.publish, *doings])()
        while self.catching_up:
            await self.go_live()
        for wire, *_ in self.joined:
            wire.open_up()
        await turn(500)
        for wire, client, since in self.joined:
            if wire.is_open and client.closing is None:
                assert client.is_fast or not client.is_settled
                self.check(wire, since)

    async def publish(self) -> None:
        batch = []
        for _ in range(self.rng.randint(1, 4)):
            self.t += 1
            batch.append(entry("metric", self.t, size=self.rng.choice([10, 200])))
            if self.rng.random() < 0.3:
                size = self.rng.choice([20, 20, 3000, 10 * PIECE_BYTES])
                batch.append(entry("frame", self.t, size=size))
                self.frames.append(self.t)
        self.hub.publish(batch)

    async def join(self) -> None:
        for _ in range(self.rng.choice([1, 1, 10])):
            if len(self.joined) < 30:
                wire = ScriptedWire(self.clock, cost=PASS_SECONDS / 4)
                catches_up = self.rng.random() < 0.3
                client = self.hub.join_directly(PLAIN, wire, catches_up=catches_up)
                if catches_up:
                    self.hub.listen(client, Place.before(0))
                    self.catching_up.append(client)
                self.joined.append((wire, client, self.t))

    async def go_live(self) -> None:
        if self.catching_up:
            client = self.catching_up.pop()
            if client.has_missed:
                self.joined = [each for each in self.joined if each[1] is not client]
            else:
                self.hub.go_live(client)

    async def pause(self) -> None:
        for wire, *_ in self.some():
            if wire.is_open:
                wire.pause()

    async def resume(self) -> None:
        for wire, *_ in self.some():
            wire.resume(self.rng.choice([50, 5000, float("inf")]))

    async def turn(self) -> None:
        self.clock.now += self.rng.choice([0.0, 0.1])
        await turn(self.rng.randint(1, 5))

    async def end(self) -> None:
        if self.joined and self.rng.random() < 0.3:
            wire, client, _ = self.joined.pop(self.rng.randrange(len(self.joined)))
            if client in self.catching_up:
                self.catching_up.remove(client)
            if self.rng.random() < 0.5:
                client.close(GOING_AWAY, "bye")
            else:
                wire.lose()
            await turn(1)
            self.hub.leave(client)
            if client.closing is None:
                return  # perhaps in the middle of a message
            wire.resume()

    def some(self) -> list[Any]:
        return self.rng.sample(self.joined, min(len(self.joined), self.rng.choice([1, 8])))

    def check(self, wire: ScriptedWire, since: int) -> None:
        """Check that all since the client came was sent, or is declared missing where it was."""
        messages = wire.messages()
        seen: dict[str, list[int]] = {"metric": [], "frame": []}
        for message in messages:
            if message["type"] == "gap":
                seen[message["kind"]] += range(message["from_t"], message["to_t"] + 1)
            else:
                seen[message["type"]].append(message["t"])
        for ticks in seen.values():
            assert ticks == sorted(set(ticks))
        assert [t for t in seen["metric"] if t > since] == list(range(since + 1, self.t + 1))
        assert {t for t in self.frames if t > since} <= set(seen["frame"])
        live = [m for m in messages if m["type"] != "gap" and m["t"] > since]
        order = [(m["t"], m["type"] == "frame") for m in live]
        assert order == sorted(order)
