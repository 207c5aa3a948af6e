"""What an edge's clients catch up with, without a camera."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from marketcam.server.edges.recorded import RemoteHistory
from marketcam.server.edges.upstream import Upstream
from marketcam.server.history.catching_up import catch_up
from marketcam.server.stream.hub import TRY_AGAIN_LATER, Hub, HubOptions
from tests.edge_helpers import metric_entry, status

NOWHERE = Upstream("http://127.0.0.1:9")


@pytest.mark.parametrize("sent", [{"metric": 999, "frame": 990}, {"metric": None, "frame": None}])
def test_who_catches_up_before_the_edge_has_is_not_sent_live_with_a_hole(sent):
    async def closing_of_one():
        hub = Hub(HubOptions())
        told = status("run", last_t=999, sent=sent)
        history = RemoteHistory(NOWHERE, hub, lambda: told, clients=4, replays=4)
        client = hub.join(catches_up=True)
        await catch_up(history, hub, client, None, 0)
        hub.publish([metric_entry(t) for t in range(700, 710)])
        return client.closing

    closing = asyncio.run(closing_of_one())
    assert closing.code == TRY_AGAIN_LATER
    assert "ahead of this edge" in closing.reason


def test_who_catches_up_before_there_is_anything_is_sent_what_comes():
    async def first_of_one():
        hub = Hub(HubOptions())
        history = RemoteHistory(NOWHERE, hub, lambda: status("run"), clients=4, replays=4)
        client = hub.join(catches_up=True)
        await catch_up(history, hub, client, None, 0)
        hub.publish([metric_entry(0)])
        return orjson.loads(client.take()[0].data)

    assert asyncio.run(first_of_one())["t"] == 0
