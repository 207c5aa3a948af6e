"""A program: `marketcam`, with the times shortened that no setting shortens.

An attack that is over when a minute of silence is over would take the tests that minute. Asked by
SIGUSR1 it gives back what memory is free, so that what it has is what it holds.
"""

from __future__ import annotations

import ctypes
import gc
import signal
import sys

from marketcam.server import serve
from marketcam.server.cli import main
from marketcam.server.stream import connection
from marketcam.server.stream import protocol as streams

serve.PING_SECONDS = 1.0  # type: ignore[misc]
connection.CLOSE_SECONDS = streams.CLOSE_SECONDS = 0.5  # type: ignore[misc]


def give_back(*_: object) -> None:
    """Let go of what nobody refers to, and of the pages that allocations have left."""
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):  # glibc's
        libc.malloc_trim(0)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, give_back)
    sys.exit(main(sys.argv[1:]))
