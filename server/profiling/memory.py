"""The memory of this process: what it has, the most it had, and what a camera is known to take."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from marketcam.engine import pair_table_bytes
from marketcam.engine.tiles import kept_ticks

if TYPE_CHECKING:
    from marketcam.server.profiling.points import Point

__all__ = ["estimated_bytes", "forget_peak", "peak_bytes", "resident_bytes", "table_bytes"]

_STATUS: Final = Path("/proc/self/status")
_CLEAR_REFS: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"  # proc(5): reset the "high water mark" of the resident set
_PROCESS_BYTES: Final = 250 * 2**20
"""A process before its camera: Python, NumPy, numba and its compiled kernels, rounded up."""


def peak_bytes() -> int:
    """Return the most memory that was resident since `forget_peak`, or since the start.

    Linux carries `ru_maxrss` over from the process that started this one, so that a small child
    of a large parent would look large; the high-water mark in /proc is the process's own.
    """
    if (own := _status("VmHWM")) is not None:
        return own
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def resident_bytes() -> int:
    """Return the memory that is resident now; where only the peak is told, the peak."""
    now = _status("VmRSS")
    return peak_bytes() if now is None else now


def forget_peak() -> None:
    """Count the peak from now on, where the system can do that (Linux)."""
    with suppress(OSError):
        _CLEAR_REFS.write_text(_RESET_PEAK)


def table_bytes(point: Point) -> int | None:
    """Return what the camera itself reckons with for its counts of pairs.

    This is what `pair_budget_bytes` is held against: the counts, the quotes of the ticks that are
    kept, and one thread's working room. None where that depends on the ticks: under `neighbors`,
    and for a file whose agents are not known beforehand.
    """
    if point.agents is None or point.proximity != "pairs":
        return None
    return pair_table_bytes(point.agents, kept_ticks(point.W, point.stride))


def estimated_bytes(point: Point) -> int | None:
    """Return about what a process at this point will take, None where nothing can be said.

    That is the process and `table_bytes`, nearly all of it where agents are many. Left out are the
    panes, 56 bytes an agent and pane, what other threads and the choice of edges take, the ticks
    made ahead, a frame and its text, and, after the peak was read, the list of all edges.
    """
    table = table_bytes(point)
    return None if table is None else _PROCESS_BYTES + table


def _status(name: str) -> int | None:
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    values = (line.split() for line in lines if line.startswith(f"{name}:"))
    return next((int(kibibytes) * 1024 for _, kibibytes, _ in values), None)
