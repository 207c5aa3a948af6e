"""`/ws/stream?from_t=`: what was recorded, then live, without a hole and without a double."""

from __future__ import annotations

import os
import random
import socket
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from marketcam.io import decode_frame_columns
from marketcam.io.store import Store
from marketcam.server.settings import Settings
from tests.server_helpers import (
    PATIENCE,
    fed_server,
    named,
    open_stream,
    receive,
    receive_until,
    running_server,
    state_tick,
)

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from tests.server_helpers import Running


def stream_from(server: Running, from_t: int, **options: Any) -> ClientConnection:
    return open_stream(f"{server.listening.stream_url}?from_t={from_t}", **options)


def recorded_from(store: Path, from_t: int, count: int) -> list[bytes]:
    """Return the first lines from a tick on, as the store has them."""
    with_more = Store(store).messages(from_t)
    return [recorded.line for _, recorded in zip(range(count), with_more, strict=False)]


def busy_market(folder: Path, **options: Any) -> Settings:
    given = {"tick_rate": 500, "agents": 4, "window": 20, "stride": 3, "segment_bytes": 400_000}
    return Settings(port=0, store_dir=folder / "store", **(given | options))


def test_every_line_comes_once_however_often_someone_joins(tmp_path: Path) -> None:
    rng = random.Random(0)
    with running_server(busy_market(tmp_path)) as server:
        with server.stream() as stream:
            receive_until(stream, "metric", 300)
        joined: list[tuple[int, list[bytes]]] = []
        for _ in range(20):
            last_t = server.rig.pipeline.last_t
            assert last_t is not None
            from_t = rng.choice([-3, last_t - rng.randint(0, 500), last_t - rng.randint(0, 30)])
            # With a queue that may fill up, the client library takes 10 s to close.
            with stream_from(server, from_t, max_queue=None) as stream:
                lines: list[bytes] = []
                t = from_t
                while t < last_t + 100:  # well beyond where it joined
                    lines.append(str(stream.recv(timeout=PATIENCE)).encode())
                    t = orjson.loads(lines[-1])["t"]
                joined.append((from_t, lines))
        server.rig.recorder.flush()
        for from_t, lines in joined:
            assert lines == recorded_from(tmp_path / "store", from_t, len(lines))


def test_it_replaces_the_greeting_and_goes_on_live(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.stream() as early:
        feed.send_ticks(0, 7)
        receive_until(early, "metric", 7)
        with stream_from(server, 5) as stream:
            before = [("metric", 5), ("metric", 6), ("frame", 6), ("metric", 7)]
            assert named(receive(stream, 4)) == before
            feed.send_ticks(8, 9)
            assert named(receive(stream, 3)) == [("metric", 8), ("frame", 8), ("metric", 9)]
            assert server.rig.hub.dropped == {"metric": 0, "frame": 0}
        wait_until_live(server)


def test_beyond_the_present_it_waits(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path) as (server, feed),
        server.stream() as early,
        stream_from(server, 6) as before_all,
    ):
        feed.send_ticks(0, 4)
        receive_until(early, "metric", 4)
        with stream_from(server, 7) as stream:
            feed.send_ticks(5, 8)
            assert named(receive(stream, 3)) == [("metric", 7), ("metric", 8), ("frame", 8)]
        assert named(receive(before_all, 2)) == [("metric", 6), ("frame", 6)]


@pytest.mark.parametrize("value", ["x", "1.5", "9007199254740992"])
def test_a_value_that_is_no_tick_is_refused(tmp_path: Path, value: str) -> None:
    with fed_server(tmp_path) as (server, _):
        with (
            pytest.raises(InvalidStatus) as refused,
            open_stream(f"{server.listening.stream_url}?from_t={value}"),
        ):
            pass
        assert refused.value.response.status_code == 400
        problem = orjson.loads(refused.value.response.body or b"")["error"]
    limits = "-9007199254740991 to 9007199254740991"
    assert problem == f"from_t must be an integer, {limits}, got {value!r}"


def test_frames_come_as_columns_all_the_way(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.stream() as plain:
        feed.send_ticks(0, 6)
        receive_until(plain, "frame", 6)
        with open_stream(f"{server.listening.stream_url}?encoding=columns&from_t=4") as stream:
            feed.send_ticks(7, 8)
            got = [stream.recv(timeout=PATIENCE) for _ in range(8)]
        server.rig.recorder.flush()
        lines = recorded_from(tmp_path / "store", 4, 8)
    for data, line in zip(got, lines, strict=True):
        if isinstance(data, bytes):
            assert decode_frame_columns(data).to_dict() == orjson.loads(line)
        else:
            assert data.encode() == line
    assert sum(isinstance(data, bytes) for data in got) == 3


def test_one_too_many_is_sent_away(tmp_path: Path) -> None:
    with fed_server(tmp_path, history_clients=1) as (server, _):
        with (
            server.listening.app.history.readers.seat(),
            stream_from(server, 0) as stream,
            pytest.raises(ConnectionClosed) as closed,
        ):
            stream.recv(timeout=PATIENCE)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        problem = "too many clients that read history, the limit is 1"
        assert closed.value.rcvd.reason == problem


def test_damage_ends_it_after_all_that_came_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with fed_server(tmp_path, segment_bytes=300) as (server, feed), server.stream() as early:
        feed.send_ticks(0, 12)
        receive_until(early, "metric", 12)
        server.rig.recorder.flush()
        closed = sorted((tmp_path / "store" / "metrics").glob("segment_*[0-9].jsonl.zst"))
        closed[1].write_bytes(b"nonsense")
        first_lost = int(closed[1].name.split("_")[3].split(".")[0])
        with stream_from(server, 0) as stream:
            messages: list[dict[str, Any]] = []
            with pytest.raises(ConnectionClosed) as ended:
                receive_into(messages, stream)
        assert [m["t"] for m in messages if m["type"] == "metric"] == list(range(first_lost))
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1011
    assert "history_unreadable" in caplog.text


def receive_into(messages: list[dict[str, Any]], stream: ClientConnection) -> None:
    while True:
        messages += receive(stream)


def crowd_tick(t: int) -> dict[str, Any]:
    return state_tick(t, agents=dict.fromkeys(range(800), 0.5))


def test_a_slow_client_catches_up_without_a_loss_and_is_not_sent_away(tmp_path: Path) -> None:
    options = {
        "window": 1,
        "stride": 1,
        "connect_metrics": 0,
        "client_queue_bytes": 65_536,
    }
    with fed_server(tmp_path, **options) as (server, feed), server.stream() as early:
        for t in range(60):
            feed.send(crowd_tick(t))
        receive_until(early, "frame", 59)
        with stream_from(server, 0, max_queue=1) as slow:
            messages = receive(slow, 3)
            for t in range(60, 90):  # far more than what may wait for it
                feed.send(crowd_tick(t))
                receive_until(early, "frame", t)
            messages += receive_until(slow, "frame", 89)
        assert server.rig.hub.sent_away == 0
    expected = [
        (kind, t) for t in range(90) for kind in ("metric", "frame") if t or kind != "frame"
    ]
    assert named(messages) == expected


def test_a_client_that_leaves_while_it_catches_up_is_forgotten(tmp_path: Path) -> None:
    options = {"window": 1, "stride": 1, "connect_metrics": 0}
    with fed_server(tmp_path, **options) as (server, feed), server.stream() as early:
        for t in range(100):
            feed.send(crowd_tick(t))
        receive_until(early, "frame", 99)
        with stream_from(server, 0, max_queue=1) as gone:
            receive(gone)
            assert server.listening.app.history.readers.taken == 1
            gone.socket.shutdown(socket.SHUT_RDWR)
        t = 100
        while len(server.rig.hub) > 1:
            feed.send(crowd_tick(t))
            receive_until(early, "metric", t)
            t += 1
        assert server.listening.app.history.readers.taken == 0


def test_stopping_closes_who_catches_up_with_1001(tmp_path: Path) -> None:
    options = {"window": 1, "stride": 1, "connect_metrics": 0}
    with fed_server(tmp_path, **options) as (server, feed):
        with server.stream() as early:
            for t in range(100):
                feed.send(crowd_tick(t))
            receive_until(early, "frame", 99)
        with stream_from(server, 0, max_queue=1) as stream:
            receive(stream)
            server.listening.stop()
            with pytest.raises(ConnectionClosed) as closed:
                receive_until(stream, "none", 100)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def wait_until_live(server: Running) -> None:
    with server.http() as http:
        while server.listening.app.history.readers.taken:
            assert http.get("/health").status_code == 200


def full_disk(*_: object) -> int:
    raise OSError(28, "No space left on device")


def gap(kind: str, from_t: int, to_t: int) -> dict[str, Any]:
    fields = {"from_t": from_t, "to_t": to_t, "reason": "not_recorded"}
    return {"type": "gap", "kind": kind} | fields


def test_what_the_disk_did_not_take_is_declared_at_the_seam_and_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"record_retry_seconds": 0.05, "flush_seconds": 0.01}
    with fed_server(tmp_path, **options) as (server, feed), server.stream() as early:
        recorder = server.rig.recorder
        feed.send_ticks(0, 5)
        receive_until(early, "metric", 5)
        recorder.flush()
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full_disk)
            feed.send_ticks(6, 9)
            receive_until(early, "metric", 9)
            recorder.flush()
            assert not recorder.status().recording
            with stream_from(server, 4) as stream:
                assert named(receive(stream, 3)) == [("metric", 4), ("frame", 4), ("metric", 5)]
                assert receive(stream, 2) == [gap("frame", 5, 8), gap("metric", 6, 9)]
                wait_until_live(server)
                feed.send_ticks(10, 10)
                assert named(receive(stream, 2)) == [("metric", 10), ("frame", 10)]
        t = 11
        while recorder.status().holes < 2:
            feed.send_ticks(t, t)
            receive_until(early, "metric", t)
            recorder.flush()
            t += 1
        feed.send_ticks(t, t + 1)  # a frame and a metric behind what is missing
        receive_until(early, "metric", t + 1)
        with stream_from(server, 4) as stream:
            assert named(receive(stream, 3)) == [("metric", 4), ("frame", 4), ("metric", 5)]
            frames, metrics = receive(stream, 2)
            first = receive(stream)[0]
        assert frames == gap("frame", 5, frames["to_t"])
        assert metrics == gap("metric", 6, metrics["to_t"])
        assert first["t"] > min(metrics["to_t"], frames["to_t"]) >= 8
