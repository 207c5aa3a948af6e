"""Where an edge begins in a real stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import nats
import pytest

from marketcam.server.edges.beginning import find_beginning
from marketcam.server.edges.envelope import unpack
from marketcam.server.edges.stream import StreamOptions, ensure_stream
from tests.edge_helpers import metric_data, status
from tests.nats_helpers import NatsServer, nats_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as made:
        yield made


async def greeted_with(url: str, stream: str, ticks: Sequence[int], count: int) -> list[int]:
    """Return the ticks of the metrics from where an edge begins in a stream of these."""
    client = await nats.connect(url, dont_randomize=True)
    try:
        jetstream = client.jetstream()
        await ensure_stream(jetstream, StreamOptions(stream, storage="memory"))
        await jetstream.publish(f"{stream}.status", status("A").to_bytes())
        for prev, t in zip([None, *ticks], ticks, strict=False):
            await client.publish(f"{stream}.A.metric", metric_data("A", t, prev))
            await client.publish(f"{stream}.A.other", b"in between")
        last = await jetstream.publish(f"{stream}.status", status("A").to_bytes())
        found = await find_beginning(jetstream, await jetstream.stream_info(stream), count)
        assert found.last == last.seq
        messages = [
            await jetstream.get_msg(stream, seq=number)
            for number in range(found.first, found.last + 1)
        ]
        metrics = [message for message in messages if message.subject == f"{stream}.A.metric"]
        return [unpack(message.data)[0].t for message in metrics]
    finally:
        await client.close()


TICKS = {
    "every": range(60),
    "tenth": range(0, 600, 10),
    "pause": [*range(40), *range(1000, 1010)],
    "few": range(0, 30, 7),
    "one": [5],
}


@pytest.mark.parametrize("name", TICKS)
def test_an_edge_begins_so_far_back_that_it_greets_with_as_many_as_the_camera(
    name: str, server: NatsServer
) -> None:
    ticks = list(TICKS[name])
    found = asyncio.run(greeted_with(server.url, name, ticks, 20))
    assert found[-20:] == ticks[-20:]
    if name in {"every", "few", "one"}:
        assert found == ticks[-20:]
