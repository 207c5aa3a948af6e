"""The application under a lifespan of its own: what starts when, and what a failed start says."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette

import marketcam.server
from marketcam.engine import LimitError
from marketcam.server.application import CameraApp, EnvironmentApp, create_app
from marketcam.server.settings import Settings
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp


class Life:
    """A server's side of the lifespan protocol."""

    def __init__(self, app: ASGIApp) -> None:
        self._asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._app = asyncio.create_task(app(scope, self._asked.get, self._answers.put))

    async def ask(self, event: str) -> Any:
        self._asked.put_nowait({"type": f"lifespan.{event}"})
        async with asyncio.timeout(PATIENCE):
            answer = await self._answers.get()
        if answer["type"] != "lifespan.startup.complete":
            await self._app
        return answer


def live(app: ASGIApp) -> list[Any]:
    """Start an application and, if it started, stop it again; return its answers."""

    async def scenario() -> list[Any]:
        life = Life(app)
        answers = [await life.ask("startup")]
        if answers[0]["type"] == "lifespan.startup.complete":
            answers.append(await life.ask("shutdown"))
        return answers

    return asyncio.run(scenario())


STARTED_AND_STOPPED = [
    {"type": "lifespan.startup.complete"},
    {"type": "lifespan.shutdown.complete"},
]


def failed(message: str) -> list[dict[str, str]]:
    return [{"type": "lifespan.startup.failed", "message": message}]


def test_making_it_touches_nothing(tmp_path: Path) -> None:
    app = create_app(Settings(store_dir=tmp_path / "store"))
    assert isinstance(app, Starlette)
    assert list(tmp_path.iterdir()) == []
    assert not app.rig.pipeline.running


def test_starts_and_stops(tmp_path: Path) -> None:
    app = create_app(Settings(store_dir=tmp_path / "store"))
    assert live(app) == STARTED_AND_STOPPED
    assert not app.rig.pipeline.running
    assert not app.rig.recorder.status().recording
    assert not list((tmp_path / "store").glob("*/*_pending*"))


def test_a_limit_is_told_when_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise LimitError("W must be less")

    monkeypatch.setattr("marketcam.server.running.filming.SlidingWindowCamera", refuse)
    with pytest.raises(LimitError):
        create_app(Settings(store_dir=tmp_path))


def test_a_source_that_is_not_there_is_one_line_and_no_store(tmp_path: Path) -> None:
    ticks = tmp_path / "nothing.jsonl"
    app = create_app(Settings(store_dir=tmp_path / "store", ticks=str(ticks)))
    assert live(app) == failed(f"ticks cannot be read from {ticks}: no such file or directory")
    assert not (tmp_path / "store").exists()


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    app = create_app(Settings(store_dir=tmp_path / "file" / "store"))
    (answer,) = live(app)
    assert answer["type"] == "lifespan.startup.failed"
    assert answer["message"].startswith(f"cannot record in {tmp_path}/file/store: ")
    assert "\n" not in answer["message"]


def test_a_fault_at_the_start_is_one_line_with_the_traceback_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("marketcam.server.running.rig.compile_kernels", lambda: 1 / 0)
    app = create_app(Settings(store_dir=tmp_path))
    assert live(app) == failed("unexpected ZeroDivisionError, see the log")
    assert "start_failed" in caplog.text
    # What was started before it was stopped again.
    assert not app.rig.recorder.status().recording
    assert not app.rig.pipeline.running


def test_stopping_twice_and_from_two_sides_is_fine(tmp_path: Path) -> None:
    async def scenario() -> None:
        app = create_app(Settings(store_dir=tmp_path))
        life = Life(app)
        await life.ask("startup")
        await asyncio.gather(app.rig.stop(), app.rig.stop())
        assert (await life.ask("shutdown"))["type"] == "lifespan.shutdown.complete"

    asyncio.run(scenario())


def test_stopping_while_starting_stops_when_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiling, may_go_on = threading.Event(), threading.Event()

    def compile_slowly() -> None:
        compiling.set()
        assert may_go_on.wait(PATIENCE)

    async def scenario() -> None:
        monkeypatch.setattr("marketcam.server.running.rig.compile_kernels", compile_slowly)
        app = create_app(Settings(store_dir=tmp_path))
        starting = asyncio.create_task(app.rig.start(lambda: None))
        await asyncio.to_thread(compiling.wait, PATIENCE)
        stopping = asyncio.create_task(app.rig.stop())
        await asyncio.sleep(0)
        assert not starting.done()
        assert not stopping.done()
        may_go_on.set()
        await asyncio.gather(starting, stopping)
        assert not app.rig.pipeline.running
        assert not app.rig.recorder.status().recording

    asyncio.run(scenario())


def test_a_viewer_that_cannot_be_sent_away_does_not_keep_the_segments_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("marketcam.server.running.rig.FAREWELL_SECONDS", 0.01)

    async def scenario() -> None:
        app = create_app(Settings(store_dir=tmp_path))
        await app.rig.start(lambda: None)
        app.rig.hub.join()
        await app.rig.stop()
        assert not app.rig.recorder.status().recording

    asyncio.run(scenario())
    assert "viewers_left_behind" in caplog.text


def test_the_application_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IG_CAM_STORE_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("IG_CAM_W", "5")
    app = EnvironmentApp()
    assert live(app) == STARTED_AND_STOPPED
    assert isinstance(app._app, CameraApp)
    assert app._app.rig.settings.window == 5
    assert (tmp_path / "store" / "metrics").is_dir()


def test_a_bad_variable_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IG_CAM_W", "0")
    monkeypatch.setenv("IG_CAM_STRIDE", "x")
    (answer,) = live(EnvironmentApp())
    assert answer["type"] == "lifespan.startup.failed"
    assert "IG_CAM_W must be" in answer["message"]
    assert "IG_CAM_STRIDE must be" in answer["message"]
    assert "\n" not in answer["message"]


def test_a_server_without_lifespan_is_told_what_it_lacks() -> None:
    with pytest.raises(RuntimeError, match="lifespan"):
        asyncio.run(EnvironmentApp()({"type": "http"}, None, None))  # type: ignore[arg-type]


def test_the_package_gives_both_ways_in() -> None:
    assert marketcam.server.create_app is create_app
    assert isinstance(marketcam.server.app, EnvironmentApp)
    with pytest.raises(AttributeError, match="nothing"):
        marketcam.server.nothing  # noqa: B018


def test_importing_does_nothing(tmp_path: Path) -> None:
    code = (
        "import threading, marketcam.server; assert threading.active_count() == 1;"
        "from marketcam.server import app; assert threading.active_count() == 1"
    )
    environment = os.environ | {"IG_CAM_W": "nonsense", "IG_CAM_STORE_DIR": str(tmp_path / "store")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
