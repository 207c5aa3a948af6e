"""`/ws/replay`: recorded runs played over real sockets, and what a viewer may say to a replay."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from marketcam.io import decode_frame_columns
from marketcam.io.store import Store
from tests.server_helpers import (
    PATIENCE,
    fed_server,
    named,
    open_stream,
    receive,
    receive_until,
    state_tick,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from tests.server_helpers import Running

LAST_T = 40


def replay(server: Running, query: str = "", **options: Any) -> ClientConnection:
    return open_stream(f"ws://127.0.0.1:{server.listening.port}/ws/replay?{query}", **options)


def tell(stream: ClientConnection, kind: str, **fields: Any) -> None:
    stream.send(orjson.dumps({"type": kind} | fields).decode())


def receive_state(stream: ClientConnection) -> list[dict[str, Any]]:
    """Receive up to and including the next message about the replay itself."""
    messages = receive(stream)
    while messages[-1].get("type") not in ("replay", "seek", "error"):
        messages += receive(stream)
    return messages


def told(stream: ClientConnection, kind: str, **fields: Any) -> dict[str, Any]:
    """Say something and return the answer; what comes before it is left out."""
    tell(stream, kind, **fields)
    return receive_state(stream)[-1]


def expected(store: Path, from_t: int = 0, to_t: int | None = None) -> list[tuple[str, int]]:
    return [(kind, t) for kind, t, _ in Store(store).messages(from_t, to_t)]


@contextmanager
def ended_run(folder: Path, last_t: int = LAST_T, **options: Any) -> Iterator[Running]:
    """Run a server on a store with one run that has ended, of several segments."""
    given = {"segment_bytes": 1500, "record_ticks": True}
    with fed_server(folder, **given) as (server, feed), server.stream() as stream:
        feed.send_ticks(0, last_t)
        receive_until(stream, "metric", last_t)
    feed.path.unlink()
    with fed_server(folder, **(given | options)) as (server, _):
        yield server


def first_run(server: Running) -> str:
    with server.http() as http:
        return str(http.get("/runs").json()[0]["run"])


def test_a_run_is_played_to_its_end_as_it_was_streamed(tmp_path: Path) -> None:
    with ended_run(tmp_path) as server:
        run = first_run(server)
        with replay(server, f"run={run}&speed=0") as stream:
            opening = receive(stream)[0]
            texts = []
            while (text := str(stream.recv(timeout=PATIENCE))).find('"type":"replay"') < 0:
                texts.append(text.encode())
        lines = [line for _, _, line in Store(tmp_path / "store").messages(run=run)]
    position = {"speed": 0.0, "run": run, "from_t": None, "to_t": None, "tick_rate": 100.0}
    assert opening == {"type": "replay", "t": None, "state": "playing"} | position
    assert orjson.loads(text) == {"type": "replay", "t": LAST_T, "state": "ended"} | position
    assert texts == lines


def test_the_span_and_the_kinds_are_what_was_asked_for(tmp_path: Path) -> None:
    with ended_run(tmp_path) as server:
        run = first_run(server)
        query = f"run={run}&speed=0&from_t=11&to_t=30&kinds=frame"
        with replay(server, query) as stream:
            assert receive(stream)[0]["from_t"] == 11
            messages = receive_state(stream)
        assert named(messages[:-1]) == [("frame", t) for t in range(12, 31, 2)]
        assert (messages[-1]["state"], messages[-1]["to_t"]) == ("ended", 30)
        with replay(server, f"run={run}&speed=0&from_t=4&to_t=4&kinds=tick,frame,metric") as stream:
            messages = receive_state(stream)[1:] + receive_state(stream)
        assert [message.get("type", "tick") for message in messages[:-1]] == [
            "metric",
            "frame",
            "tick",
        ]


def test_seeks_go_into_every_segment_and_nothing_from_before_comes_after(tmp_path: Path) -> None:
    with ended_run(tmp_path) as server:
        run = first_run(server)
        with replay(server, f"run={run}&speed=1") as stream:
            receive(stream, 4)
            for t in (35, 2, 20, -7, LAST_T, 0):
                tell(stream, "seek", t=t)
                answer = receive_until(stream, "seek", t)[-1]
                assert (answer["t"], answer["state"]) == (t, "playing")
                count = min(5, len(expected(tmp_path / "store", t)))
                assert (
                    named(receive(stream, count))
                    == [
                        (kind, at) for kind, at, _ in Store(tmp_path / "store").messages(t, run=run)
                    ][:count]
                )


def test_it_ends_beyond_the_end_and_plays_on_after_a_seek(tmp_path: Path) -> None:
    with ended_run(tmp_path) as server, replay(server, f"run={first_run(server)}") as stream:
        receive(stream)
        assert told(stream, "seek", t=LAST_T + 1)["state"] == "playing"
        assert receive(stream)[0]["state"] == "ended"
        for control in ({"kind": "play"}, {"kind": "step"}):
            assert told(stream, **control)["state"] == "ended"
        assert told(stream, "seek", t=LAST_T)["state"] == "playing"
        assert named(receive(stream, 2)) == [("metric", LAST_T), ("frame", LAST_T)]
        assert receive(stream)[0] | {"t": LAST_T, "state": "ended"} == receive_ended(LAST_T, stream)


def receive_ended(t: int, stream: ClientConnection) -> dict[str, Any]:
    """Ask a replay that has ended where it stands."""
    answer = told(stream, "play")
    assert (answer["t"], answer["state"]) == (t, "ended")
    return answer


def test_steps_go_from_frame_to_frame_and_wait_in_line(tmp_path: Path) -> None:
    with ended_run(tmp_path) as server:
        run = first_run(server)
        with replay(server, f"run={run}&speed=0.01&from_t=5") as stream:
            assert told(stream, "pause")["state"] == "playing"  # what it opened with
            assert receive_state(stream)[-1]["state"] == "paused"
            answer = told(stream, "seek", t=5)
            assert answer["state"] == "paused"
            tell(stream, "step")
            assert named(receive(stream, 4)) == [
                ("metric", 5),
                ("metric", 6),
                ("frame", 6),
                ("replay", 6),
            ]
            tell(stream, "step", n=2)
            tell(stream, "step", n=1)
            assert [
                message for message in named(receive_state(stream)) if message[0] != "metric"
            ] == [
                ("frame", 8),
                ("frame", 10),
                ("replay", 10),
            ]
            assert named(receive_state(stream)) == [
                ("metric", 11),
                ("metric", 12),
                ("frame", 12),
                ("replay", 12),
            ]
            tell(stream, "step", n=1000)
            assert receive_state(stream)[-1]["state"] == "ended"
        with replay(server, f"run={run}&kinds=metric&from_t=3") as stream:
            receive(stream)
            tell(stream, "pause")
            last = receive_state(stream)[-1]
            tell(stream, "step", n=2)
            first = (last["t"] or 2) + 1
            assert named(receive_state(stream)) == [
                ("metric", first),
                ("metric", first + 1),
                ("replay", first + 1),
            ]


def test_a_pause_holds_and_play_goes_on_where_it_was(tmp_path: Path) -> None:
    with ended_run(tmp_path, heartbeat_seconds=0.05) as server:
        run = first_run(server)
        with replay(server, f"run={run}") as stream:
            messages = receive(stream, 3)
            tell(stream, "pause")
            messages += receive_state(stream)
            assert receive(stream)[0]["type"] == "heartbeat"  # and no message
            stream.send("ping")
            while receive(stream)[0] != {"type": "pong"}:
                pass
            tell(stream, "speed", speed=0)
            while (answer := receive_state(stream)[-1])["type"] != "replay":
                pass
            assert (answer["speed"], answer["state"]) == (0, "paused")
            tell(stream, "play")
            messages += receive_state(stream) + receive_state(stream)
        played = [message for message in messages if message["type"] in ("metric", "frame")]
        lines = Store(tmp_path / "store").messages(run=run)
        assert named(played) == [(kind, t) for kind, t, _ in lines]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("nonsense", "a control message must be a JSON object, got 'nonsense'"),
        ("[1]", "a control message must be a JSON object, got '[1]'"),
        ('{"type":"stop"}', "type must be one of play, pause, seek, speed, step, got 'stop'"),
        ('{"t":1}', "type must be one of play, pause, seek, speed, step, got None"),
        ('{"type":["seek"]}', "type must be one of play, pause, seek, speed, step, got ['seek']"),
        ('{"type":"seek"}', "t must be an integer, 5 to 9007199254740991, got None"),
        ('{"type":"seek","t":4}', "t must be an integer, 5 to 9007199254740991, got 4"),
        ('{"type":"seek","t":7.0}', "t must be an integer, 5 to 9007199254740991, got 7.0"),
        ('{"type":"seek","t":true}', "t must be an integer, 5 to 9007199254740991, got True"),
        ('{"type":"speed","speed":"1"}', "speed must be a number, got '1'"),
        ('{"type":"speed","speed":true}', "speed must be a number, got True"),
        ('{"type":"speed","speed":-1}', "speed must be 0, or 0.01 to 10000, got -1"),
        ('{"type":"speed","speed":1e999}', "a control message must be a JSON object, got"),
        ('{"type":"step","n":0}', "n must be an integer, 1 to 1000, got 0"),
        ('{"type":"step"}', "step must come while the replay is paused, it is playing"),
    ],
)
def test_a_control_that_cannot_be_followed_is_answered_and_it_plays_on(
    tmp_path: Path, message: str, problem: str
) -> None:
    with ended_run(tmp_path, 12) as server:
        query = f"run={first_run(server)}&from_t=5&speed=0.5"
        with replay(server, query) as stream:
            receive(stream)
            stream.send(message)
            error = receive_state(stream)[-1]
            assert error["type"] == "error"
            assert error["message"].startswith(problem)
            assert receive_until(stream, "frame", 12)


@pytest.mark.parametrize(
    ("query", "status", "problem"),
    [
        ("from_t=x", 400, "from_t must be an integer, -9007199254740991 to 9007199254740991"),
        ("from_t=3&to_t=2", 400, "from_t must be at most to_t=2, got 3"),
        ("speed=-1", 400, "speed must be a number, 0 or greater, got '-1'"),
        ("speed=0.001", 400, "speed must be 0, or 0.01 to 10000, got 0.001"),
        ("kinds=frame,quote", 400, "kinds must be some of metric, frame, tick, joined by commas"),
        ("encoding=xml", 400, "encoding must be json or columns, got 'xml'"),
        ("run=nobody", 404, "nobody"),
    ],
)
def test_what_cannot_be_replayed_is_refused_before_the_handshake(
    tmp_path: Path, query: str, status: int, problem: str
) -> None:
    with (
        fed_server(tmp_path) as (server, _),
        pytest.raises(InvalidStatus) as refused,
        replay(server, query),
    ):
        pass
    assert refused.value.response.status_code == status
    assert problem in orjson.loads(refused.value.response.body or b"")["error"]


def test_a_run_that_goes_on_is_followed_as_it_is_recorded(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.stream() as live:
        feed.send_ticks(0, 5)
        receive_until(live, "metric", 5)
        with replay(server, "speed=0") as stream, replay(server, "speed=0&to_t=8") as part:
            messages = receive_until(stream, "metric", 5)
            feed.send_ticks(6, 9)
            messages += receive_until(stream, "metric", 9)
            receive(part)
            of_part = named(receive_state(part))
            assert of_part[-3:] == [("metric", 8), ("frame", 8), ("replay", 8)]
            feed.close()  # the source ends
            messages += receive_state(stream)
        assert messages[-1]["state"] == "ended"
        assert named(messages[1:-1]) == expected(tmp_path / "store")


def test_frames_come_as_columns(tmp_path: Path) -> None:
    with ended_run(tmp_path, 8) as server:
        run = first_run(server)
        query = f"run={run}&speed=0&encoding=columns&kinds=frame"
        with replay(server, query) as stream:
            stream.recv(timeout=PATIENCE)
            got = [stream.recv(timeout=PATIENCE) for _ in range(3)]
        lines = list(Store(tmp_path / "store").frames(run=run))
    assert [
        decode_frame_columns(data).to_dict() for data in got if isinstance(data, bytes)
    ] == lines


def test_one_replay_too_many_is_sent_away(tmp_path: Path) -> None:
    with ended_run(tmp_path, replay_clients=1) as server:
        query = f"run={first_run(server)}"
        with replay(server, query) as stream, replay(server, query) as other:
            receive(stream)
            with pytest.raises(ConnectionClosed) as closed:
                other.recv(timeout=PATIENCE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
            assert closed.value.rcvd.reason == "too many replays, the limit is 1"
            receive(stream)
        while server.listening.app.history.replays.taken:
            receive_nothing(server)
        with replay(server, query) as stream:
            receive(stream, 2)


def receive_nothing(server: Running) -> None:
    with server.http() as http:
        assert http.get("/health").status_code == 200


def test_one_that_stands_still_for_too_long_is_closed(tmp_path: Path) -> None:
    with (
        ended_run(tmp_path, 6, replay_idle_seconds=0.1) as server,
        replay(server, f"run={first_run(server)}&speed=0") as stream,
    ):
        messages = receive_state(stream) + receive_state(stream)
        assert messages[-1]["state"] == "ended"
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(timeout=PATIENCE)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        1000,
        "idle: told nothing for 0.1 s",
    )


def test_stopping_closes_replays_with_1001(tmp_path: Path) -> None:
    with ended_run(tmp_path) as server, replay(server, f"run={first_run(server)}") as stream:
        tell(stream, "pause")
        receive(stream)
        server.listening.stop()
        with pytest.raises(ConnectionClosed) as closed:
            receive_until(stream, "never", 10**9)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def record_much(folder: Path) -> None:
    crowded = dict.fromkeys(range(800), 0.5)
    options = {"window": 1, "stride": 1, "edge_cap": 0, "connect_metrics": 0}
    with fed_server(folder, **options) as (server, feed), server.stream() as stream:
        for t in range(100):
            feed.send(state_tick(t, agents=crowded))
        receive_until(stream, "frame", 99)
    feed.path.unlink()


def test_a_slow_viewer_is_sent_everything_and_one_who_leaves_is_forgotten(tmp_path: Path) -> None:
    record_much(tmp_path)
    with fed_server(tmp_path) as (server, _):
        run = first_run(server)
        with replay(server, f"run={run}&speed=0", max_queue=1) as slow:
            receive(slow, 2)
            with replay(server, f"run={run}&speed=0&from_t=50", max_queue=1) as quick:
                assert receive_until(quick, "frame", 99)
                with replay(server, f"run={run}&speed=0", max_queue=1) as gone:
                    receive(gone, 2)
                    gone.socket.shutdown(socket.SHUT_RDWR)
            messages = receive_until(slow, "frame", 99)
        frames = [message["t"] for message in messages if message["type"] == "frame"]
        assert frames == list(range(1, 100))
        while server.listening.app.history.replays.taken:
            receive_nothing(server)


def test_damage_is_told_and_what_lies_behind_it_can_still_be_played(tmp_path: Path) -> None:
    with ended_run(tmp_path) as server:
        run = first_run(server)
        closed = sorted((tmp_path / "store" / "metrics").glob("segment_*.jsonl.zst"))
        starts = [int(path.name.split("_")[3].split(".")[0]) for path in closed]
        closed[1].write_bytes(b"nonsense")
        with replay(server, f"run={run}&speed=0&kinds=metric") as stream:
            receive(stream)
            messages = receive_state(stream)
            assert named(messages[:-1]) == [("metric", t) for t in range(starts[1])]
            assert messages[-1]["message"].startswith("the recording cannot be read on")
            assert receive(stream)[0]["state"] == "ended"
            told(stream, "seek", t=starts[2])
            assert named(receive_state(stream)[:-1]) == [
                ("metric", t) for t in range(starts[2], LAST_T + 1)
            ]
