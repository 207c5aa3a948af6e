"""Signals to commands: while they are still importing what they need, and while they work."""

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

__all__ = ["interrupted_by_sigterm", "leaving_at_signals"]

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


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Have SIGTERM do what Ctrl-C does: what is there is kept, and how much it is is said.

    Entered in another thread than the main one, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
