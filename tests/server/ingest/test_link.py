"""What is known of a producer's connection below ASGI."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvloop

from marketcam.server.ingest.link import _has_taken_all


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_a_connection_that_is_closed_takes_nothing_and_is_no_fault(new_loop) -> None:
    async def connect_and_close() -> tuple[bool, bool]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            loop, closed = asyncio.get_running_loop(), asyncio.Event()

            class Protocol(asyncio.Protocol):
                def connection_lost(self, exc: Exception | None) -> None:
                    closed.set()

            transport, _ = await loop.create_connection(Protocol, *server.getsockname())
            peer, _ = server.accept()
            with peer:
                open_one = _has_taken_all(transport)
                transport.abort()
                await closed.wait()
                await asyncio.sleep(0)
                return open_one, _has_taken_all(transport)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(connect_and_close()) == (True, False)
