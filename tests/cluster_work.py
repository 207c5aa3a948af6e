"""What the workers of the tests are asked to do; they import it by its name."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from marketcam.engine import LimitError
from marketcam.engine.crew import Crew

if TYPE_CHECKING:
    from pathlib import Path

_KILLING = (3, 8)


def pid_of(piece: int) -> tuple[int, int]:
    return os.getpid(), piece


def threads_of(_: int) -> int:
    return Crew().size


def refusing(agents: int) -> int:
    raise LimitError(f"agents must be at most 3, got {agents}")


def killing_once(folder: Path, piece: int) -> int:
    """Return the square; two of the pieces kill the first worker that tries them."""
    if piece in _KILLING:
        try:
            (folder / f"killed_{piece}").touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return piece * piece


def killing_always(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def waiting_for(file: Path) -> bool:
    """Return when there is such a file."""
    while not file.exists():
        os.sched_yield()
    return True
