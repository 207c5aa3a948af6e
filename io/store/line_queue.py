"""The bounded queue between those who make lines and the thread that records them."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from marketcam.io.store.holes import Lost

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LINE_OVERHEAD", "Batch", "LineQueue", "QueueCounts", "QueuedLine"]

LINE_OVERHEAD: Final = 160
"""Memory a queued line takes beside its bytes: the objects around it."""


QueuedLine: TypeAlias = tuple[str, bytes, int]
"""A line on its way to a segment: its kind, its text, its tick number."""


class Batch(NamedTuple):
    """What the taker gets.

    Attributes:
        lines: the next lines, in order, and in their places what was lost between them; none when
            the time was up.
        flush_number: the newest `flush` that is done once these lines are recorded.
        asks_flush: whether it is a new one, so that they have to be flushed as well.
        is_last: whether the queue is closed and nothing comes after these lines.
    """

    lines: list[QueuedLine | Lost]
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
        waits: how often a `put` had to wait because the queue was full, or would have had to.
        lost: lines that were not accepted, or accepted and thrown away.
    """

    lines: int
    bytes: int
    accepted: int
    refused: int
    waits: int
    lost: int


class LineQueue:
    """Lines in order, from any number of threads to one, which takes many at a time.

    What happens when `limit` bytes are queued is said when it is made. ``"wait"``: `put` waits
    until the taker has recorded enough of them, so that who makes lines is slowed down and no line
    is lost; only a taker that gets nothing done for `stall_seconds` is not waited for any longer.
    ``"skip"``: `put` never waits. In both cases what cannot be taken is lost from then on, until
    three quarters of the queue are recorded; the taker finds what was lost in its place.

    The taker can have lines lost as well (`stop`), until it can record again (`resume`). A line
    larger than the limit passes when it is alone. Once the queue is closed `put` refuses at once,
    and whoever waited is let go.

    The taker is woken when `wake_at` bytes are queued, not by each line: a wake-up costs more
    than recording a short line. Until then lines wait for its next round.

    Args:
        limit: memory that lines may take.
        wake_at: memory at which the taker is woken.
        when_full: see above.
        stall_seconds: see above.
        on_slow: is told, from the thread that puts, why lines are lost from now on because the
            queue is full; None, from that or the taker's, when that has ended.
    """

    def __init__(
        self,
        limit: int,
        wake_at: int,
        *,
        when_full: Literal["skip", "wait"] = "wait",
        stall_seconds: float | None = None,
        on_slow: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._limit = limit
        self._wake_at = min(wake_at, limit)
        self._patience = 0.0 if when_full == "skip" else stall_seconds
        self._on_slow = on_slow
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # the taker waits for it
        self._progress = threading.Condition(self._lock)  # everybody else does
        self._lines: deque[QueuedLine | Lost] = deque()
        self._bytes = 0
        self._in_hand: list[QueuedLine | Lost] = []
        self._in_hand_bytes = 0
        self._accepted = 0
        self._refused = 0
        self._waits = 0
        self._lost_lines = 0
        self._lost: dict[str, Lost] = {}  # since the queue takes nothing
        self._slow: str | None = None  # why it takes nothing, where that is for it to end
        self._is_stopped = False  # the taker takes nothing
        self._rounds = 0  # batches recorded
        self._flushes_asked = 0
        self._flushes_done = 0
        self._nudged = False
        self._is_closed = False
        self._is_ended = False

    @property
    def slow(self) -> str | None:
        """Why lines are lost because the queue is, or was, full; None where they are not."""
        return self._slow

    def put(self, item: QueuedLine, *, nudge: bool = False) -> bool:
        """Add a line, waiting while the queue is full as it may; False where it is not taken.

        `nudge` wakes the taker for this line. Cost: 0.5 µs.
        """
        with self._lock:
            before = self._slow
            is_taken = self._take_in(item, nudge)
            after = self._slow
        if before != after:
            self._on_slow(after)
        return is_taken

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
            if not self._is_stopped:
                self._put_lost()
            self._wake_taker()
            self._progress.notify_all()

    def counts(self) -> QueueCounts:
        """Return what is and was in the queue."""
        with self._lock:
            lines = len(self._lines) + len(self._in_hand)
            return QueueCounts(
                lines, self._bytes, self._accepted, self._refused, self._waits, self._lost_lines
            )

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
            self._rounds += 1
            is_slow = self._slow is not None
            self._end_slow()  # no line may follow that would
            has_ended = is_slow and self._slow is None
            self._progress.notify_all()
        if has_ended:
            self._on_slow(None)

    def stop(self) -> None:
        """Have every line be lost, those that are queued included, until `resume`.

        For the taker alone; what it has in hand is its own to count.
        """
        with self._lock:
            self._is_stopped = True
            self._lose_queued()
            self._progress.notify_all()

    def resume(self) -> list[Lost]:
        """Take lines again; return what was lost since `stop`, by kind. For the taker alone."""
        with self._lock:
            self._is_stopped = False
            self._slow = None
            lost = list(self._lost.values())
            self._lost.clear()
            return lost

    def end(self) -> None:
        """Tell that the taker is gone: throw everything away, and let everybody go."""
        with self._lock:
            self._is_closed = True
            self._is_ended = True
            self._lose_queued()
            self._in_hand = []
            self._bytes = self._in_hand_bytes = 0
            self._progress.notify_all()

    def _take_in(self, item: QueuedLine, nudge: bool) -> bool:
        size = len(item[1]) + LINE_OVERHEAD
        self._end_slow()
        if self._takes and self._is_full(size):
            self._waits += 1
            self._wake_taker()
            self._wait_for_room(size)
        if self._is_closed:
            self._refused += 1
            return False
        if not self._takes:
            kind, _, t = item
            self._lose(Lost(kind, 1, t, t, "" if self._is_stopped else self._slow or ""))
            return False
        self._lines.append(item)
        self._bytes += size
        self._accepted += 1
        if nudge or self._bytes >= self._wake_at:
            self._wake_taker()
        return True

    @property
    def _takes(self) -> bool:
        return self._slow is None and not self._is_stopped and not self._is_closed

    def _wait_for_room(self, size: int) -> None:
        def may_go_on() -> bool:
            return not self._takes or not self._is_full(size)

        if self._patience == 0:
            self._slow = f"the disk is slower than the lines: {self._bytes} bytes waited"
            return
        while not may_go_on():
            rounds = self._rounds
            self._progress.wait(self._patience)
            if self._rounds == rounds and not may_go_on() and self._patience is not None:
                self._slow = f"the disk has taken nothing for {self._patience:g} seconds"

    def _end_slow(self) -> None:
        if self._slow is not None and not self._is_stopped and self._bytes <= self._limit // 4:
            self._put_lost()
            self._wake_taker()

    def _put_lost(self) -> None:
        """Put what was lost where it was lost: behind what was taken before, before what comes."""
        self._lines.extend(self._lost.values())
        self._lost.clear()
        self._slow = None

    def _lose(self, lost: Lost) -> None:
        before = self._lost.get(lost.kind)
        self._lost[lost.kind] = lost if before is None else before.with_another(lost)
        self._lost_lines += lost.lines

    def _lose_queued(self) -> None:
        since, self._lost = self._lost, {}
        for item in (*self._lines, *since.values()):
            if isinstance(item, Lost):
                self._lost_lines -= item.lines  # they are counted already
                self._lose(item)
            else:
                self._lose(Lost(item[0], 1, item[2], item[2]))
        self._lines.clear()
        self._bytes = self._in_hand_bytes

    def _pop(self, most_bytes: int) -> list[QueuedLine | Lost]:
        if self._bytes <= most_bytes:  # the usual case: all of it
            popped = list(self._lines)
            self._lines.clear()
            self._in_hand_bytes = self._bytes
            return popped
        popped = []
        size = 0
        while self._lines:
            next_size = _size(self._lines[0])
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


def _size(item: QueuedLine | Lost) -> int:
    return 0 if isinstance(item, Lost) else len(item[1]) + LINE_OVERHEAD
