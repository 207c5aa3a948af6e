"""The webhook: bursts and shocks, posted as they happen.

The engine's side leaves an event in a bounded queue and goes on; a task on the event loop posts
what waits, as many events at a time as have come. What cannot be posted is tried again, ever more
rarely and at times of chance, so that many cameras do not come back to a server all at once. What
has waited for too long, or is pushed out of a full queue, is counted and told.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import orjson

from marketcam.server.logs import get_logger
from marketcam.server.operators.events import Event, EventSifter
from marketcam.server.operators.posting import Posted, PostError

if TYPE_CHECKING:
    from marketcam.engine import Frame

__all__ = ["LOSSES", "Webhook", "WebhookOptions", "WebhookStatus"]

Loss: TypeAlias = Literal["full", "late", "refused", "stopped"]

LOSSES: Final[tuple[Loss, ...]] = ("full", "late", "refused", "stopped")
"""Why an event is not posted: the queue was full, it was tried for too long, the server would not
have it, or the camera stopped."""

Post: TypeAlias = Callable[[bytes], Awaitable[Posted]]

_BATCH: Final = 100
"""Events of a request at most: some 15 KB."""

_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 60.0
_FAREWELL_SECONDS: Final = 2.0
"""How long what still waits when the camera stops may take."""

_TRY_AGAIN: Final = frozenset({408, 425, 429})
"""Refusals that are of the moment; so are all from 500 on."""

_CHANCE: Final = SystemRandom()
"""Not the module's own generator: a simulator seeds that one, and counts on its numbers."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """How events are posted.

    Attributes:
        place: what the log calls the other side; nothing secret.
        queue: events that wait at most; beyond that, the oldest go.
        retry_seconds: how long after its first attempt an event is tried again.
    """

    place: str
    queue: int = 1000
    retry_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class WebhookStatus:
    """How the webhook is doing.

    Attributes:
        waiting: events that wait, those in hand included.
        limit: events that may wait.
        posted: events that were taken.
        attempts: requests made.
        failures: requests that failed.
        seconds: time spent in requests.
        lost: events that were not posted, by reason.
        problem: why the last request failed; None when it did not.
    """

    waiting: int
    limit: int
    posted: int
    attempts: int
    failures: int
    seconds: float
    lost: dict[Loss, int]
    problem: str | None


class _Waiting(NamedTuple):
    """An event in the queue, and when it was first tried; None before that."""

    event: Event
    tried_at: float | None = None


class Webhook:
    """Posts the events of one run. Opened and closed once, on the event loop.

    Args:
        options: how.
        run: gives the run's id.
        post: sends a body; raises `PostError` where no answer comes.
        clock: gives seconds.
    """

    def __init__(
        self,
        options: WebhookOptions,
        run: Callable[[], str],
        post: Post,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._run_id = run
        self._post = post
        self._clock = clock
        self._sifter = EventSifter()
        self._lock = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._in_hand: list[_Waiting] = []
        self._lost: dict[Loss, int] = dict.fromkeys(LOSSES, 0)
        self._lost_told = dict(self._lost)
        self._posted = self._attempts = self._failures = self._failed_in_a_row = 0
        self._seconds = 0.0
        self._problem: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._closing = asyncio.Event()

    def open(self) -> None:
        """Begin to post, in a task of the running loop."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="webhook")
        log.info("webhook_on", to=self._options.place)

    async def close(self) -> None:
        """Post what waits, if it goes at once, and stop; what is left over is told."""
        if self._task is None:
            return
        self._closing.set()
        self._news.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._task, _FAREWELL_SECONDS)
        with self._lock:
            self._lost["stopped"] += len(self._in_hand) + len(self._queue)
            self._queue.clear()
            self._in_hand = []
        self._tell_losses()

    def take(self, frame: Frame) -> None:
        """Let the new events of a frame wait. One thread at a time; never waits itself.

        Cost: 0.5 µs for a frame without events, 5 µs for each in its window.
        """
        events = self._sifter.new_events(frame)
        if not events:
            return
        with self._lock:
            self._queue.extend(_Waiting(event) for event in events)
            self._bound()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)

    def status(self) -> WebhookStatus:
        """Return how it is doing; from any thread."""
        with self._lock:
            return WebhookStatus(
                waiting=len(self._queue) + len(self._in_hand),
                limit=self._options.queue,
                posted=self._posted,
                attempts=self._attempts,
                failures=self._failures,
                seconds=self._seconds,
                lost=dict(self._lost),
                problem=self._problem,
            )

    def _bound(self) -> None:
        while len(self._queue) > self._options.queue:
            self._queue.popleft()
            self._lost["full"] += 1

    # What follows runs on the event loop.

    async def _run(self) -> None:
        try:
            await self._work()
        except Exception:
            log.exception("webhook_died")
            with self._lock:
                self._problem = "a fault, which the log has"

    async def _work(self) -> None:
        while await self._has_work():
            self._take_in_hand()
            delay = await self._try()
            self._tell_losses()
            if delay and not await self._rest(delay):
                return

    def _take_in_hand(self) -> None:
        now = self._clock()
        with self._lock:
            while self._queue and len(self._in_hand) < _BATCH:
                event, tried_at = self._queue.popleft()
                self._in_hand.append(_Waiting(event, now if tried_at is None else tried_at))

    async def _has_work(self) -> bool:
        """Wait until something waits; False where nothing more comes."""
        while not self._queue:
            if self._closing.is_set():
                return False
            self._news.clear()
            if not self._queue:  # what came before the clear has set it for nothing
                await self._news.wait()
        return True

    async def _rest(self, seconds: float) -> bool:
        """Wait before the next attempt; False where there is none, since it is to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return True
        return False

    async def _try(self) -> float:
        """Post what is in hand once; return the seconds until the next attempt."""
        began = self._clock()
        answer: Posted | None = None
        problem: str | None = None
        try:
            answer = await self._post(self._body())
        except PostError as error:
            problem = str(error)
        else:
            if not 200 <= answer.status < 300:
                problem = f"status {answer.status}"
        with self._lock:
            self._attempts += 1
            self._seconds += self._clock() - began
            before, self._problem = self._problem, problem
            delay = self._succeed() if problem is None else self._fail(answer)
            self._in_hand = []
        if before is None and problem is not None:
            log.warning("webhook_failing", to=self._options.place, reason=problem)
        elif before is not None and problem is None:
            log.info("webhook_recovered", to=self._options.place)
        return delay

    def _body(self) -> bytes:
        run = self._run_id()
        events = [waiting.event.to_dict(run) for waiting in self._in_hand]
        return orjson.dumps({"type": "events", "run": run, "events": events})

    def _succeed(self) -> float:
        self._posted += len(self._in_hand)
        self._failed_in_a_row = 0
        return 0.0

    def _fail(self, answer: Posted | None) -> float:
        self._failures += 1
        delay = self._next_delay(answer)
        if answer is None or answer.status >= 500 or answer.status in _TRY_AGAIN:
            self._put_back(delay)
        else:
            self._lost["refused"] += len(self._in_hand)
        return delay

    def _next_delay(self, answer: Posted | None) -> float:
        """Return a time of chance up to twice the one before; at least what the server asks."""
        longest = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(self._failed_in_a_row, 10))
        self._failed_in_a_row += 1
        asked = 0.0 if answer is None or answer.retry_after is None else answer.retry_after
        return max(_CHANCE.uniform(longest / 2, longest), min(asked, _LONGEST_DELAY))

    def _put_back(self, delay: float) -> None:
        """Let what was in hand wait again, before all else, unless it would be tried too late."""
        since = self._clock() + delay - self._options.retry_seconds
        again = [each for each in self._in_hand if each.tried_at is None or each.tried_at >= since]
        self._lost["late"] += len(self._in_hand) - len(again)
        self._queue.extendleft(reversed(again))
        self._bound()

    def _tell_losses(self) -> None:
        with self._lock:
            lost = {reason: n - self._lost_told[reason] for reason, n in self._lost.items()}
            self._lost_told = dict(self._lost)
        if any(lost.values()):
            counts = {f"lost_{reason}": count for reason, count in lost.items() if count}
            log.warning("webhook_events_lost", to=self._options.place, **counts)
