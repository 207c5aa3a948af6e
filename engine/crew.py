"""A crew of threads that shares out work which leaves the GIL.

Plain threads and kernels without the GIL: numba's own parallel loops need a threading layer, some
of which crash when two threads of a process use them at once, as two cameras may.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Crew", "at_most", "processors"]

_MOST: Final[ContextVar[int | None]] = ContextVar("most_threads", default=None)


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Have crews that are made within the block, in this thread, take so many threads at most.

    For processes that share a machine with others of their kind: together they would otherwise
    have a thread for each processor each. What a crew computes does not depend on its size.
    """
    before = _MOST.set(threads)
    try:
        yield
    finally:
        _MOST.reset(before)


class Crew:
    """Up to `size` threads, the caller being one of them; the others start when first needed.

    Args:
        size: threads, from 1; as many as there are processors for this process if not given, or
            as `at_most` allows.

    A crew may be used by several threads at once. A process forked from its own gets threads of its
    own.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = _usual_size() if size is None else size
        self._lock = threading.Lock()
        self._hands: ThreadPoolExecutor | None = None
        self._process = 0

    def share(self, work: Callable[[int], None], pieces: int) -> None:
        """Call ``work(piece)`` once for every piece from 0, each in one of the threads.

        Pieces are taken one by one in ascending order: put large ones first. Returns when all are
        done. The first exception stops further pieces from being taken and is raised here.
        """
        turns = count()
        failed = False

        def take_turns() -> None:
            nonlocal failed
            while not failed and (piece := next(turns)) < pieces:
                try:
                    work(piece)
                except BaseException:
                    failed = True
                    raise

        helpers = min(self.size, pieces) - 1
        futures = [self._pool().submit(take_turns) for _ in range(helpers)]
        try:
            take_turns()
        finally:
            # Who has not begun need not; the others are waited for, so that nothing of `work` runs
            # on after this call.
            errors = [future.exception() for future in futures if not future.cancel()]
        for error in errors:
            if error is not None:
                raise error

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._hands is None or self._process != os.getpid():
                self._hands = ThreadPoolExecutor(max(1, self.size - 1), "crew")
                self._process = os.getpid()
            return self._hands


def _usual_size() -> int:
    most = _MOST.get()
    return processors() if most is None else min(processors(), most)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
