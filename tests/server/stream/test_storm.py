"""All that can happen to the clients of a hub, in any order."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.server.stream import audience, direct, joining
from marketcam.server.stream.hub import GOING_AWAY
from marketcam.server.stream.messages import Body, Gap
from marketcam.server.stream.place import Place
from marketcam.server.stream.selection import PLAIN, Selection
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
    from marketcam.server.stream.messages import Entry, Kind


SELECTIONS = [
    PLAIN,
    Selection(kinds=("metric",)),
    Selection(kinds=("frame",)),
    Selection(every=3),
]


@pytest.mark.parametrize("seed", range(80))
def test_whatever_happens_nothing_is_lost_or_doubled_in_silence(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: DirectClient, error: Exception) -> None:
        raise error

    monkeypatch.setattr(direct.DirectClient, "fail", fail)
    monkeypatch.setattr(joining, "_GREETED_AT_ONCE", [2, 1024][seed % 2])
    monkeypatch.setattr(audience, "_ROUND_PART", [1, 3, 128][seed % 3])
    monkeypatch.setattr(audience, "_ROUNDS", [1, 2, 8, 8][seed % 4])
    asyncio.run(_Storm(seed).rage())


class _Storm:
    """Does everything that can happen, in any order, and checks what every client was sent."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = Clock()
        limit = self.rng.choice([3000, 8 * 2**20])
        self.hub = hub_on(self.clock, connect_metrics=5, client_queue_bytes=limit)
        self.joined: list[tuple[ScriptedWire, DirectClient, int]] = []
        self.greeted: dict[DirectClient, list[tuple[str, int]]] = {}
        self.made: dict[Kind, list[int]] = {"metric": [], "frame": []}
        self.handed: dict[Kind, list[int]] = {"metric": [], "frame": []}
        self.missing: dict[Kind, int] = {}
        self.said: list[tuple[DirectClient, asyncio.Task[None]]] = []
        self.catching_up: list[DirectClient] = []
        self.t = 0

    async def rage(self) -> None:
        rng = self.rng
        doings = [self.publish, self.join, self.pause, self.resume, self.turn, self.end]
        doings += [self.go_live, self.sweep, self.say]
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
                self.check(wire, client.selection, since)
                sent = [m for m in wire.messages() if m["type"] in self.made and m["t"] <= since]
                assert [(m["type"], m["t"]) for m in sent] == self.greeted[client]
        for _, client, _ in self.joined:
            client.close(GOING_AWAY, "bye")
        await turn(3)
        left = [client for _, client, _ in self.joined]
        assert all(said.done() for client, said in self.said if client in left)

    async def publish(self) -> None:
        batch = []
        for _ in range(self.rng.randint(1, 4)):
            self.t += 1
            batch += self.make("metric", self.rng.choice([10, 200]))
            if self.rng.random() < 0.3:
                batch += self.make("frame", self.rng.choice([20, 20, 3000, 10 * PIECE_BYTES]))
        self.hub.publish(batch)

    def make(self, kind: Kind, size: int) -> list[Entry]:
        """Make a message, or have it be one that nobody is handed, for the next to declare."""
        self.made[kind].append(self.t)
        if self.rng.random() < 0.1:
            self.missing.setdefault(kind, self.t)
            return []
        first = self.missing.pop(kind, None)
        self.handed[kind].append(self.t)
        gap = None if first is None else Gap(kind, first, self.t - 1, "busy")
        return [entry(kind, self.t, size, gap)]

    async def sweep(self) -> None:
        self.hub.sweep(self.rng.choice([0.05, 0.3]), self.t)

    async def say(self) -> None:
        """Say something to some who are written to, as when they have sent a ping."""
        fill = b"x" * self.rng.choice([0, 3 * PIECE_BYTES])
        body = Body(b'{"type":"word","fill":"%s"}' % fill)
        for wire, client, _ in self.some():
            if wire.is_open and client.closing is None:
                self.said.append((client, asyncio.create_task(self.say_to(client, body))))

    async def say_to(self, client: DirectClient, body: Body) -> None:
        with suppress(ConnectionError):
            await client.say(body)

    async def join(self) -> None:
        for _ in range(self.rng.choice([1, 1, 10])):
            if len(self.joined) < 30:
                wire = ScriptedWire(self.clock, cost=PASS_SECONDS / 4)
                catches_up = self.rng.random() < 0.3
                selection = self.rng.choice(SELECTIONS)
                client = self.hub.join_directly(selection, wire, catches_up=catches_up)
                if catches_up:
                    self.hub.listen(client, Place.before(0))
                    self.catching_up.append(client)
                self.joined.append((wire, client, self.t))
                self.greeted[client] = [] if catches_up else self.greeting(selection)

    def greeting(self, selection: Selection) -> list[tuple[str, int]]:
        """Return what is kept now for whoever comes."""
        kept: list[tuple[str, int]] = []
        if "metric" in selection.kinds:
            last = self.handed["metric"][-5:]
            kept += [("metric", t) for t in last if not t % selection.every]
        if "frame" in selection.kinds:
            kept += [("frame", t) for t in self.handed["frame"][-1:]]
        return kept

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

    def check(self, wire: ScriptedWire, selection: Selection, since: int) -> None:
        """Check that all since the client came was sent, or is declared missing where it was."""
        messages = [m for m in wire.messages() if m["type"] not in {"word", "heartbeat"}]
        seen: dict[str, list[int]] = {"metric": [], "frame": []}
        sent: dict[str, list[int]] = {"metric": [], "frame": []}
        for message in messages:
            if message["type"] == "gap":
                ticks = range(message["from_t"], message["to_t"] + 1)
                kind = message["kind"]
                seen[kind] += [t for t in ticks if t in self.made[kind] and t > since]
            elif message["t"] > since:
                seen[message["type"]].append(message["t"])
                sent[message["type"]].append(message["t"])
        for kind, made in self.made.items():
            told = [t for t in made if t > since and not t % selection.every]
            last = max((t for t in self.handed[kind] if not t % selection.every), default=0)
            if kind not in selection.kinds:
                last = 0
            # What is missing at the end is declared before a message that has yet to be made.
            assert [t for t in seen[kind] if not t % selection.every] == [
                t for t in told if t <= last
            ]
            assert not any(t % selection.every for t in sent[kind])
        live = [m for m in messages if m["type"] != "gap" and m["t"] > since]
        order = [(m["t"], m["type"] == "frame") for m in live]
        assert order == sorted(order)
