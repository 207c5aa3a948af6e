"""What the writer under torture writes: lines that anybody can make again from their numbers."""

from __future__ import annotations

import random
from typing import Final

__all__ = ["KINDS", "STRIDE", "is_due", "known_line"]

KINDS: Final = ("ticks", "metrics", "frames")

STRIDE: Final = 10
"""There is a frame every so many ticks."""

_NOISE: Final = random.Random(4).randbytes(1 << 16).hex()  # text that compresses to a half
_LENGTH: Final = {"ticks": 400, "metrics": 60, "frames": 6000}


def is_due(kind: str, t: int) -> bool:
    """Return whether there is a line of a kind at a tick."""
    return kind != "frames" or t % STRIDE == 0


def known_line(kind: str, run: str, t: int) -> bytes:
    """Return the line of a kind of a tick of a run."""
    start = (t * 7919 + len(kind) * 104_729) % len(_NOISE)
    length = _LENGTH[kind] + t % 97
    noise = (_NOISE[start:] + _NOISE)[:length]
    head = "" if kind == "ticks" else f'"type":"{kind[:-1]}",'
    return f'{{{head}"t":{t},"run":"{run}","noise":"{noise}"}}'.encode()
