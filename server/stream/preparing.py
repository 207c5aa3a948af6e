"""Messages that nobody has made yet in the form that is wanted, made in threads beside the loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.server.stream.messages import Body

__all__ = ["Preparing"]

log = get_logger(__name__)


class Preparing:
    """Has each body made once, by one thread, however many wait for it."""

    def __init__(self) -> None:
        self._waiting: dict[Body, list[Callable[[Exception | None], None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def prepare(self, body: Body, on_ready: Callable[[Exception | None], None]) -> None:
        """Have a body made, and call back on the loop: with the reason where it cannot be."""
        waiting = self._waiting.setdefault(body, [])
        waiting.append(on_ready)
        if len(waiting) == 1:
            task = asyncio.create_task(self._prepare(body))
            self._tasks.add(task)  # which the loop itself would not keep
            task.add_done_callback(self._tasks.discard)

    async def _prepare(self, body: Body) -> None:
        problem: Exception | None = None
        try:
            await asyncio.to_thread(body.prepare)
        except Exception as error:
            log.exception("encoding_failed")
            problem = error
        for on_ready in self._waiting.pop(body):
            on_ready(problem)
