"""The camera's end of NATS, without NATS."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace

import pytest

from marketcam.server.edges.link import LinkOptions
from marketcam.server.edges.outlet import Outlet, Pulse
from marketcam.server.edges.stream import StreamOptions
from marketcam.server.stream.messages import Entry, Message
from marketcam.server.stream.selection import COLUMNS_FORM
from tests.edge_helpers import metric_entry, status
from tests.frame_columns_helpers import small_frame
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


def outlet_nowhere(queue_bytes: int) -> Outlet:
    return Outlet(LinkOptions(("nats://nowhere",)), StreamOptions(), queue_bytes, _pulse)


def _pulse() -> Pulse:
    return Pulse(True, 1, 1)


def test_frames_wait_as_many_bytes_as_they_are_sent() -> None:
    messages = [Message.of_frame(replace(small_frame(agents=60), t=t)) for t in range(10, 20)]
    columns = sum(len(message.body(COLUMNS_FORM).data) for message in messages)
    assert sum(len(message.body().data) for message in messages) > 3 * columns
    outlet = outlet_nowhere(2 * columns)  # half of it for frames
    outlet.offer([Entry(None, message) for message in messages])
    figures = outlet.figures()
    assert (figures.waiting, figures.waiting_bytes, outlet.fill) == (10, columns, 1.0)
    assert figures.dropped["frame"] == 0
    outlet.offer([Entry(None, Message.of_frame(replace(small_frame(agents=60), t=20)))])
    assert outlet.figures().dropped["frame"] == 10


def test_what_waits_of_a_frame_does_not_hold_it() -> None:
    edges = small_frame().edges
    weights = edges.w.copy()
    frame = replace(small_frame(), edges=replace(edges, w=weights))
    gone = weakref.ref(weights)
    outlet = outlet_nowhere(2**20)
    outlet.offer([Entry(None, Message.of_frame(frame))])
    del frame, weights
    gc.collect()
    assert gone() is None
    assert outlet.figures().waiting == 1
