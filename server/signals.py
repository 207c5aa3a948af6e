"""SIGINT and SIGTERM: the first one stops everything in order, a second one ends the process."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Final, Self

import uvicorn

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import FrameType

__all__ = ["StopSignals"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

log = get_logger(__name__)


class StopSignals:
    """While entered, puts an orderly stop before whatever the signals would have done.

    Left to itself, uvicorn closes all WebSockets with code 1012 at a signal, waits for every
    connection to end, and only then lets the application stop. With this, the application's
    `stop` comes first (viewers are told 1001, segments are closed) and the handler that was
    there before comes after it. A uvicorn is told by `should_exit` in place of its handler, which
    would raise the signal again at the end: a stop that was asked for ends with exit code 0.

    Signals reach the main thread only; entered in another thread, this does nothing at them.
    """

    def __init__(
        self, stop: Callable[[], Awaitable[None]], leave: Callable[[], None] | None = None
    ) -> None:
        """Await `stop` on the running loop, then call `leave` if given, in place of the handler."""
        self._stop = stop
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._before: dict[int, Any] = {}
        self._stopping: asyncio.Task[None] | None = None
        self._signalled = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._take) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def request_stop(self, cause: str) -> None:
        """Do as the first signal does; thread-safe."""
        self._loop.call_soon_threadsafe(self._begin, signal.SIGTERM, cause)

    def _take(self, number: int, _: FrameType | None) -> None:
        if self._signalled:
            # Not logged: the log may be locked by what was interrupted here.
            os.write(2, b"marketcam: stopped by force, the next start recovers the segments\n")
            os._exit(128 + number)
        self._signalled = True
        self._loop.call_soon_threadsafe(self._begin, number, signal.Signals(number).name)

    def _begin(self, number: int, cause: str) -> None:
        if self._stopping is None:
            log.info("stopping", cause=cause)
            self._stopping = self._loop.create_task(self._stop_and_leave(number))

    async def _stop_and_leave(self, number: int) -> None:
        try:
            await self._stop()
        except Exception:
            log.exception("stop_failed")
        if self._leave is not None:
            self._leave()
        else:
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        handler = self._before.get(number)
        server = getattr(handler, "__self__", None)
        if isinstance(server, uvicorn.Server):
            server.should_exit = True
        elif callable(handler):
            handler(number, None)
        elif handler is not None:
            signal.signal(number, handler)
            signal.raise_signal(number)
