"""What a worker process of this machine does as it starts, named as Dask's `preload`."""

from __future__ import annotations

import signal

__all__ = ["dask_setup"]


def dask_setup(_: object) -> None:
    """Leave Ctrl-C, which reaches every process of the terminal, to the one that asks.

    That one takes in what it has, and then ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
