"""What is sent in the fan-out benchmarks: messages of a size that say when they were made.

The stamp is that of the monotonic clock, which all processes of a machine share. Ticks and stamps
begin at large numbers, so that every one of them has as many digits as all others.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias

__all__ = ["FIRST_T", "STAMP_BASE", "Kind", "Turn", "as_dict", "as_text"]

Kind: TypeAlias = Literal["metric", "frame"]

FIRST_T: Final = 10**9
STAMP_BASE: Final = 10**18
"""Added to the nanoseconds of a stamp."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one server sends before the next has its turn.

    Attributes:
        first_t: tick of the first message.
        messages: how many, one a tick.
        size: bytes of each.
        together: messages that are ready at the same time.
        seconds: time from one such moment to the next.
        kind: what they say they are.
    """

    first_t: int
    messages: int
    size: int
    together: int = 1
    seconds: float = 0.05
    kind: Kind = "metric"

    @property
    def last_t(self) -> int:
        """Tick of the last message."""
        return self.first_t + self.messages - 1

    @property
    def moments(self) -> range:
        """The ticks at which those that are ready together begin."""
        return range(self.first_t, self.last_t + 1, self.together)


def as_text(turn: Turn, t: int) -> bytes:
    """Return the message of a tick, made now."""
    head = b'{"type":"%s","t":%d,"at":%d,"pad":"' % (turn.kind.encode(), t, _now())
    return head + _padding(turn.size - len(head) - 2) + b'"}'


def as_dict(turn: Turn, t: int) -> dict[str, object]:
    """Return the same, for a server that encodes it itself, to as many bytes."""
    fields: dict[str, object] = {"type": turn.kind, "t": t, "at": _now()}
    head = len('{"type":"","t":,"at":,"pad":"') + sum(len(str(value)) for value in fields.values())
    return fields | {"pad": _padding(turn.size - head - 2).decode()}


def _now() -> int:
    return STAMP_BASE + time.monotonic_ns()


@cache
def _padding(size: int) -> bytes:
    return b"." * size
