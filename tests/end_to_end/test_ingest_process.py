"""Ticks over the network into whole processes: ours, killed and begun anew, and plain uvicorn."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from tests.conforming import connect
from tests.ingest_helpers import BEARER, TOKEN, Producer, ingest_url, some_ticks
from tests.server_helpers import PATIENCE, any_process, recorded, server_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_helpers import ServerProcess

GIVEN = {"proxy": None, "open_timeout": PATIENCE, "additional_headers": BEARER}
VARIABLES = {"IG_INGEST_TOKEN": TOKEN, "IG_CAM_RECORD_TICKS": "true"}


def join(stack: ExitStack, url: str, **options: Any) -> Producer:
    sim = Producer(stack.enter_context(connect(ingest_url(url), **(GIVEN | options))))
    sim.greet()
    return sim


def begin(stack: ExitStack, folder: Path) -> ServerProcess:
    return stack.enter_context(server_process(folder, "--W", "4", "--stride", "2", **VARIABLES))


def test_a_server_that_was_killed_goes_on_with_a_run_of_its_own(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = begin(stack, tmp_path)
        sim = join(stack, first.url)
        sim.send(*some_ticks(0, 50))
        sim.settle()
        first.stop(signal.SIGKILL)
        second = begin(stack, tmp_path)
        sim = join(stack, second.url)
        assert sim.last_t is None  # the window is gone; what is recorded is another run's
        sim.send(*some_ticks(51, 99))
        sim.end()
        assert sim.hear_the_end() == (1000, "the source has ended")
        assert second.stop(signal.SIGTERM) == 0
    assert [orjson.loads(line)["t"] for line in recorded(tmp_path / "store", "ticks")] == list(
        range(51, 100)
    )


def test_a_plain_uvicorn_takes_ticks_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ("-m", "uvicorn", "marketcam.server:app", "--port", str(port))
    with ExitStack() as stack:
        server = stack.enter_context(any_process(tmp_path, *command, **VARIABLES))
        server.wait_for_log("Uvicorn running on")
        sim = join(stack, url := f"http://127.0.0.1:{port}")
        sim.send(*some_ticks(0, 50), binary=True)
        sim.settle()
        with pytest.raises(InvalidStatus, match="409"):
            join(stack, url)
        assert server.stop(signal.SIGTERM) == 0
        assert sim.hear_the_end()[0] in {1001, 1012}
