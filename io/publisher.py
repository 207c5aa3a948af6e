"""Publish a simulation's raw ticks to a camera, from any Python program on any machine."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from marketcam.engine import Tick, TickError
from marketcam.engine.checks import are_ready, as_columns, check_columns
from marketcam.engine.tick import MarketState, finite_number, tick_number
from marketcam.io.publisher_address import IngestAddress
from marketcam.io.publisher_errors import PublishError, Refusal, TickRefusedError
from marketcam.io.publisher_link import Link, Patience
from marketcam.io.publisher_outbox import Outbox
from marketcam.io.tick_binary import encode_tick_binary

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from numpy.typing import ArrayLike

    from marketcam.io.publisher_outbox import IngestRun

__all__ = ["TickPublisher"]

_BUFFER_BYTES: Final = 64 * 2**20
_RETRY_SECONDS: Final = 60.0
_NO_IDS: Final = np.empty(0, dtype=np.int64)
_LAST_WORDS_SECONDS: Final = 5.0
"""How long a failing program waits for what it had published."""


class TickPublisher:
    """Sends raw ticks to the ``/ws/ingest`` of a camera, and keeps each until it is dealt with.

    ::

        with TickPublisher("http://127.0.0.1:8000", token, source="my-market") as publisher:
            for _ in range(100_000):
                market.step()
                publisher.publish(market.raw_tick())

    Ticks are checked where they are published, leave in a thread of the publisher's own, and are
    held until the camera acknowledges them, at most `buffer_bytes` of them: then `publish` waits,
    so that a simulation is slowed and never loses a tick. A broken connection is made again and
    goes on where the camera stands, without a hole or a double. A camera that was started anew
    goes on with the first tick the old one had not acknowledged, in a new run.

    A tick that is not well formed raises `TickError` from `publish` itself. One that only the
    camera can refuse (its `t` does not increase, it has more agents than fit) is told at the next
    call: by `TickRefusedError`, or to `on_refused`. Either way it is a hole in the run, and the
    publisher goes on.

    Any thread of the process may call any method. Ticks of several threads are sent in the order in
    which they were published.

    Args:
        url: the camera's address, ``http://…``, ``https://…``, ``ws://…`` or ``wss://…``.
        token: the camera's `IG_INGEST_TOKEN`, or ``@FILE`` that holds it; None: this process's
            own variable of that name.
        source: the name of the simulation. A run belongs to one source.
        on_refused: told of each tick that was refused, in the thread that calls next; a list's
            ``append`` will do. None: `TickError` and `TickRefusedError` are raised.
        buffer_bytes: what is held at most.
        retry_seconds: for how long a camera is tried that cannot be reached, or takes nothing.
        tls: how to check the server; None: against the system's authorities.

    Raises:
        PublishError: an argument is out of its range. That the camera cannot be reached, or does
            not accept the token, is told by the first method that has to wait for it.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        source: str = "python",
        on_refused: Callable[[Refusal], object] | None = None,
        buffer_bytes: int = _BUFFER_BYTES,
        retry_seconds: float = _RETRY_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if buffer_bytes < 1:
            raise PublishError(f"buffer_bytes must be at least 1, got {buffer_bytes}")
        if not retry_seconds >= 0:
            raise PublishError(f"retry_seconds must be at least 0, got {retry_seconds}")
        self._address = IngestAddress.of(url, token, source, tls)
        self._on_refused = on_refused
        self._outbox = Outbox(buffer_bytes)
        self._refused_here = 0
        self._process = os.getpid()
        self._thread = _LinkThread(Link(self._address, self._outbox, Patience(retry_seconds)))

    def publish(self, raw: Mapping[str, Any]) -> None:
        """Publish a raw tick in the dict form.

        Waits while the buffer is full. After a `TickRefusedError`, which is of earlier ticks, this
        tick has not been published.

        Raises:
            TickError: it is not well formed (unless `on_refused` is told).
            TickRefusedError: the camera refused an earlier one (unless `on_refused` is told).
            PublishError: the camera cannot be reached, or does not want this publisher.

        Cost: some 2 µs an agent; `publish_arrays` costs a hundredth.
        """
        self._publish(partial(Tick.from_dict, raw))

    def publish_arrays(  # noqa: PLR0913, PLR0917 - the array form of a tick
        self,
        t: int,
        mid: float | None,
        agent_id: ArrayLike,
        experience: ArrayLike,
        side: ArrayLike,
        price: ArrayLike,
        matches: ArrayLike,
        s: MarketState | Mapping[str, float] | None = None,
    ) -> None:
        """Publish a raw tick in the array form; the arrays may be used again afterwards.

        Args:
            t: tick number.
            mid: the mid price, or None.
            agent_id: int64[N], each agent once.
            experience: float64[N], NaN where unknown.
            side: int8[N], 0 none, 1 buy, 2 sell.
            price: float64[N], finite for buys and sells, ignored elsewhere.
            matches: int64[M, 2], pairs of agent ids, the second -1 for the pool.
            s: the market's state; without it the tick makes no metric.

        Raises:
            TickError, TickRefusedError, PublishError: as `publish`.
        """
        columns = (agent_id, experience, side, price, matches)
        self._publish(partial(_tick_of, t, mid, columns, s))

    def wait_for_run(self, timeout: float | None = None) -> IngestRun:
        """Wait for the first connection and return the run that takes the ticks.

        A simulation that can be taken up anywhere goes on after its `last_t`.

        Args:
            timeout: seconds; None: as long as `retry_seconds` allows.

        Raises:
            PublishError: there is no connection, or none in time.
        """
        self._check_process()
        run = self._outbox.wait_for_run(timeout)
        if run is None:
            raise PublishError(f"{self._address.uri}: no connection within {timeout:g} s")
        return run

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the camera has dealt with all that was published.

        Args:
            timeout: seconds; None: as long as it takes.

        Raises:
            TickRefusedError: it refused some (unless `on_refused` is told).
            PublishError: it cannot be reached, or has not dealt with all in time.
        """
        self._check_process()
        self._flush(timeout, self._tell_refusals)

    def close(self, *, end: bool = True, timeout: float | None = None) -> None:
        """Flush, tell the camera that the source has ended, and let go of the connection.

        More than once is fine; afterwards nothing can be published. In a process that was forked
        off it does nothing: the connection is the parent's.

        Args:
            end: whether no more ticks will come. Without it, the run waits for its source.
            timeout: seconds for each of the two; None: as long as it takes.

        Raises:
            TickRefusedError: as `flush`; it is closed all the same.
            PublishError: not all was dealt with, or the camera could not be told of the end.
        """
        if self._thread.is_over or os.getpid() != self._process:
            return
        try:
            self._flush_and_end(end=end, timeout=timeout)
        finally:
            self._thread.stop()
            self._outbox.stop()

    @property
    def taken(self) -> int:
        """Ticks that the camera has taken."""
        return self._outbox.taken

    @property
    def refused(self) -> int:
        """Ticks that were refused, here or by the camera."""
        return self._outbox.refused + self._refused_here

    @property
    def pending(self) -> int:
        """Ticks that were published and not yet dealt with."""
        return self._outbox.pending

    @property
    def run(self) -> IngestRun | None:
        """The run of the last connection, None before the first."""
        return self._outbox.run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; where the block failed, without an end, and without a wait for very long."""
        if error is None:
            self.close()
        else:
            with suppress(PublishError):
                self.close(end=False, timeout=_LAST_WORDS_SECONDS)

    def _publish(self, read: Callable[[], Tick]) -> None:
        self._check_process()
        try:
            tick = read()
            data = encode_tick_binary(tick)
        except TickError as error:
            self._refuse_here(error)
            return
        while not self._outbox.put(tick.t, data):
            self._tell_refusals()

    def _flush_and_end(self, *, end: bool, timeout: float | None) -> None:
        refused: list[Refusal] = []

        def keep_refusals() -> None:
            """Keep for later what would be raised, so that the rest is waited for all the same."""
            if self._on_refused is None:
                refused.extend(self._outbox.refusals())
            else:
                self._tell_refusals()

        self._flush(timeout, keep_refusals)
        if end and not self._outbox.end(timeout):
            raise PublishError(f"{self._address.uri}: not told of the end within {timeout:g} s")
        if refused:
            raise TickRefusedError(refused)

    def _flush(self, timeout: float | None, tell_refusals: Callable[[], None]) -> None:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            empty = self._outbox.is_empty
            tell_refusals()
            if empty:
                return
            left = None if until is None else max(until - time.monotonic(), 0.0)
            if not self._outbox.wait_until_empty(left):
                raise PublishError(
                    f"{self._address.uri}: {self.pending} ticks were not dealt with"
                    f" within {timeout:g} s"
                )

    def _refuse_here(self, error: TickError) -> None:
        self._refused_here += 1
        if self._on_refused is None:
            raise error
        t = error.t if type(error.t) is int else None
        self._on_refused(Refusal(t, str(error)))

    def _tell_refusals(self) -> None:
        if self._on_refused is None:
            if refusals := self._outbox.refusals():
                raise TickRefusedError(refusals)
            return
        # One at a time: where the callback fails, the next call tells the others.
        while (refusal := self._outbox.next_refusal()) is not None:
            self._on_refused(refusal)

    def _check_process(self) -> None:
        """Raise in a process that was forked off: what sends is in its parent only."""
        if os.getpid() != self._process:
            raise PublishError("a publisher cannot be used in a process that was forked off later")


class _LinkThread:
    """The thread of a link and its event loop."""

    def __init__(self, link: Link) -> None:
        self.is_over = False
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(link.run())
        # A program that forgets to close is not kept from ending.
        self._thread = threading.Thread(target=self._run, name="tick-publisher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the link where it stands, and wait for that; more than once is fine."""
        self.is_over = True
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._finish())

    async def _finish(self) -> None:
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()


def _tick_of(
    t: int,
    mid: float | None,
    columns: tuple[ArrayLike, ...],
    state: MarketState | Mapping[str, float] | None,
) -> Tick:
    """Return a tick of the array form, checked as `SlidingWindowCamera.ingest_arrays` does."""
    t = tick_number(t)
    ready = columns if are_ready(columns) else as_columns(t, columns)
    check_columns(t, ready, _NO_IDS)
    mid = None if mid is None else finite_number(mid, "mid", t=t)
    return Tick(t, mid, *ready, _state_of(state, t))


def _state_of(state: MarketState | Mapping[str, float] | None, t: int) -> MarketState | None:
    """Return a market's state, checked."""
    if state is None:
        return None
    given = state._asdict() if isinstance(state, MarketState) else state
    fields = MarketState._fields
    return MarketState(*(finite_number(given.get(f), f"s.{f}", t=t) for f in fields))
