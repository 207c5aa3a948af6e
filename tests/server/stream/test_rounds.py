"""Rounds over more clients than one pass of the loop comes to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.server.stream.hub import GOING_AWAY
from marketcam.server.stream.selection import PLAIN
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

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from marketcam.server.stream.direct import DirectClient
    from marketcam.server.stream.hub import Hub

MANY = 1000  # more clients than a pass of the loop comes to at the cost `SLOW`


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def crowd(hub: Hub, clock: Clock, count: int = MANY) -> list[tuple[ScriptedWire, DirectClient]]:
    """Have many clients whose writes take time, so that a round is cut into passes."""
    wires = [ScriptedWire(clock, cost=SLOW) for _ in range(count)]
    return [(wire, hub.join_directly(PLAIN, wire)) for wire in wires]


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
        # Whoever had to wait got all of it at once, the others what came after.
        assert [len(wire.writes) for wire, _ in clients] == written * [2] + (MANY - written) * [1]
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


def test_many_batches_during_a_round_come_to_all_in_order_and_in_few_writes() -> None:
    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock)
        clients = crowd(hub, clock)
        for t in range(1, 31):
            hub.publish(metrics(t, t))
            if t % 3 == 0:
                await turn(1)
        await turn(200)
        for wire, client in clients:
            assert wire.names() == named_metrics(1, 30)
            assert client.is_fast
        assert max(len(wire.writes) for wire, _ in clients) < 15
        assert hub.waiting_bytes == 0

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
        assert gap == {"type": "gap", "kind": "metric", "from_t": 3, "to_t": 9, "reason": "busy"}
        for wire, _ in clients:
            assert wire.messages() == expected
        assert hub.dropped == {"metric": 7 * MANY, "frame": 0}

    run(scenario)
