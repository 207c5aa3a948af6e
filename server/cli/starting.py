"""Signals that come while `marketcam serve` is still importing what it needs."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from marketcam.server.cli.parsing import OK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["leaving_at_signals"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def leaving_at_signals() -> Iterator[None]:
    """End the process with exit code 0 at SIGINT and SIGTERM, until they are handled otherwise.

    The server puts its own handlers before these as soon as there is something to stop in order.
    Signals reach the main thread only; entered in another thread, this does nothing at them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _leave) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(_: int, __: FrameType | None) -> None:
    os._exit(OK)  # an exception could be caught, or told as a fault, by whatever is being imported
