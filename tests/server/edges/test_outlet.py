"""The camera's end of NATS, without NATS."""

from __future__ import annotations

import asyncio

import pytest

from marketcam.server.edges.link import LinkOptions
from marketcam.server.edges.outlet import Outlet, Pulse
from marketcam.server.edges.stream import StreamOptions
from tests.edge_helpers import metric_entry, status
from tests.nats_helpers import free_port


@pytest.mark.parametrize("messages", [0, 50])
def test_what_is_lost_at_a_stop_without_nats_is_said(
    messages: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        nowhere = LinkOptions((f"nats://127.0.0.1:{free_port()}",))
        outlet = Outlet(nowhere, StreamOptions(), 2**20, lambda: Pulse(True, 1, 1))
        outlet.start(status("A"))
        outlet.offer([metric_entry(t) for t in range(messages)])
        await outlet.close()
        assert outlet.figures().waiting == messages

    asyncio.run(run())
    said = capsys.readouterr().out + caplog.text
    assert ("nats_left_behind" in said) == bool(messages)
