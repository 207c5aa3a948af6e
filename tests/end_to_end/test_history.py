"""History of real processes: a run that was killed, and a plain uvicorn that plays it."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import orjson

from marketcam.io.store import Store
from tests.conforming import CheckedClient
from tests.server_helpers import (
    PATIENCE,
    any_process,
    open_stream,
    receive,
    receive_until,
    server_process,
)

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = {"IG_CAM_W": "20", "IG_CAM_STRIDE": "5", "IG_TICK_RATE": "300"}


def test_a_killed_run_is_played_by_a_plain_uvicorn(tmp_path: Path) -> None:
    with server_process(tmp_path, "--segment-bytes", "100000", **VARIABLES) as server:
        with server.stream() as stream:
            receive_until(stream, "frame", 300)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ("-m", "uvicorn", "marketcam.server:app", "--port", str(port))
    with any_process(tmp_path, *command, **VARIABLES) as server:
        server.wait_for_log("Uvicorn running on")
        http = CheckedClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)
        with http:
            killed, running = http.get("/runs").json()
            killed_lines = http.get(f"/range/frames?run={killed['run']}").content.splitlines()
        assert (killed["ended_at"], killed["current"], running["current"]) == (None, False, True)
        store = Store(tmp_path / "store")
        assert killed_lines == list(store.lines("frames", run=killed["run"]))
        assert killed["kinds"]["frames"]["lines"] == len(killed_lines) > 0
        url = f"ws://127.0.0.1:{port}/ws"
        with open_stream(f"{url}/replay?run={killed['run']}&speed=0") as replay:
            receive(replay)
            texts = []
            while (text := str(replay.recv(timeout=PATIENCE))).find('"type":"replay"') < 0:
                texts.append(text.encode())
        assert orjson.loads(text)["state"] == "ended"
        assert texts == [line for _, _, line in store.messages(run=killed["run"])]
        with open_stream(f"{url}/stream?from_t=0") as stream:
            messages = receive_until(stream, "metric", 400)
        assert [m["t"] for m in messages if m["type"] == "metric"] == list(range(401))
        assert server.stop(signal.SIGTERM) == 0
