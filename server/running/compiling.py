"""The compiling of kernels, shown while it goes on; where all come from the cache, nothing is.

A terminal gets one live line, a log a line every few seconds.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from numba.core.event import Listener, install_listener

from marketcam.engine import warm_up
from marketcam.engine.jit import loaded_kernels
from marketcam.engine.kernel_cache import kernel_files
from marketcam.io import warm_up_encoders
from marketcam.io.store.metric_rows import warm_up_rows
from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from numba.core.event import Event

__all__ = ["LOG_SECONDS", "compile_kernels", "compiling_shown", "kernel_figures"]

LOG_SECONDS: Final = 5.0
"""Least time from one line in the log to the next."""

_COMPILING: Final = "numba:compile"
_CLEAR: Final = "\r\x1b[K"

log = get_logger(__name__)


def compile_kernels() -> None:
    """Compile whatever the camera and its readers will need, or load it, showing progress."""
    with compiling_shown():
        warm_up_encoders(warm_up())
        warm_up_rows()


@contextmanager
def compiling_shown(
    terminal: TextIO = sys.stderr, clock: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """Show what is compiled within the block, and say at its end if it could not be kept."""
    progress = _Progress(terminal if terminal.isatty() else None, clock)
    with install_listener(_COMPILING, progress):
        try:
            yield
        finally:
            progress.end()
    if (problem := kernel_files().problem) is not None:
        note = "they are compiled again at every start; NUMBA_CACHE_DIR can name another folder"
        log.warning("kernels_not_kept", problem=problem, note=note)


def kernel_figures() -> dict[str, object]:
    """Say where this process has its kernels from."""
    files = kernel_files()
    return {
        "compiled": files.compiled,
        "loaded": files.loaded,
        "folder": None if files.folder is None else str(files.folder),
        "problem": files.problem,
    }


class _Progress(Listener):
    """Hears of every kernel that is compiled, before and after; those within it as well."""

    def __init__(self, terminal: TextIO | None, clock: Callable[[], float]) -> None:
        self._terminal = terminal
        self._clock = clock
        self._began: float | None = None
        self._logged = 0.0
        self._compiled = 0

    def on_start(self, event: Event) -> None:
        if _is_ours(event):
            self._show(event.data["dispatcher"].py_func.__name__)

    def on_end(self, event: Event) -> None:
        self._compiled += _is_ours(event)

    def end(self) -> None:
        if self._began is None:
            return
        if self._terminal is not None:
            self._terminal.write(_CLEAR)
            self._terminal.flush()
        log.info("kernels_compiled", compiled=self._compiled, seconds=self._seconds())

    def _show(self, name: str) -> None:
        now = self._clock()
        first = self._began is None
        if first:
            self._began = now
        of = self._compiled + sum(not kernel.signatures for kernel in loaded_kernels().values())
        if self._terminal is not None:
            done = f"{self._compiled} of {of}, {self._seconds():.0f} s"
            self._terminal.write(f"{_CLEAR}compiling kernels, once: {done} ({name})")
            self._terminal.flush()
        elif first or now - self._logged >= LOG_SECONDS:
            self._logged = now
            seconds = self._seconds()
            log.info("compiling_kernels", compiled=self._compiled, of=of, seconds=seconds)

    def _seconds(self) -> float:
        return 0.0 if self._began is None else round(self._clock() - self._began, 1)


def _is_ours(event: Event) -> bool:
    module: str = event.data["dispatcher"].py_func.__module__
    return module.startswith("marketcam.")
