"""The bounded queue between those who make lines and the thread that records them."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, NamedTuple, TypeAlias

__all__ = ["LINE_OVERHEAD", "Batch", "LineQueue", "QueueCounts", "QueuedLine"]

LINE_OVERHEAD: Final = 160
"""Memory a queued line takes beside its bytes: the objects around it."""


QueuedLine: TypeAlias = tuple[str, bytes, int]
"""A line on its way to a segment: its kind, its text, its tick number."""


class Batch(NamedTuple):
    """What the taker gets.

    Attributes:
        lines: the next lines, in order; none when the time was up.
        flush_number: the newest `flush` that is done once these lines are recorded.
        asks_flush: whether it is a new one, so that they have to be flushed as well.
        is_last: whether the queue is closed and nothing comes after these lines.
    """

    lines: list[QueuedLine]
    flush_number: int
    asks_flush: bool
    is_last: bool


class QueueCounts(NamedTuple):
    """What is and was in a queue.

    Attributes:
        lines: lines accepted and not yet recorded.
        bytes: the memory they take.
        accepted: lines accepted so far.
        refused: lines refused because the queue was closed.
        waits: how often a `put` had to wait because the queue was full.
    """

    lines: int
    bytes: int
    accepted: int
    refused: int
    waits: int


class LineQueue:
    """Lines in order, from any number of threads to one, which takes many at a time.

    When `limit` bytes are queued, `put` waits until the taker has recorded enough of them: who
    makes lines is slowed down, and no line is lost. A line larger than the limit passes when it
    is alone. Once the queue is closed `put` refuses at once, and whoever waited is let go.

    The taker is woken when `wake_at` bytes are queued, not by each line: a wake-up costs more
    than recording a short line. Until then lines wait for its next round.
    """

    def __init__(self, limit: int, wake_at: int) -> None:
        self._limit = limit
        self._wake_at = min(wake_at, limit)
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # the taker waits for it
        self._progress = threading.Condition(self._lock)  # everybody else does
        self._lines: deque[QueuedLine] = deque()
        self._bytes = 0
        self._in_hand: list[QueuedLine] = []
        self._in_hand_bytes = 0
        self._accepted = 0
        self._refused = 0
        self._waits = 0
        self._flushes_asked = 0
        self._flushes_done = 0
        self._nudged = False
        self._is_closed = False
        self._is_ended = False

    def put(self, item: QueuedLine, *, nudge: bool = False) -> bool:
        """Add a line, waiting while the queue is full; False where it is closed.

        `nudge` wakes the taker for this line. Cost: 0.5 µs.
        """
        size = len(item[1]) + LINE_OVERHEAD
        with self._lock:
            if not self._is_closed and self._is_full(size):
                self._waits += 1
                self._wake_taker()
                self._progress.wait_for(lambda: self._is_closed or not self._is_full(size))
            if self._is_closed:
                self._refused += 1
                return False
            self._lines.append(item)
            self._bytes += size
            self._accepted += 1
            if nudge or self._bytes >= self._wake_at:
                self._wake_taker()
        return True

    def flush(self) -> None:
        """Wait until the taker has recorded and flushed all that was put before, or has ended."""
        with self._lock:
            self._flushes_asked += 1
            number = self._flushes_asked
            self._wake_taker()
            self._progress.wait_for(lambda: self._is_ended or self._flushes_done >= number)

    def close(self) -> None:
        """Refuse further lines; those in the queue are still for the taker."""
        with self._lock:
            self._is_closed = True
            self._wake_taker()
            self._progress.notify_all()

    def counts(self) -> QueueCounts:
        """Return what is and was in the queue."""
        with self._lock:
            lines = len(self._lines) + len(self._in_hand)
            return QueueCounts(lines, self._bytes, self._accepted, self._refused, self._waits)

    def take(self, most_bytes: int, timeout: float) -> Batch:
        """Return the next lines, up to `most_bytes`, but one at least; none after `timeout`.

        For the taker alone. They count as queued until it calls `recorded`.
        """
        with self._lock:
            self._work.wait_for(lambda: self._nudged, timeout)
            taken = self._in_hand = self._pop(most_bytes)
            self._nudged = bool(self._lines)  # there is more: do not wait next time
            is_empty = not self._lines
            number = self._flushes_asked if is_empty else self._flushes_done
            return Batch(taken, number, number > self._flushes_done, self._is_closed and is_empty)

    def recorded(self, batch: Batch) -> None:
        """Tell that a batch is recorded, and flushed where its `flush_number` is new."""
        with self._lock:
            self._in_hand = []
            self._bytes -= self._in_hand_bytes
            self._in_hand_bytes = 0
            self._flushes_done = batch.flush_number
            self._progress.notify_all()

    def throw_away(self) -> None:
        """Close, and drop what is queued: nothing more will be recorded."""
        with self._lock:
            self._drop_all()

    def end(self) -> None:
        """Tell that the taker is gone: throw everything away, and let everybody go."""
        with self._lock:
            self._drop_all()
            self._is_ended = True

    def _drop_all(self) -> None:
        self._lines.clear()
        self._in_hand = []
        self._bytes = self._in_hand_bytes = 0
        self._is_closed = True
        self._progress.notify_all()

    def _pop(self, most_bytes: int) -> list[QueuedLine]:
        if self._bytes <= most_bytes:  # the usual case: all of it
            popped = list(self._lines)
            self._lines.clear()
            self._in_hand_bytes = self._bytes
            return popped
        popped = []
        size = 0
        while self._lines:
            next_size = len(self._lines[0][1]) + LINE_OVERHEAD
            if popped and size + next_size > most_bytes:
                break
            popped.append(self._lines.popleft())
            size += next_size
        self._in_hand_bytes = size
        return popped

    def _is_full(self, size: int) -> bool:
        return self._bytes > 0 and self._bytes + size > self._limit

    def _wake_taker(self) -> None:
        self._nudged = True
        self._work.notify()
