"""The workers of a Dask scheduler. Needs the extra `cluster`; who imports this has made sure."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import distributed
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from marketcam.server.cluster.calling import Answer, Call, called_aside
from marketcam.server.cluster.errors import ClusterError, NoWorkerError, PieceError
from marketcam.server.cluster.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

__all__ = ["PIECES_A_WORKER", "DaskCluster"]

P = TypeVar("P")
R = TypeVar("R")

PIECES_A_WORKER: Final = 2
"""Pieces under way for each thread of a worker: one in hand, and one that is there when it ends."""

_LOOK_SECONDS: Final = 0.2
_GATHER_SECONDS: Final = 30.0
"""How long it may take to fetch a result that is there: then its worker may have been lost, and it
is looked for anew."""
_GATHER_TRIES: Final = 4
"""After so many of these, the piece is given up."""
_COUNT_SECONDS: Final = 1.0
"""From one count of the workers to the next."""


class DaskCluster:
    """Spreads pieces over the workers that a client's scheduler has.

    A worker that dies costs what it had in hand, and results that were not fetched yet: these
    pieces are done again by others. A piece is given up when it has outlived more workers than the
    scheduler allows (``distributed.scheduler.allowed-failures``).

    Args:
        client: of the scheduler.
        address: what messages call the scheduler.
        threads: that a piece may take for work on many agents.
        patience: how long there may be no worker, in seconds.
    """

    def __init__(
        self, client: distributed.Client, address: str, threads: int, patience: float
    ) -> None:
        self._client = client
        self._address = address
        self._threads = threads
        self._patience = patience
        self._stopped = threading.Event()
        self._slots = 1
        self._counted_at = -_COUNT_SECONDS
        self._absent_since: float | None = None

    def spread(
        self, function: Callable[[P], R], pieces: Iterable[P], *, in_order: bool = True
    ) -> Generator[tuple[P, R]]:
        """See `Cluster`."""
        call = Call(function, self._threads, versions())
        under_way: dict[Any, P] = {}  # futures, in the order of the pieces
        remaining = iter(pieces)
        try:
            while not self._stopped.is_set():
                waits = not self._hands_out(call, remaining, under_way)
                if not under_way:
                    return
                # A source may be slow: what is done meanwhile does not wait until all have theirs.
                found = self._next(list(under_way), in_order=in_order, waits=waits)
                if found is not None:
                    future, answer = found
                    piece = under_way.pop(future)
                    yield piece, self._value(answer, piece)
        finally:
            self._client.cancel(list(under_way), force=True)

    def everywhere(self, function: Callable[[], R]) -> dict[str, R]:
        """See `Cluster`."""
        try:
            answers = self._client.run(called_aside, function, on_error="return")
        except OSError as error:
            raise self._lost() from error
        for worker, answer in answers.items():
            if isinstance(answer, BaseException):
                reason = f"{type(answer).__name__}: {answer}"
                raise ClusterError(f"worker {worker} of {self._address}: {reason}") from answer
        return dict(answers)

    def stop(self) -> None:
        """See `Cluster`."""
        self._stopped.set()

    def _hands_out(self, call: Call[P, R], remaining: Iterator[P], under_way: dict[Any, P]) -> bool:
        """Hand out one piece more; return whether there was one, and room for it."""
        if len(under_way) >= max(1, PIECES_A_WORKER * self._count()):
            return False
        for piece in islice(remaining, 1):
            under_way[self._handed_out(call, piece)] = piece
            return True
        return False

    def _count(self) -> int:
        """Return how many pieces the workers do at once, as of about now.

        Raises:
            ClusterError: there is no scheduler.
            NoWorkerError: there has been no worker for too long, from the first time that none was
                counted: who takes results may be slow, and nobody counts meanwhile.
        """
        now = monotonic()
        if now - self._counted_at >= _COUNT_SECONDS:
            try:
                self._slots = sum(self._client.nthreads().values())
            except OSError as error:
                raise self._lost() from error
            self._counted_at = now
            if self._slots:
                self._absent_since = None
            elif self._absent_since is None:
                self._absent_since = now
            elif now - self._absent_since > self._patience:
                raise NoWorkerError(f"{self._address} has had no worker for {self._patience:g} s")
        return self._slots

    def _handed_out(self, call: Call[P, R], piece: P) -> Any:
        try:
            return self._client.submit(call, piece, pure=False, key=f"marketcam-{uuid4().hex}")
        except RuntimeError as error:  # as a client says it that has lost its scheduler
            raise self._lost() from error

    def _next(
        self, futures: list[Any], *, in_order: bool, waits: bool
    ) -> tuple[Any, Answer[Any]] | None:
        """Return the next that is done and its answer; None when stopped, or in place of a wait."""
        awaited = futures[:1] if in_order else futures
        tries = 0
        while not self._stopped.is_set():
            future = next((each for each in awaited if each.done()), None)
            try:
                if future is not None:
                    return future, self._answer(future, is_last=tries + 1 == _GATHER_TRIES)
                if not waits:
                    return None
                with self._client.as_current():
                    distributed.wait(awaited, _LOOK_SECONDS, "FIRST_COMPLETED")
            except TimeoutError:
                tries += future is not None
                self._count()
            except (CancelledError, CommClosedError) as error:
                raise self._lost() from error
        return None

    def _answer(self, future: Any, *, is_last: bool) -> Answer[Any]:
        """Fetch an answer that is there.

        Raises:
            TimeoutError: it has not come, and this was not the last try.
            CancelledError, CommClosedError: the scheduler is lost.
        """
        try:
            answer: Answer[Any] = future.result(_GATHER_SECONDS)
        except KilledWorker as error:
            died = error.allowed_failures + 1
            return Answer(problem=f"given up, workers that had it died {died} times", is_lost=True)
        except TimeoutError:
            if not is_last:
                raise
            waited = _GATHER_TRIES * _GATHER_SECONDS
            return Answer(
                problem=f"given up, what came of it was not to be had in {waited:g} s", is_lost=True
            )
        except (CancelledError, CommClosedError):
            raise
        except Exception as error:  # noqa: BLE001 - such as that of a worker without this package
            return Answer(
                problem=f"a worker could not take it: {type(error).__name__}: {error}", is_lost=True
            )
        return answer

    def _value(self, answer: Answer[Any], piece: object) -> Any:
        if answer.problem is None:
            return answer.value
        failure = PieceError(f"{piece}: {answer.problem}" if answer.is_lost else answer.problem)
        failure.add_note(answer.trace)
        raise failure

    def _lost(self) -> ClusterError:
        return ClusterError(f"the Dask scheduler at {self._address} is lost")
