"""What the stages of the pipeline have in common: the queue between two, and their times."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Literal, NamedTuple, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LARGE_ROWS",
    "QUEUE_ROWS",
    "STAGES",
    "Conveyor",
    "QueueFigures",
    "Stage",
    "StageTime",
    "timed",
]

Stage = Literal["source", "ingest", "frame", "encode", "record"]

STAGES: Final[tuple[Stage, ...]] = ("source", "ingest", "frame", "encode", "record")
"""What a tick passes through, each timed: where it comes from, waiting included; the window; the
frame; the encodings; the recorder's queue."""

LARGE_ROWS: Final = 8192
"""Agents of a tick, or nodes and edges of a frame, from which a stage of its own pays.

Handing something to another thread costs tens of µs, and both threads then want the interpreter
lock: with everything handed over, small ticks pass at a lower rate. What is smaller is done at
once, in the engine's thread. To see it, set this to 1 and compare
``python -m benchmarks.stream_load --agents 1000 --clients 1 --tick-rate 0``."""

QUEUE_ROWS: Final = 2**16
"""Rows that wait between two stages at most: about 8 MB."""

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class StageTime:
    """How often a stage was passed, and for how long in all. One thread at a time writes it."""

    count: int = 0
    seconds: float = 0.0


class QueueFigures(NamedTuple):
    """How a queue between two stages is doing.

    Attributes:
        waiting: what is in it.
        fill: how full that makes it, 0 to 1.
        waits: how often the stage before it had to wait.
    """

    waiting: int = 0
    fill: float = 0.0
    waits: int = 0


def timed(spent: StageTime, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Do some work and add its time to that of its stage, unless it fails."""
    began = time.perf_counter()
    result = work(*args, **kwargs)
    spent.count += 1
    spent.seconds += time.perf_counter() - began
    return result


class Conveyor(Generic[T]):
    """A queue from one thread to one other, in order, bounded by the rows of what is in it.

    When it is full, `put` waits: a stage is never further ahead of the next than this. What is
    larger than the whole queue passes when it is alone.

    Attributes:
        waits: how often `put` had to wait.
    """

    def __init__(self, rows: int = QUEUE_ROWS) -> None:
        self.waits = 0
        self._limit = rows
        self._items: deque[tuple[T, int]] = deque()
        self._rows = 0
        self._in_hand = False  # the taker is at work on what it took last
        self._is_finished = False
        self._is_abandoned = False
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._went = threading.Condition(self._lock)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def figures(self) -> QueueFigures:
        """How it is doing."""
        return QueueFigures(len(self._items), min(1.0, self._rows / self._limit), self.waits)

    @property
    def is_idle(self) -> bool:
        """Whether all that was put has been taken and dealt with."""
        with self._lock:
            return not self._items and not self._in_hand

    def put(self, item: T, rows: int) -> bool:
        """Add something, waiting for room; False, and nothing added, where nobody takes it."""
        with self._lock:
            if self._is_full(rows):
                self.waits += 1
                self._went.wait_for(lambda: self._is_abandoned or not self._is_full(rows))
            if self._is_abandoned:
                return False
            self._items.append((item, rows))
            self._rows += rows
            self._came.notify()
        return True

    def take(self) -> T | None:
        """Return the next thing, waiting for it; None after the last. Says the one before is done.

        For the taker alone.
        """
        with self._lock:
            self._in_hand = False
            self._came.wait_for(lambda: self._items or self._is_finished or self._is_abandoned)
            if not self._items:
                return None
            item, rows = self._items.popleft()
            self._rows -= rows
            self._in_hand = True
            self._went.notify()
        return item

    def finish(self) -> None:
        """Say that nothing more comes; what is there is still taken."""
        with self._lock:
            self._is_finished = True
            self._came.notify()

    def abandon(self) -> None:
        """Say that nothing more is taken, and forget what is there."""
        with self._lock:
            self._is_abandoned = True
            self._items.clear()
            self._rows = 0
            self._in_hand = False
            self._came.notify()
            self._went.notify()

    def _is_full(self, rows: int) -> bool:
        return bool(self._items) and self._rows + rows > self._limit
