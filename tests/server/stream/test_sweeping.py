"""One timer for all clients: it runs while there are any."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from marketcam.server.stream import connection, sweeping
from marketcam.server.stream.endpoint import Stream
from marketcam.server.stream.hub import TRY_AGAIN_LATER
from marketcam.server.stream.selection import PLAIN
from marketcam.server.stream.sweeping import Sweeper
from tests.server.stream.scripted_wires import Clock, ScriptedWire, hub_on, metrics, turn

if TYPE_CHECKING:
    import pytest


def test_sweeps_while_there_are_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "SWEEP_SECONDS", 0.0)

    async def scenario() -> None:
        hub = hub_on(Clock())
        sweeps: list[tuple[Any, ...]] = []
        swept = asyncio.Event()

        def sweep(*arguments: Any) -> None:
            sweeps.append(arguments)
            if len(sweeps) % 3 == 0:
                swept.set()

        hub.sweep = sweep  # type: ignore[method-assign]
        sweeper = Sweeper(hub, 30.0, lambda: 7)
        for _ in range(2):
            client = hub.join_directly(PLAIN, ScriptedWire(Clock()))
            sweeper.go_on()
            sweeper.go_on()  # one timer however many come
            await swept.wait()
            hub.leave(client)
            before = len(sweeps)
            await turn(100)
            assert len(sweeps) == before
            swept.clear()
        assert set(sweeps) == {(30.0, 7)}

    asyncio.run(scenario())


def test_who_is_behind_under_any_server_is_sent_away_though_nothing_more_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeping, "SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.01)
    told: list[dict[str, Any]] = []

    async def scenario() -> None:
        clock = Clock()
        hub = hub_on(clock, client_slow_seconds=60.0)
        events = [{"type": "websocket.connect"}]

        async def receive() -> Any:
            return events.pop() if events else await asyncio.Future()

        async def send(event: Any) -> None:
            told.append(event)
            if event["type"] == "websocket.send":
                await asyncio.Future()  # which it never reads

        scope = {"type": "websocket", "path": "/ws/stream", "query_string": b"", "headers": []}
        serving = asyncio.create_task(Stream(hub, 1e6, lambda: 2)(scope, receive, send))
        await turn()
        hub.publish(metrics(1, 2))
        await turn()
        clock.now += 61.0
        await serving
        assert len(hub) == 0

    asyncio.run(scenario())
    assert [event["type"].split(".")[1] for event in told] == ["accept", "send", "close"]
    assert (told[-1]["code"], told[-1]["reason"]) == (
        TRY_AGAIN_LATER,
        "too slow: 61 s behind, the limit is 60 s",
    )
