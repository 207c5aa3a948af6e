"""An iterator that works in threads, read from the event loop, a bounded piece at a time.

A piece is made by a thread and handed over whole; between two pieces there is no thread, so that
a client which is waited for costs none. Whoever stops reading closes the iterator, and what it
has open, before the next line.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from anyio import CapacityLimiter

__all__ = ["PIECE_BYTES", "PIECE_SECONDS", "Piece", "Pieces"]

PIECE_BYTES: Final = 256 * 1024
"""A piece that has grown to this ends. A single item may be larger."""

PIECE_SECONDS: Final = 0.02
"""A piece ends after this time, however small it is; one step of the iterator is finished."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Piece(Generic[Item]):
    """The next items of an iterator.

    Attributes:
        items: in order; perhaps none, where making the next one takes longer than a piece may.
        is_full: whether it was ended by its size, so that more is likely to come at once.
        is_last: whether nothing follows.
        error: what ended the iterator after these items, None where nothing went wrong.
    """

    items: tuple[Item, ...]
    is_full: bool = False
    is_last: bool = False
    error: Exception | None = None


class Pieces(Generic[Item]):
    """Reads an iterator in pieces. An asynchronous context manager, which closes it.

    Args:
        make: makes the iterator, in a thread, when the first piece is asked for. It yields items
            with their sizes, or None after a step of work that gave no item.
        limiter: bounds the threads.
    """

    def __init__(
        self, make: Callable[[], Iterator[tuple[Item, int] | None]], limiter: CapacityLimiter
    ) -> None:
        self._make = make
        self._limiter = limiter
        self._steps: Iterator[tuple[Item, int] | None] | None = None
        self._has_begun = False
        self._is_closed = False
        self._using = threading.Lock()
        self._ending: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def next(self) -> Piece[Item]:
        """Return the next piece; the very first ends with its first item, which may be urgent."""
        return await to_thread.run_sync(self._take, limiter=self._limiter)

    async def close(self) -> None:
        """Close the iterator, once the step that it may be at is done. Again does nothing.

        It is closed also where whoever waits here is cancelled: its files would stay open until
        the garbage collector finds it.
        """
        self._is_closed = True  # a thread that a cancelled reader has left behind sees it
        if self._steps is not None or self._using.locked():
            self._ending = asyncio.ensure_future(
                to_thread.run_sync(self._end, limiter=self._limiter)
            )
            await asyncio.shield(self._ending)

    def _take(self) -> Piece[Item]:
        with self._using:
            try:
                return self._fill()
            finally:
                if self._is_closed:
                    self._close_steps()

    def _fill(self) -> Piece[Item]:
        items: list[Item] = []
        size = 0
        until = time.perf_counter() + PIECE_SECONDS
        try:
            if self._steps is None:
                self._steps = self._make()
            for step in self._steps:
                if step is not None:
                    items.append(step[0])
                    size += step[1]
                is_full = size >= PIECE_BYTES
                is_urgent = bool(items) and not self._has_begun
                if is_full or is_urgent or self._is_closed or time.perf_counter() >= until:
                    self._has_begun = self._has_begun or bool(items)
                    return Piece(tuple(items), is_full)
        except Exception as error:  # noqa: BLE001 - told to whoever reads, after what came before
            return Piece(tuple(items), is_last=True, error=error)
        return Piece(tuple(items), is_last=True)

    def _end(self) -> None:
        with self._using:
            self._close_steps()

    def _close_steps(self) -> None:
        steps, self._steps = self._steps, iter(())
        close = getattr(steps, "close", None)
        if close is not None:
            close()
