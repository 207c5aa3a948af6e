"""Ticks that were published and that the camera has not yet dealt with: bounded, and in order.

Between the simulation's threads, which put ticks in and wait where there is no room, and the
publisher's own, which sends them and hears what became of them. Nothing here knows a socket.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from marketcam.io.publisher_errors import PublishError, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["IngestRun", "Outbox"]


class IngestRun(NamedTuple):
    """The run that takes the ticks, as the camera introduced it.

    Attributes:
        source: the name that the camera knows this producer by.
        run: the run's name in the store, None where nothing is recorded.
        last_t: the last tick it had dealt with when the connection began, or None.
        window: ticks of a frame's window.
        stride: ticks between two frames.
        max_message_bytes: longest message it takes.
    """

    source: str
    run: str | None
    last_t: int | None
    window: int
    stride: int
    max_message_bytes: int


@dataclass(slots=True)
class _Entry:
    """A tick in its binary form.

    Attributes:
        tried: it has been sent before, perhaps in vain.
        refused: the camera said that it does not take it.
    """

    t: int
    data: bytes
    tried: bool = False
    refused: bool = False


class Outbox:
    """Ticks from their publication to their acknowledgement. Safe between threads.

    Args:
        limit: bytes held at most; a single larger tick is held alone.

    Attributes:
        taken: ticks that the camera has taken.
        refused: ticks that it has not, and will not.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: deque[_Entry] = deque()
        self._sent: deque[_Entry] = deque()
        self._held = 0
        self._dealt_with = 0
        self._known_refused = 0
        self._refusals: deque[Refusal] = deque()
        self._run: IngestRun | None = None
        self._failure: PublishError | None = None
        self._over = False
        self._ending = False
        self._wake: Callable[[], object] | None = None
        self.taken = 0
        self.refused = 0

    # The simulation's side.

    def put(self, t: int, data: bytes) -> bool:
        """Hold a tick, once there is room; False, and nothing held, where refusals are to be told.

        Raises:
            PublishError: nothing can be sent any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._fits(len(data)))
            self._raise_failure()
            if self._refusals:
                return False
            self._waiting.append(_Entry(t, data))
            self._held += len(data)
            self._rouse()
            return True

    def wait_until_empty(self, timeout: float | None) -> bool:
        """Wait until all was dealt with, or refusals are to be told; tell whether it came to that.

        Raises:
            PublishError: nothing can be sent any more, and something is left.
        """
        with self._changed:
            done = self._changed.wait_for(lambda: self._stopped or not self._held, timeout)
            if self._held:
                self._raise_failure()
            return done

    def wait_for_run(self, timeout: float | None) -> IngestRun | None:
        """Wait for the first connection; None where it did not come in time.

        Raises:
            PublishError: there will be none.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._run or self._failure or self._over, timeout)
            if self._run is None:
                self._raise_failure()
            return self._run

    def refusals(self) -> list[Refusal]:
        """Return what was refused since this was asked last."""
        with self._changed:
            refusals = list(self._refusals)
            self._refusals.clear()
            return refusals

    def next_refusal(self) -> Refusal | None:
        """Return the oldest that was refused and not yet told, once; None where there is none."""
        with self._changed:
            return self._refusals.popleft() if self._refusals else None

    def end(self, timeout: float | None) -> bool:
        """Have the camera told that no more ticks come; tell whether that was done in time.

        Raises:
            PublishError: the camera cannot be told.
        """
        with self._changed:
            self._ending = True
            self._rouse()
            done = self._changed.wait_for(lambda: self._failure or self._over, timeout)
            if self._failure is not None:
                raise self._failure
            return bool(done)

    @property
    def pending(self) -> int:
        """Ticks not yet dealt with."""
        with self._changed:
            return len(self._waiting) + len(self._sent)

    @property
    def run(self) -> IngestRun | None:
        """The run of the last connection."""
        with self._changed:
            return self._run

    # The side of the connection.

    @property
    def is_ending(self) -> bool:
        """Whether the camera is to be told that no more ticks come: all have been dealt with."""
        with self._changed:
            return self._ending and not self._held

    @property
    def is_empty(self) -> bool:
        """Whether all has been dealt with."""
        with self._changed:
            return not self._held

    def on_news(self, wake: Callable[[], object] | None) -> None:
        """Have `wake` called, once and from any thread, when there is something to send."""
        with self._changed:
            self._wake = wake
            if self._waiting or (self._ending and not self._held):
                self._rouse()

    def begin(self, run: IngestRun) -> None:
        """Begin a connection: what the run has is done with, the rest is to be sent from the first.

        Only ticks that had been sent to this very run can be those it has; one that had not, and is
        not beyond `run.last_t`, is sent, so that its refusal tells of it.
        """
        with self._changed:
            is_another = self._run is not None and self._run.run != run.run
            self._run = run
            self._dealt_with = 0
            self._known_refused = 0
            entries = (*self._sent, *self._waiting)
            self._sent.clear()
            self._waiting.clear()
            for entry in entries:
                entry.tried = entry.tried and not is_another
                if _is_done_with(entry, run.last_t):
                    self._let_go(entry)
                else:
                    self._waiting.append(entry)
            self._changed.notify_all()

    def take(self, most: int) -> bytes:
        """Return what to send next, ticks joined up to `most` bytes; b"" where all has been sent.

        A tick that the run would not take for its size is refused here.
        """
        with self._changed:
            longest = self._run.max_message_bytes if self._run else most
            taken: list[bytes] = []
            size = 0
            while self._waiting:
                entry = self._waiting[0]
                if len(entry.data) > longest:
                    self._refuse(entry, _too_long(entry, longest))
                    self._let_go(self._waiting.popleft())
                    self._changed.notify_all()
                    continue
                if taken and size + len(entry.data) > min(most, longest):
                    break
                self._waiting.popleft()
                entry.tried = True
                self._sent.append(entry)
                taken.append(entry.data)
                size += len(entry.data)
            return taken[0] if len(taken) == 1 else b"".join(taken)

    def acknowledge(self, count: int, refused: int = 0) -> bool:
        """Let go of the first `count` ticks of this connection; tell whether some were new.

        Args:
            count: how many of the ticks sent have been dealt with.
            refused: how many of these were refused. The camera may have told of fewer, where they
                were too many at once; then it is not known which.

        Raises:
            PublishError: the camera acknowledges what it was not sent.
        """
        with self._changed:
            sent = self._dealt_with + len(self._sent)
            if not self._dealt_with <= count <= sent:
                raise PublishError(
                    f"the camera acknowledged {count} ticks, after {self._dealt_with}, of {sent}"
                )
            progress = count > self._dealt_with
            for _ in range(count - self._dealt_with):
                entry = self._sent.popleft()
                self._known_refused += entry.refused
                self._let_go(entry)
            self._note_untold(refused - self._known_refused, count)
            self._dealt_with = count
            if progress:
                self._changed.notify_all()
            if self._ending and not self._held:
                self._rouse()
            return progress

    def refuse(self, number: int, error: str) -> None:
        """Note that the camera refused a tick of this connection; its acknowledgement follows.

        Args:
            number: which of the ticks sent, counted from 1.
            error: what it said.

        Raises:
            PublishError: the camera was not sent such a tick, or has already acknowledged it.
        """
        with self._changed:
            sent = self._dealt_with + len(self._sent)
            if not self._dealt_with < number <= sent:
                raise PublishError(
                    f"the camera refused tick {number} of {sent}, after {self._dealt_with}: {error}"
                )
            entry = self._sent[number - self._dealt_with - 1]
            if not entry.refused:
                self._refuse(entry, error)
                self._changed.notify_all()

    def stop(self, failure: PublishError | None = None) -> None:
        """Let nobody wait any longer: the connection is over, by a failure or as it should be."""
        with self._changed:
            self._over = True
            if self._failure is None:
                self._failure = failure
            self._changed.notify_all()

    @property
    def _stopped(self) -> bool:
        return self._failure is not None or self._over or bool(self._refusals)

    def _fits(self, size: int) -> bool:
        return not self._held or self._held + size <= self._limit

    def _let_go(self, entry: _Entry) -> None:
        self._held -= len(entry.data)
        self.taken += not entry.refused

    def _refuse(self, entry: _Entry, error: str) -> None:
        entry.refused = True
        self.refused += 1
        self._refusals.append(Refusal(entry.t, error))

    def _note_untold(self, untold: int, count: int) -> None:
        if untold > 0:
            self._known_refused += untold
            self.refused += untold
            self.taken -= untold
            problem = f"{untold} of the {count} ticks sent were refused, and not told apart"
            self._refusals.append(Refusal(None, problem))

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._over:
            raise PublishError("the publisher is closed")


def _is_done_with(entry: _Entry, last_t: int | None) -> bool:
    return entry.refused or (entry.tried and last_t is not None and entry.t <= last_t)


def _too_long(entry: _Entry, longest: int) -> str:
    return f"tick {entry.t}: must be at most {longest} bytes in its message, got {len(entry.data)}"
