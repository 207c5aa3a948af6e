"""Clients that go on by themselves: large messages, words to one alone, ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.engine import SlidingWindowCamera
from marketcam.io import encode_frame_columns
from marketcam.server.stream.hub import TRY_AGAIN_LATER
from marketcam.server.stream.messages import PONG, Entry, Message
from marketcam.server.stream.selection import PLAIN, Form, Selection
from marketcam.server.stream.writing import PIECE_BYTES
from tests.server.stream.scripted_wires import (
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


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


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
