"""A server process from its first line to its exit code, with clients and signals."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import zstandard
from websockets.exceptions import ConnectionClosed, InvalidStatus

from marketcam.engine import SlidingWindowCamera
from tests.comparing import film
from tests.hanging_simulator import hanging_simulator
from tests.raw_ticks import crowd
from tests.server_helpers import (
    PATIENCE,
    any_process,
    named,
    open_stream,
    receive,
    receive_until,
    recorded,
    server_process,
    state_tick,
    tick_lines,
)

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from tests.server_helpers import ServerProcess

SIGNALS = (signal.SIGTERM, signal.SIGINT)
CROWD = list(crowd(11, 3000, agents=12, lifetime=200))


def close_code(stream: ClientConnection) -> int:
    """Receive to the end and return the code with which the server closed."""
    try:
        while True:
            stream.recv(timeout=PATIENCE)
    except ConnectionClosed as closed:
        assert closed.rcvd is not None, "it was cut"  # noqa: PT017 - the loop has to be inside
        return closed.rcvd.code


def numbers(lines: list[bytes]) -> list[int]:
    return [orjson.loads(line)["t"] for line in lines]


def manifest(store: Path, kind: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = orjson.loads((store / kind / "manifest.json").read_bytes())
    return entries


def assert_all_closed(store: Path) -> None:
    """Check that no segment is pending, and that the manifests tell of each what is in it."""
    for kind in ("frames", "metrics"):
        files = {f"{kind}/{path.name}" for path in (store / kind).glob("*.zst")}
        entries = manifest(store, kind)
        assert {entry["path"] for entry in entries} == files
        assert not any("_pending" in name for name in files)
        for entry in entries:
            data = (store / entry["path"]).read_bytes()
            ticks = numbers(zstandard.decompress(data).splitlines())
            told = (entry["start_t"], entry["end_t"], entry["lines"], entry["bytes"])
            assert told == (ticks[0], ticks[-1], len(ticks), len(data))
            assert entry["pending"] is False


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_closes_everything_and_ends_with_0(tmp_path: Path, number: signal.Signals) -> None:
    flags = ("--agents", "20", "--tick-rate", "500", "--W", "20", "--stride", "5")
    with server_process(tmp_path, *flags) as server, ExitStack() as stack:
        streams = [stack.enter_context(server.stream()) for _ in range(3)]
        for stream in streams:
            receive_until(stream, "frame", 40)
        assert server.stop(number) == 0
        assert [close_code(stream) for stream in streams] == [1001] * 3
    assert_all_closed(server.store)
    metrics = numbers(recorded(server.store, "metrics"))
    assert metrics == list(range(len(metrics)))
    frames = numbers(recorded(server.store, "frames"))
    assert frames == list(range(20, metrics[-1] + 1, 5))


SIGNALLED_AT_AN_IMPORT = """
import os, sys

class Finder:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            os.kill(os.getpid(), int(sys.argv[2]))

sys.meta_path.insert(0, Finder())
from marketcam.server.cli import main
sys.exit(main(["serve", "--port", "0"]))
"""


@pytest.mark.parametrize("module", ["marketcam.server.cli.serve", "pydantic", "numba", "uvicorn"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_before_anything_has_started_ends_with_0(
    tmp_path: Path, number: signal.Signals, module: str
) -> None:
    command = ("-c", SIGNALLED_AT_AN_IMPORT, module, str(int(number)))
    with any_process(tmp_path, *command) as server:
        assert server.process.wait(PATIENCE) == 0
    assert server.log == ""
    assert not server.store.exists()


def test_a_client_that_does_not_read_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    flags = ("--agents", "300", "--tick-rate", "200", "--W", "5", "--stride", "1")
    with server_process(tmp_path, *flags) as server, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", server.port))
        deaf.sendall(
            b"GET /ws/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        with server.stream() as stream:
            while not frames_dropped(server):
                receive(stream, 10)
            server.process.send_signal(signal.SIGTERM)
            assert close_code(stream) == 1001
        assert server.process.wait(PATIENCE) == 0
    assert_all_closed(server.store)


def frames_dropped(server: ServerProcess) -> bool:
    """Ask a server whether there is a client that missed frames."""
    with server.http() as http:
        figures = http.get("/metrics").text
    return 'marketcam_messages_dropped_total{kind="frame"} 0.0' not in figures


def test_a_second_signal_ends_a_stop_that_hangs(tmp_path: Path) -> None:
    with server_process(tmp_path, *hanging_simulator(tmp_path)) as server:
        server.wait_for_log("simulator hangs")
        server.process.send_signal(signal.SIGINT)
        server.wait_for_log("event=stopping")
        assert server.process.poll() is None
        assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        server.wait_for_log("stopped by force")


def test_a_port_in_use_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = ("-m", "marketcam.server.cli", "serve", "--port", str(port))
        with any_process(tmp_path, *command) as server:
            assert server.process.wait(PATIENCE) == 1
            message = f"marketcam: cannot listen at 127.0.0.1:{port}: address already in use\n"
            server.wait_for_log("cannot listen")
            assert server.log == message
            assert not server.store.exists()


def test_a_bad_tick_that_is_fatal_is_exit_code_1(tmp_path: Path) -> None:
    with server_process(
        tmp_path, "--ticks", "-", "--bad-tick", "fail", "--tick-rate", "0"
    ) as server:
        with server.stream() as stream:
            server.feed(tick_lines(state_tick(t) for t in range(5)))
            receive_until(stream, "metric", 4)
            server.feed(b'{"t": 5, "mid": "high"}\n')
            assert close_code(stream) == 1001
        assert server.process.wait(PATIENCE) == 1
        server.wait_for_log("marketcam: the run has failed: ticks from standard input: line 6: ")
    assert numbers(recorded(server.store, "metrics")) == list(range(5))
    assert_all_closed_of(server.store, "metrics")


def assert_all_closed_of(store: Path, kind: str) -> None:
    assert not list((store / kind).glob("*_pending*"))
    assert [entry["pending"] for entry in manifest(store, kind)] == [False]


def test_bad_lines_are_skipped_and_reported_by_number(tmp_path: Path) -> None:
    with server_process(tmp_path, "--ticks", "-", "--tick-rate", "0") as server:
        with server.stream() as stream:
            server.feed(tick_lines([state_tick(0)]) + b"nonsense\n" + tick_lines([state_tick(2)]))
            assert named(receive(stream, 2)) == [("metric", 0), ("metric", 2)]
            assert "line=2" in server.wait_for_log("event=line_skipped")
        assert server.stop(signal.SIGTERM) == 0  # although standard input is still open


@pytest.mark.parametrize("number", SIGNALS)
def test_as_an_application_of_uvicorn(tmp_path: Path, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ("-m", "uvicorn", "marketcam.server:app", "--port", str(port))
    variables = {"IG_CAM_W": "20", "IG_CAM_STRIDE": "5", "IG_TICK_RATE": "500"}
    with any_process(tmp_path, *command, **variables) as server:
        server.wait_for_log("Uvicorn running on")
        with open_stream(f"ws://127.0.0.1:{port}/ws/stream") as stream:
            receive_until(stream, "frame", 40)
            assert server.stop(number) == 0
            assert close_code(stream) == 1001
    assert_all_closed(server.store)


def test_as_an_application_of_uvicorn_it_asks_for_tokens_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ("-m", "uvicorn", "marketcam.server:app", "--port", str(port))
    token = "a-token-of-sixteen"
    with any_process(tmp_path, *command, IG_READ_TOKEN=token) as server:
        server.wait_for_log("Uvicorn running on")
        health = f"http://127.0.0.1:{port}/health"
        assert httpx.get(health).status_code == 401
        shown = {"Authorization": f"Bearer {token}"}
        assert httpx.get(health, headers=shown).json()["ok"] is True
        url = f"ws://127.0.0.1:{port}/ws/stream"
        with pytest.raises(InvalidStatus) as refused:
            open_stream(url, additional_headers={"Authorization": "Bearer none"})
        assert refused.value.response.status_code == 401
        with open_stream(url) as stream:
            stream.send(orjson.dumps({"type": "auth", "token": token}).decode())
            assert receive(stream) == [{"type": "auth", "ok": True}]
            assert receive(stream)[0]["type"] == "metric"
        assert server.stop(signal.SIGTERM) == 0


def test_as_an_application_of_uvicorn_with_a_bad_variable(tmp_path: Path) -> None:
    command = ("-m", "uvicorn", "marketcam.server:app", "--port", "0")
    with any_process(tmp_path, *command, IG_CAM_W="0") as server:
        assert server.process.wait(PATIENCE) == 3  # uvicorn's own, for a start that failed
        server.wait_for_log("IG_CAM_W must be")
        assert "Traceback" not in server.log


def film_with_a_server(folder: Path, ticks: Path, *flags: str) -> Path:
    """Run a tick file through a server process; return its store."""
    folder.mkdir()
    source = ("--ticks", str(ticks), "--tick-rate", "0", "--record-ticks")
    with server_process(folder, *source, *flags) as server:
        server.wait_for_log("event=source_ended")
        assert server.stop(signal.SIGTERM) == 0
    return server.store


def test_the_same_ticks_give_the_same_recording(tmp_path: Path) -> None:
    ticks = tmp_path / "ticks.jsonl"
    ticks.write_bytes(tick_lines(CROWD))
    flags = ("--W", "50", "--stride", "10", "--segment-bytes", "300000")
    stores = [film_with_a_server(tmp_path / name, ticks, *flags) for name in ("one", "two")]
    for kind in ("frames", "metrics", "ticks"):
        lines = [recorded(store, kind) for store in stores]
        assert lines[0] == lines[1]
        assert len(manifest(stores[0], kind)) > 1
    for store in stores:
        assert_all_closed(store)
        metrics = [
            number for entry in manifest(store, "metrics") for number in numbers_in(store, entry)
        ]
        assert metrics == list(range(3000))  # every tick in exactly one segment
        frames = [
            number for entry in manifest(store, "frames") for number in numbers_in(store, entry)
        ]
        assert frames == list(range(50, 3000, 10))  # and every frame that is due


def numbers_in(store: Path, entry: dict[str, Any]) -> list[int]:
    return numbers(zstandard.decompress((store / entry["path"]).read_bytes()).splitlines())


def test_the_recording_is_what_the_camera_makes_of_the_ticks(tmp_path: Path) -> None:
    ticks = tmp_path / "ticks.jsonl.zst"
    ticks.write_bytes(zstandard.compress(tick_lines(CROWD)))
    flags = ("--W", "30", "--stride", "7", "--edge-cap", "40", "--match-share", "0.25")
    store = film_with_a_server(tmp_path / "first", ticks, *flags)
    camera = SlidingWindowCamera(W=30, stride=7, edge_cap=40, match_share=0.25)
    assert recorded(store, "frames") == list(film(camera, CROWD).values())
    # And the recorded ticks can be filmed again, with another window.
    again = tmp_path / "again.jsonl"
    again.write_bytes(b"".join(line + b"\n" for line in recorded(store, "ticks")))
    second = film_with_a_server(tmp_path / "second", again, "--W", "80", "--stride", "20")
    film_again = film(SlidingWindowCamera(W=80, stride=20), CROWD)
    assert recorded(second, "frames") == list(film_again.values())


def test_a_fast_source_keeps_its_streams_alive_and_in_order(tmp_path: Path) -> None:
    flags = ("--tick-rate", "0", "--agents", "20", "--W", "20", "--stride", "5")
    with server_process(tmp_path, *flags) as server:
        with server.stream() as stream:
            messages = receive_until(stream, "frame", 3000)
        assert server.stop(signal.SIGTERM) == 0
    live = [m for m in messages if m["type"] != "gap"]
    first_frame = next(i for i, m in enumerate(live) if m["type"] == "frame")
    order = [(m["t"], m["type"] == "frame") for m in live[first_frame + 1 :]]
    assert order == sorted(order)
    for kind, stride in (("metric", 1), ("frame", 5)):
        seen: list[int] = []
        for message in messages:
            if message["type"] == kind:
                seen.append(message["t"])
            elif message["type"] == "gap" and message["kind"] == kind:
                seen += range(message["from_t"], message["to_t"] + 1, stride)
        assert seen == list(range(seen[0], seen[-1] + 1, stride))
    recorded_metrics = numbers(recorded(server.store, "metrics"))
    assert recorded_metrics == list(range(len(recorded_metrics)))
