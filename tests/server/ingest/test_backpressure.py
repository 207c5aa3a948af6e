"""A camera that is slower than its producer: memory is bounded, nothing is lost, nobody is cut."""

from __future__ import annotations

import select
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from marketcam.engine import Tick
from marketcam.io import encode_tick_binary
from marketcam.server.ingest import session
from tests.ingest_helpers import client_frame, connected, ingest_server, raw_producer
from tests.server.ingest.test_resuming import wait_until
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from marketcam.server.ingest.source import IngestSource
    from tests.ingest_helpers import RawProducer
    from tests.server_helpers import Running

MIB = 2**20
QUEUE = 4 * MIB
STUCK_SECONDS = 1.5


@contextmanager
def braked(server: Running) -> Iterator[threading.Event]:
    """Have the camera take no tick in before the event is set, or the block ends."""
    may_go = threading.Event()
    filming = server.rig.filming
    ingest_tick = filming.ingest_tick

    def when_it_may(tick: Tick) -> None:
        may_go.wait()
        ingest_tick(tick)

    filming.ingest_tick = when_it_may  # type: ignore[method-assign]
    try:
        yield may_go
    finally:
        may_go.set()


def source_of(server: Running) -> IngestSource:
    assert server.rig.ingest is not None
    return server.rig.ingest


def large_tick(t: int) -> bytes:
    """Return a tick of more than half a megabyte, as a frame."""
    n = 25_000
    experience, price = np.full(n, 0.5), np.full(n, np.nan)
    columns = (np.arange(n), experience, np.zeros(n, np.int8), price, np.empty((0, 2), np.int64))
    return client_frame(encode_tick_binary(Tick(t, None, *columns)))


def send_until_stuck(sim: RawProducer, data: memoryview) -> int:
    """Send as much as is taken; return how much that was."""
    sent = 0
    sim.socket.setblocking(False)
    while sent < len(data) and select.select([], [sim.socket], [], STUCK_SECONDS)[1]:
        sent += sim.socket.send(data[sent : sent + MIB])
    sim.socket.setblocking(True)
    return sent


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that cuts producers soon."""
    monkeypatch.setattr(session, "PING_SECONDS", 0.1)
    monkeypatch.setattr(session, "SILENT_SECONDS", 0.8)
    monkeypatch.setattr(session, "PROOF_SECONDS", 0.5)


@pytest.mark.usefixtures("impatient")
def test_a_slow_camera_slows_its_producer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = 80
    data = memoryview(b"".join(large_tick(t) for t in range(ticks)))
    assert len(data) > 40 * MIB
    with ExitStack() as stack:
        given = {"ingest_queue_bytes": QUEUE, "proximity": "neighbors"}
        server = stack.enter_context(ingest_server(tmp_path, **given))
        sim, source = stack.enter_context(raw_producer(server)), source_of(server)
        may_go = stack.enter_context(braked(server))
        assert sim.hear() is not None
        sent = send_until_stuck(sim, data)
        assert sent < 24 * MIB  # the queue, a few messages, and what the kernel holds
        assert QUEUE <= source.waiting_bytes <= QUEUE + MIB
        assert source.last_t is None
        # Although it answers no ping, it is not cut, and keeps its place: nobody listens to it.
        with pytest.raises(InvalidStatus, match="409"), connected(server):
            pass
        # What comes now is read, and a busy machine may take its time for it.
        monkeypatch.setattr(session, "SILENT_SECONDS", PATIENCE)
        may_go.set()
        sim.socket.sendall(data[sent:])
        sim.hear_acks(ticks)
        assert (server.rig.pipeline.ticks, server.rig.pipeline.refused) == (ticks, 0)
        assert source.waiting_bytes == 0


def test_what_waits_is_taken_before_the_next_producer_is_greeted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PROOF_SECONDS", 0.5)
    with ingest_server(tmp_path, proximity="neighbors") as server, braked(server) as may_go:
        with raw_producer(server) as sim:
            assert sim.hear() is not None
            sim.socket.sendall(b"".join(large_tick(t) for t in range(10)))
            # All are there: one is with the camera, two are read ahead of it, one waits for room.
            wait_until(lambda: source_of(server).waiting_messages == 6)
        with connected(server) as successor:
            assert source_of(server).last_t is None
            may_go.set()
            assert successor.greet()["last_t"] == 9


def test_shutdown_does_not_wait_for_a_slow_camera_to_catch_up(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(ingest_server(tmp_path, proximity="neighbors"))
        sim = stack.enter_context(raw_producer(server))
        stack.enter_context(braked(server))
        assert sim.hear() is not None
        sim.socket.sendall(b"".join(large_tick(t) for t in range(20)))
        wait_until(lambda: source_of(server).waiting_messages >= 3)
        server.listening.stop()
        wait_until(lambda: source_of(server).is_closed)
    assert server.rig.pipeline.ticks < 20
