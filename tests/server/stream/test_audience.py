"""From fast to behind and back: order, no holes, no doubles."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from marketcam.server.stream.hub import GOING_AWAY, TRY_AGAIN_LATER
from marketcam.server.stream.messages import Gap
from marketcam.server.stream.place import Place
from marketcam.server.stream.selection import PLAIN, Form, Selection
from tests.server.stream.scripted_wires import (
    Clock,
    ScriptedWire,
    entry,
    hub_on,
    metrics,
    named_metrics,
    turn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


EVERY_OTHER = Selection(Form(), ("metric",), 2)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


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


def test_who_has_left_does_not_come_back() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wire, other = ScriptedWire(clock), ScriptedWire(clock)
        client = hub.join_directly(PLAIN, wire)
        hub.join_directly(PLAIN, other)
        wire.pause()
        hub.publish(metrics(1, 1))
        hub.leave(client)
        wire.resume()
        client.go_on()
        await turn()
        hub.publish(metrics(2, 2))
        assert wire.writes == []
        assert other.names() == named_metrics(1, 2)
        assert len(hub) == 1

    run(scenario)


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


def test_a_gap_that_no_message_follows_is_told_to_everyone_once() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock, steps={"metric": 1, "frame": 2})
        fast, paused, other, late = (ScriptedWire(clock) for _ in range(4))
        hub.join_directly(PLAIN, fast)
        hub.join_directly(PLAIN, paused)
        hub.join_directly(EVERY_OTHER, other)
        plain = hub.join(PLAIN)
        paused.pause()
        hub.publish([*metrics(1, 2), entry("frame", 2)])
        hub.declare([Gap("frame", 4, 8, "upstream"), Gap("metric", 3, 9, "upstream")])
        hub.declare([Gap("metric", 10, 11, "upstream")])
        paused.resume()
        await turn()
        told = [*named_metrics(1, 2), ("frame", 2), ("gap", 4), ("gap", 3), ("gap", 10)]
        assert fast.names() == paused.names() == told
        assert other.names() == [("metric", 2), ("gap", 4), ("gap", 10)]
        assert [each["to_t"] for each in other.messages()[1:]] == [8, 10]
        taken = [plain.take() for _ in told]
        assert [len(bodies) for bodies in taken] == [1] * len(told)
        assert plain.take() == ()
        assert hub.reach is not None
        assert (hub.reach.place, dict(hub.reach.last_t)) == (
            Place.of("metric", 11),
            {"metric": 11, "frame": 8},
        )
        # Whoever comes now is greeted with what was before it, so that it is told as well.
        hub.join_directly(PLAIN, late)
        await turn()
        told = [*named_metrics(1, 2), ("gap", 3), ("frame", 2), ("gap", 4)]
        assert late.names() == told
        hub.publish([*metrics(12, 12), entry("frame", 12)])
        await turn()
        assert late.names() == [*told, ("metric", 12), ("frame", 12)]
        # And who comes after that, where it is: before the next message.
        last = ScriptedWire(clock)
        hub.join_directly(PLAIN, last)
        await turn()
        assert last.names() == [*named_metrics(1, 2), ("gap", 3), ("metric", 12), ("frame", 12)]
        assert hub.passed == {"metric": 3, "frame": 2}
        assert hub.sent == {"metric": 2 * 3 + 2 + 3 + 3, "frame": 2 * 2 + 2 + 1}

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


def test_who_has_gone_and_has_not_left_yet_is_told_nothing() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        gone, stays = ScriptedWire(clock), ScriptedWire(clock)
        for wire in (gone, stays):
            hub.join_directly(PLAIN, wire)
        gone.lose()
        clock.now += 30.0
        hub.publish(metrics(1, 1))
        clock.now += 30.0
        hub.sweep(30.0, 1)
        assert gone.writes == []
        assert stays.names() == [("metric", 1), ("heartbeat", 1)]

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


def test_whoever_comes_gets_the_latest_frame_though_live_it_was_wanted_of_nobody() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        wires = [ScriptedWire(clock) for _ in range(2)]
        for t, wire in enumerate(wires, 7):
            hub.publish([entry("frame", t)])
            hub.join_directly(Selection(every=10), wire)
        assert [wire.names() for wire in wires] == [[("frame", 7)], [("frame", 8)]]

    run(scenario)


def test_a_long_greeting_goes_out_in_turns_and_then_live() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock, connect_metrics=5000)
        hub.publish(metrics(1, 5000))
        wire = ScriptedWire(clock, room=100)
        client = hub.join_directly(PLAIN, wire)
        assert 0 < len(wire.names()) <= 1024
        hub.publish(metrics(5001, 5001))
        wire.open_up()
        await turn()
        assert wire.names() == named_metrics(1, 5001)
        assert client.is_fast
        assert hub.sent["metric"] == 5001

    run(scenario)


def test_a_long_greeting_ends_with_its_client() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock, connect_metrics=5000)
        hub.publish(metrics(1, 5000))
        wire = ScriptedWire(clock, room=100)
        client = hub.join_directly(PLAIN, wire)
        before = len(wire.writes)
        client.close(GOING_AWAY, "bye")
        wire.open_up()
        await turn()
        assert len(wire.writes) == before
        hub.leave(client)

    run(scenario)
