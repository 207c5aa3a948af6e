"""Connections that break, anywhere and any way: every tick is in the run once, whatever happens."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.engine import Tick
from marketcam.io import encode_tick_binary
from marketcam.server.ingest import session
from tests.ingest_helpers import (
    TOKEN,
    client_frame,
    ingest_server,
    ingest_url,
    producer,
    raw_producer,
    some_ticks,
)
from tests.server_helpers import PATIENCE, recorded, state_tick, tick_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_helpers import Running

LAST = 400

ENDLESS = """
import sys
from websockets.sync.client import connect
import orjson

with connect(sys.argv[1], additional_headers={"Authorization": "Bearer " + sys.argv[2]},
             proxy=None) as link:
    t = orjson.loads(link.recv())["last_t"]
    t = -1 if t is None else t
    print("begun", flush=True)
    while True:
        t += 1
        link.send(orjson.dumps({"t": t, "mid": 1.0}).decode())
"""


def numbers(folder: Path) -> list[int]:
    """Return the ticks that were taken in, as they were recorded."""
    return [orjson.loads(line)["t"] for line in recorded(folder / "store", "ticks")]


def stream_after(t: int | None, rng: random.Random) -> bytes:
    """Return what a producer sends from behind `t` on, in messages of any form and size."""
    frames, first = [], 0 if t is None else t + 1
    while first <= LAST:
        ticks = some_ticks(first, min(LAST, first + rng.choice([0, 0, 1, 9])))
        if rng.random() < 0.5:
            frames.append(client_frame(tick_lines(ticks).decode()))
        else:
            frames.append(
                client_frame(b"".join(encode_tick_binary(Tick.from_dict(raw)) for raw in ticks))
            )
        first += len(ticks)
    return b"".join(frames)


def send_some(server: Running, rng: random.Random) -> int | None:
    """Go on with the run, and break off somewhere; return where it was when this began."""
    with raw_producer(server) as sim:
        hello = sim.hear()
        if hello is None:  # cut before it was greeted
            return None
        last_t: int | None = hello["last_t"]
        data = stream_after(last_t, rng)
        sim.socket.sendall(data[: rng.randrange(len(data) + 1)])
        for _ in range(rng.choice([0, 0, 1, 3])):
            sim.hear()
        if rng.random() < 0.5:
            sim.reset()
        return last_t


@pytest.mark.parametrize("seed", range(4))
def test_every_tick_is_taken_once_however_connections_break(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    # Heartbeats, so that a producer which has sent nothing whole is told something too.
    with ingest_server(tmp_path, record_ticks=True, heartbeat_seconds=0.05) as server:
        before: list[int] = []
        for _ in range(25):
            reached = send_some(server, rng)
            before += [] if reached is None else [reached]
        with producer(server) as sim:
            sim.send(*some_ticks(0 if sim.last_t is None else sim.last_t + 1, LAST + 1))
            sim.end()
            sim.hear_the_end()
            assert sim.refusals == []
        assert server.rig.pipeline.refused == 0
    assert before == sorted(before)
    assert numbers(tmp_path) == list(range(LAST + 2))


def test_what_was_sent_before_is_refused_and_not_taken_twice(tmp_path: Path) -> None:
    with ingest_server(tmp_path, record_ticks=True) as server:
        with producer(server) as sim:
            sim.send(*some_ticks(0, 9))
            sim.settle()
        with producer(server) as sim:
            assert sim.last_t == 9
            sim.send(*some_ticks(5, 14))
            sim.settle()
            assert [refusal["t"] for refusal in sim.refusals] == [5, 6, 7, 8, 9]
    assert numbers(tmp_path) == list(range(15))


def test_frames_are_those_of_a_run_that_never_broke(tmp_path: Path) -> None:
    for name, breaks in (("whole", (60,)), ("broken", (7, 8, 31, 60))):
        with ingest_server(tmp_path / name) as server:
            for end in breaks:
                with producer(server) as sim:
                    first = 0 if sim.last_t is None else sim.last_t + 1
                    sim.send(*some_ticks(first, end))
                    sim.settle()
    whole, broken = (recorded(tmp_path / name / "store", "frames") for name in ("whole", "broken"))
    assert whole == broken
    assert len(whole) == 29


def test_a_producer_that_is_killed_leaves_what_it_sent(tmp_path: Path) -> None:
    # It sends as fast as it can, and what waits when it is killed is taken in first.
    options = {"record_ticks": True, "ingest_queue_bytes": 100_000}
    with ingest_server(tmp_path, **options) as server:
        for _ in range(2):
            url = ingest_url(server.listening.url)
            with subprocess.Popen(
                [sys.executable, "-c", ENDLESS, url, TOKEN], stdout=subprocess.PIPE
            ) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"begun\n"
                aim = server.rig.pipeline.ticks + 500
                wait_until(lambda aim=aim: server.rig.pipeline.ticks >= aim)
                process.send_signal(signal.SIGKILL)
        with producer(server) as sim:
            assert server.rig.pipeline.running
            last_t = sim.last_t
            assert last_t is not None
            sim.send(state_tick(last_t + 1))
            sim.settle()
    assert numbers(tmp_path) == list(range(last_t + 2))


def wait_until(is_so: Any) -> None:
    """Wait for something that no event tells of."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- connections that are half open --------------------------------------------------------------


def test_a_producer_that_shows_no_life_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PROOF_SECONDS", 0.3)
    with ingest_server(tmp_path) as server, raw_producer(server) as dead:
        dead.hear()
        dead.socket.sendall(client_frame(tick_lines(some_ticks(0, 3)).decode()))
        dead.hear_acks(4)
        with producer(server) as sim:  # the first is pinged, and answers nothing
            assert sim.last_t == 3
            assert dead.hear() is None


def test_a_silent_producer_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PING_SECONDS", 0.05)
    monkeypatch.setattr(session, "SILENT_SECONDS", 0.2)
    with ingest_server(tmp_path) as server, raw_producer(server) as silent:
        assert silent.hear() is not None
        assert silent.hear() is None


def test_a_producer_that_answers_pings_may_be_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PING_SECONDS", 0.05)
    monkeypatch.setattr(session, "SILENT_SECONDS", 2.0)
    with ExitStack() as stack:
        server = stack.enter_context(ingest_server(tmp_path, heartbeat_seconds=0.5))
        sim = stack.enter_context(producer(server))
        for _ in range(6):  # longer than it takes to be cut
            assert sim.hear()["type"] == "heartbeat"
        sim.send(state_tick(0))
        sim.settle()
