"""Compiling is shown while it goes on, and only then."""

from __future__ import annotations

import io
import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from numba.core.event import trigger_event

from marketcam.engine.kernel_cache import KernelFiles
from marketcam.server.running import compiling
from marketcam.server.running.compiling import LOG_SECONDS, compiling_shown, kernel_figures

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch) -> KernelFiles:
    """Files of kernels of their own, and four kernels of which none is compiled."""
    waiting = {str(n): SimpleNamespace(signatures=[]) for n in range(4)}
    monkeypatch.setattr(compiling, "loaded_kernels", lambda: waiting)
    files = KernelFiles([])
    monkeypatch.setattr(compiling, "kernel_files", lambda: files)
    return files


class Events:
    """What was logged, as text."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", logger="marketcam")
        self._caplog = caplog

    def told(self) -> list[str]:
        return [str(record.msg) for record in self._caplog.records]


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Events:
    return Events(caplog)


def compile_one(name: str, module: str = "marketcam.engine.slots") -> AbstractContextManager[None]:
    function = SimpleNamespace(__name__=name, __module__=module)
    data = {"dispatcher": SimpleNamespace(py_func=function)}
    return trigger_event("numba:compile", data=data)


def test_nothing_is_said_where_nothing_is_compiled(events: Events) -> None:
    terminal = Terminal()
    with compiling_shown(terminal), compile_one("theirs", "their.module"):
        pass
    assert (terminal.getvalue(), events.told()) == ("", [])


def test_a_terminal_gets_one_live_line(events: Events) -> None:
    terminal = Terminal()
    clock = itertools.count(100.0)
    with compiling_shown(terminal, lambda: next(clock)), compile_one("outer"), compile_one("inner"):
        pass
    shown = terminal.getvalue().split("\r\x1b[K")
    assert shown == [
        "",
        "compiling kernels, once: 0 of 4, 1 s (outer)",
        "compiling kernels, once: 0 of 4, 3 s (inner)",
        "",
    ]
    [told] = events.told()
    assert "'event': 'kernels_compiled'" in told
    assert "'compiled': 2" in told


def test_a_log_gets_a_line_every_few_seconds(events: Events) -> None:
    now = 0.0
    with compiling_shown(io.StringIO(), lambda: now):
        for n in range(6):
            with compile_one(str(n)):
                now += 0.4 * LOG_SECONDS
    first, second, end = events.told()
    assert "'event': 'compiling_kernels'" in first
    assert "'compiled': 3, 'of': 7, 'seconds': 6.0" in second
    assert "'compiled': 6, 'seconds': 12.0" in end


def test_kernels_that_could_not_be_kept_are_told(events: Events, files: KernelFiles) -> None:
    with compiling_shown(io.StringIO()):
        files.write("a.kernel-stamp-key.kernel", b"")
    [told] = events.told()
    assert "there is no cache folder" in told
    assert "NUMBA_CACHE_DIR" in told
    assert kernel_figures()["problem"] == "there is no cache folder"
