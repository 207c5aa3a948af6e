"""One timer for all clients: it runs while there are any."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from marketcam.server.stream import sweeping
from marketcam.server.stream.selection import PLAIN
from marketcam.server.stream.sweeping import Sweeper
from tests.server.stream.scripted_wires import Clock, ScriptedWire, hub_on, turn

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
