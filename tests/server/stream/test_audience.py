"""From fast to behind and back: order, no holes, no doubles, whatever happens in between."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.engine import SlidingWindowCamera
from marketcam.io import encode_frame_columns
from marketcam.server.stream.hub import GOING_AWAY, TRY_AGAIN_LATER
from marketcam.server.stream.messages import PONG, Entry, Gap, Message
from marketcam.server.stream.place import Place
from marketcam.server.stream.selection import PLAIN, Form, Selection
from marketcam.server.stream.writing import PASS_SECONDS, PIECE_BYTES
from tests.server.stream.scripted_wires import (
    SLOW,
    Clock,
    ScriptedWire,
    entry,
    hub_on,
    metrics,
    named_metrics,
    turn,
)
from tests.server_helpers import state_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from marketcam.server.stream.direct import DirectClient
    from marketcam.server.stream.hub import Hub

MANY = 1000  # more clients than a pass of the loop comes to at the cost `SLOW`
EVERY_OTHER = Selection(Form(), ("metric",), 2)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def crowd(hub: Hub, clock: Clock, count: int = MANY) -> list[tuple[ScriptedWire, DirectClient]]:
    """Have many clients whose writes take time, so that a round is cut into passes."""
    wires = [ScriptedWire(clock, cost=SLOW) for _ in range(count)]
    return [(wire, hub.join_directly(PLAIN, wire)) for wire in wires]


def test_all_who_keep_up_are_written_to_once_a_batch() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wires = [ScriptedWire(clock) for _ in range(300)]
        clients = [hub.join_directly(PLAIN, wire) for wire in wires]
        assert all(client.is_fast for client in clients)
        hub.publish(metrics(1, 3))
        hub.publish([entry("metric", 4), entry("frame", 4, size=10_000)])
        for wire in wires:
            assert len(wire.writes) == 2
            assert wire.writes[1] is wires[0].writes[1]  # made once
            assert wire.names() == [*named_metrics(1, 4), ("frame", 4)]
        assert hub.sent == {"metric": 1200, "frame": 300}
        assert len(hub) == 300
        assert hub.audiences == 1

    run(scenario)


def test_who_pauses_goes_on_by_itself_and_comes_back() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wire, other = ScriptedWire(clock, room=10), ScriptedWire(clock)
        client = hub.join_directly(PLAIN, wire)
        hub.join_directly(PLAIN, other)
        hub.publish(metrics(1, 1))  # fills its buffer, but is taken
        assert not client.is_fast
        hub.publish(metrics(2, 3))
        hub.publish([entry("frame", 3)])
        assert wire.names() == named_metrics(1, 1)
        assert client.waiting_bytes == hub.waiting_bytes > 0
        wire.resume()
        await turn()
        assert client.is_fast
        assert len(wire.writes) == 2  # what waited has left in one write
        hub.publish(metrics(4, 4))
        assert wire.names() == other.names() == [*named_metrics(1, 3), ("frame", 3), ("metric", 4)]
        assert hub.sent == {"metric": 8, "frame": 2}
        assert hub.waiting_bytes == 0

    run(scenario)


def test_who_pauses_again_and_again_misses_nothing() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wire = ScriptedWire(clock)
        client = hub.join_directly(PLAIN, wire)
        for t in range(50):
            hub.publish(metrics(2 * t, 2 * t + 1))
            if t % 3 == 0:
                wire.pause()
            if t % 3 == 2:
                wire.resume(room=60)
                await turn()
        wire.resume()
        await turn()
        assert client.is_fast
        assert wire.names() == named_metrics(0, 99)

    run(scenario)


def test_a_client_far_behind_is_told_its_gaps_in_order() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock, client_queue_bytes=2000)
        wire = ScriptedWire(clock, room=10)
        client = hub.join_directly(PLAIN, wire)
        hub.publish([entry("metric", t, size=100) for t in range(100)])
        for t in range(100, 140):
            hub.publish([entry("metric", t, size=100), entry("frame", t, size=100)])
        assert client.waiting_bytes <= 2000
        wire.resume()
        await turn()
        hub.publish([entry("metric", 140)])
        told = wire.names()[100:]
        assert told[0] == ("gap", 100)
        (gap,) = [m for m in wire.messages() if m["type"] == "gap" and m["kind"] == "metric"]
        assert gap["reason"] == "slow"
        assert [t for kind, t in told if kind == "metric"] == list(range(gap["to_t"] + 1, 141))
        assert hub.dropped["metric"] == gap["to_t"] - 99
        assert client.is_fast

    run(scenario)


def test_a_round_over_many_is_cut_into_passes_and_what_comes_meanwhile_leaves_joined() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        clients = crowd(hub, clock)
        hub.publish(metrics(1, 1))
        written = sum(bool(wire.writes) for wire, _ in clients)
        assert 0 < written < MANY
        assert hub.sent["metric"] == written
        hub.publish(metrics(2, 2))
        hub.publish([entry("frame", 2), entry("metric", 3)])
        assert sum(bool(wire.writes) for wire, _ in clients) == written  # the loop has its turn
        await turn(100)
        for wire, _ in clients:
            assert wire.names() == [*named_metrics(1, 2), ("frame", 2), ("metric", 3)]
            assert len(wire.writes) == 2
        assert hub.sent == {"metric": 3 * MANY, "frame": MANY}

    run(scenario)


@pytest.mark.parametrize("which", ["reached", "not reached"])
def test_a_pause_in_the_middle_of_a_round(which: str) -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        clients = crowd(hub, clock)
        hub.publish(metrics(1, 1))
        hub.publish(metrics(2, 2))  # waits for the end of the round
        wire, client = clients[0 if which == "reached" else -1]
        assert bool(wire.writes) == (which == "reached")
        wire.pause()
        hub.publish(metrics(3, 3))
        await turn(100)
        assert not client.is_fast
        assert wire.names() == named_metrics(1, 1)[: len(wire.writes)]
        wire.resume()
        await turn()
        assert client.is_fast
        hub.publish(metrics(4, 4))
        await turn(100)
        for each, _ in clients:
            assert each.names() == named_metrics(1, 4)
        assert hub.sent["metric"] == 4 * MANY

    run(scenario)


@pytest.mark.parametrize("which", [0, -1], ids=["reached", "not reached"])
@pytest.mark.parametrize("how", ["close", "lose", "leave"])
def test_an_end_in_the_middle_of_a_round(which: int, how: str) -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        clients = crowd(hub, clock)
        hub.publish(metrics(1, 1))
        hub.publish(metrics(2, 2))
        wire, client = clients.pop(which)
        written = list(wire.writes)
        if how == "close":
            client.close(GOING_AWAY, "bye")
        elif how == "lose":
            wire.lose()
        if how != "close":
            hub.leave(client)
        await turn(100)
        assert wire.writes == written
        for each, _ in clients:
            assert each.names() == named_metrics(1, 2)
        if how == "close":
            hub.leave(client)
        assert len(hub) == MANY - 1

    run(scenario)


def test_who_joins_during_a_round_is_greeted_with_it_and_not_sent_it_again() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        crowd(hub, clock)
        hub.publish(metrics(1, 1))
        before = ScriptedWire(clock)
        early = hub.join_directly(PLAIN, before)
        hub.publish(metrics(2, 2))  # waits: the newcomers have it, the others do not
        after = ScriptedWire(clock)
        late = hub.join_directly(PLAIN, after)
        await turn(3)
        assert after.names() == named_metrics(1, 2)
        await turn(100)
        assert early.is_fast
        assert late.is_fast
        hub.publish(metrics(3, 3))
        await turn(100)
        assert before.names() == after.names() == named_metrics(1, 3)

    run(scenario)


def test_what_is_too_much_for_a_busy_loop_is_declared_as_busy() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock, client_queue_bytes=400)
        clients = crowd(hub, clock)
        hub.publish(metrics(1, 1))
        for t in range(2, 12):
            hub.publish([entry("metric", t, size=60)])
        await turn(100)
        expected = clients[0][0].messages()
        (gap,) = [message for message in expected if message["type"] == "gap"]
        assert gap == {"type": "gap", "kind": "metric", "from_t": 2, "to_t": 9, "reason": "busy"}
        for wire, _ in clients:
            assert wire.messages() == expected
        assert hub.dropped == {"metric": 8 * MANY, "frame": 0}

    run(scenario)


def test_large_messages_go_out_in_turns_and_everyone_comes_back() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        order: list[int] = []
        wires = [ScriptedWire(clock) for _ in range(3)]
        clients = [hub.join_directly(PLAIN, wire) for wire in wires]
        hub.publish([entry("metric", 1), entry("frame", 1, size=40 * PIECE_BYTES)])
        while not all(client.is_fast for client in clients):
            order.append(max(len(wire.writes) for wire in wires))
            assert order[-1] - min(len(wire.writes) for wire in wires) <= 1
            await turn(1)
        hub.publish(metrics(2, 2))
        for wire in wires:
            assert wire.names() == [("metric", 1), ("frame", 1), ("metric", 2)]
            assert max(map(len, wire.writes)) <= 8 * PIECE_BYTES
        assert hub.sent == {"metric": 6, "frame": 3}

    run(scenario)


def test_what_is_published_while_a_large_message_is_under_way_follows_it() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wire = ScriptedWire(clock)
        client = hub.join_directly(PLAIN, wire)
        hub.publish([entry("frame", 1, size=40 * PIECE_BYTES)])
        wire.resume(room=2 * PIECE_BYTES)
        for t in range(2, 6):
            hub.publish(metrics(t, t))
            await turn(1)
        await turn()
        assert wire.names() == [("frame", 1), *named_metrics(2, 5)]
        assert client.is_fast

    run(scenario)


def test_the_message_in_hand_is_finished_at_the_end_and_no_other_is_begun() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wire = ScriptedWire(clock, room=PIECE_BYTES)
        client = hub.join_directly(PLAIN, wire)
        hub.publish([entry("frame", 1, size=12 * PIECE_BYTES)])
        hub.publish(metrics(2, 2))
        await turn()
        client.close(TRY_AGAIN_LATER, "too slow")
        finished = asyncio.create_task(client.finish())
        await turn()
        assert not finished.done()
        wire.resume()
        await finished
        await turn()
        assert wire.names() == [("frame", 1)]
        await client.say(PONG)  # which is not said any more
        assert wire.names() == [("frame", 1)]

    run(scenario)


def test_nobody_waits_for_the_end_of_a_message_on_a_connection_that_is_lost() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wire = ScriptedWire(clock, room=PIECE_BYTES)
        client = hub.join_directly(PLAIN, wire)
        hub.publish([entry("frame", 1, size=12 * PIECE_BYTES)])
        await turn()
        saying = asyncio.create_task(client.say(PONG))
        await turn()
        client.close(TRY_AGAIN_LATER, "too slow")
        await saying  # let go of, since it had not begun
        finished = asyncio.create_task(client.finish())
        await turn()
        wire.lose()
        await finished
        with pytest.raises(ConnectionError):
            await hub.join_directly(PLAIN, wire).say(PONG)

    run(scenario)


def test_what_is_said_to_one_alone_comes_between_messages() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wire = ScriptedWire(clock, room=PIECE_BYTES)
        client = hub.join_directly(PLAIN, wire)
        await client.say(PONG)
        hub.publish([entry("frame", 1, size=12 * PIECE_BYTES)])
        await turn()
        saying = asyncio.create_task(client.say(PONG))
        hub.publish(metrics(2, 2))
        await turn()
        assert not saying.done()
        wire.resume()
        await saying
        await turn()
        kinds = [message["type"] for message in wire.messages()]
        assert kinds == ["pong", "frame", "pong", "metric"]
        assert client.is_fast

    run(scenario)


def test_a_fault_in_one_connection_is_not_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wires = [ScriptedWire(clock) for _ in range(3)]
        clients = [hub.join_directly(PLAIN, wire) for wire in wires]

        def broken(_: bytes) -> None:
            raise RuntimeError("broken")

        clients[1].write = broken
        hub.publish(metrics(1, 1))
        hub.publish(metrics(2, 2))
        assert [wire.is_open for wire in wires] == [True, False, True]
        assert wires[0].names() == wires[2].names() == named_metrics(1, 2)

    run(scenario)
    assert "client_failed" in caplog.text


def test_each_audience_gets_what_it_selected() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock, steps={"metric": 1, "frame": 2})
        selections = [
            PLAIN,
            Selection(Form(), ("frame",)),
            Selection(Form(), ("metric",)),
            Selection(Form(), every=2),
            EVERY_OTHER,
        ]
        wires = [ScriptedWire(clock) for _ in selections]
        for selection, wire in zip(selections, wires, strict=True):
            hub.join_directly(selection, wire)
        for t in range(1, 9):
            hub.publish([entry("metric", t), *([entry("frame", t)] if t % 2 == 0 else [])])
        frames = [("frame", t) for t in (2, 4, 6, 8)]
        everything = sorted(named_metrics(1, 8) + frames, key=lambda name: name[1])
        assert [wire.names() for wire in wires] == [
            everything,
            frames,
            named_metrics(1, 8),
            [name for name in everything if name[1] % (4 if name[0] == "frame" else 2) == 0],
            [("metric", t) for t in (2, 4, 6, 8)],
        ]
        assert hub.audiences == 5

    run(scenario)


def test_a_gap_is_told_so_far_as_it_was_wanted() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wire, early = ScriptedWire(clock), ScriptedWire(clock)
        hub.join_directly(EVERY_OTHER, early)
        hub.publish([*metrics(1, 2), entry("metric", 9, gap=Gap("metric", 3, 8, "busy"))])
        hub.join_directly(EVERY_OTHER, wire)
        hub.publish(metrics(10, 10))
        hub.publish([entry("metric", 12, gap=Gap("metric", 11, 11, "busy"))])
        for each in (wire, early):
            assert each.names() == [("metric", 2), ("gap", 4), ("metric", 10), ("metric", 12)]
            assert each.messages()[1]["to_t"] == 8

    run(scenario)


def test_what_nobody_made_yet_is_made_once_and_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    film = SlidingWindowCamera(W=1, stride=1)
    film.ingest(state_tick(1))
    frame = film.maybe_frame(1)
    assert frame is not None
    prepared: list[object] = []
    prepare = type(Message.of_frame(frame).body()).prepare

    def noted(body: Any) -> None:
        prepared.append(body)
        prepare(body)

    monkeypatch.setattr(type(Message.of_frame(frame).body()), "prepare", noted)

    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        hub.publish([*metrics(1, 1), Entry(None, Message.of_frame(frame))])
        wires = [ScriptedWire(clock) for _ in range(20)]
        columns = Selection(Form("columns"))
        clients = [hub.join_directly(columns, wire) for wire in wires]
        hub.publish(metrics(2, 2))
        while not all(client.is_fast for client in clients):
            await asyncio.sleep(0)
        data = encode_frame_columns(frame)
        for wire in wires:
            assert data in b"".join(wire.writes)
            assert b"".join(wire.writes).index(data) < b"".join(wire.writes).index(b'"t":2')
        assert len(prepared) == 1

    run(scenario)


def test_a_sweep_breaks_silences_of_those_who_were_sent_nothing() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wires = [ScriptedWire(clock) for _ in range(3)]
        for wire in wires:
            hub.join_directly(PLAIN, wire)
        clock.now += 20.0
        hub.publish(metrics(1, 1))
        wires[0].pause()
        clock.now += 20.0
        hub.sweep(30.0, 1)
        assert [len(wire.writes) for wire in wires] == [1, 1, 1]  # all were sent something
        clock.now += 10.0
        hub.sweep(30.0, 7)
        hub.sweep(30.0, 7)
        assert wires[1].messages()[1:] == wires[2].messages()[1:] == [{"type": "heartbeat", "t": 7}]
        assert len(wires[0].writes) == 1  # it has no room
        wires[0].resume()
        hub.sweep(30.0, 8)
        assert wires[0].messages()[1:] == [{"type": "heartbeat", "t": 8}]

    run(scenario)


def test_a_sweep_sends_away_who_is_behind_and_who_takes_nothing() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock, client_slow_seconds=60.0)
        behind, stuck, reads, fast = (ScriptedWire(clock) for _ in range(4))
        clients = [hub.join_directly(PLAIN, wire) for wire in (behind, reads, fast)]
        behind.pause()
        reads.pause()
        hub.publish(metrics(1, 1))
        stuck_client = hub.join_directly(PLAIN, stuck, catches_up=True)
        stuck.pause()
        for _ in range(9):
            clock.now += 6.0
            hub.publish([entry("metric", int(clock.now))])
            reads.open_up()
            await turn()
            hub.sweep(1e6, None)
            reads.pause()
        assert [client.closing for client in clients] == [None] * 3
        for _ in range(3):
            clock.now += 15.0
            reads.open_up()
            await turn()
            hub.sweep(1e6, None)
            reads.pause()
        assert clients[0].closing == (TRY_AGAIN_LATER, "too slow: 69 s behind, the limit is 60 s")
        assert stuck_client.closing == (TRY_AGAIN_LATER, "too slow: nothing read for 60 s")
        assert clients[1].closing is clients[2].closing is None
        assert hub.sent_away == 2

    run(scenario)


def test_who_catches_up_is_not_among_the_fast_before_all_is_meant_for_it() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        hub.publish(metrics(1, 3))
        wire = ScriptedWire(clock)
        client = hub.join_directly(PLAIN, wire, catches_up=True)
        hub.listen(client, Place.before(6))  # which lies beyond the present
        hub.go_live(client)
        for t in range(4, 7):
            hub.publish(metrics(t, t))
        await turn()
        assert wire.names() == named_metrics(6, 6)
        assert not client.is_fast
        hub.publish([entry("frame", 7, gap=Gap("frame", 2, 6, "busy"))])
        await turn()
        assert wire.names() == [("metric", 6), ("gap", 6), ("frame", 7)]
        assert client.is_fast
        hub.publish(metrics(8, 8))
        assert wire.names()[3:] == named_metrics(8, 8)

    run(scenario)


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
