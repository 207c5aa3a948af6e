"""One producer's connection: its ticks go to the source, and it is told what becomes of them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from marketcam.server.ingest import said
from marketcam.server.ingest.ledger import Tally
from marketcam.server.ingest.source import ACK_TICKS
from marketcam.server.logs import get_logger
from marketcam.server.stream.ending import FAULT, GOING_AWAY, NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.types import Receive, Send

    from marketcam.server.ingest.link import Link
    from marketcam.server.ingest.source import IngestSource, Progress

__all__ = ["ACK_SECONDS", "PING_SECONDS", "PROOF_SECONDS", "SILENT_SECONDS", "Session", "Terms"]

ACK_SECONDS: Final = 0.05
"""Time after which a producer is told what was dealt with, at the latest."""

PING_SECONDS: Final = 5.0
"""Time between pings."""

SILENT_SECONDS: Final = 15.0
"""A producer without a sign of life for so long is cut, and one that takes nothing of what it is
told."""

PROOF_SECONDS: Final = 3.0
"""How long a producer has to show that it is there when another wants its place."""

_LOOK_SECONDS: Final = 0.05
_INVALID_DATA: Final = 1007
_LONGEST_END: Final = 256
_LONGEST_REASON: Final = 120

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a producer is told first, and what holds for its connection.

    Attributes:
        hello: fields of the first message.
        message_bytes: a message at most.
        heartbeat_seconds: it is told something at least so often.
        has_failed: says whether the run has.
    """

    hello: dict[str, object]
    message_bytes: int
    heartbeat_seconds: float
    has_failed: Callable[[], bool]


class Session:
    """A connection, from its acceptance to its end.

    Attributes:
        ended: set when nothing of it goes on.
    """

    def __init__(self, source: IngestSource, name: str, terms: Terms, link: Link | None) -> None:
        self.ended = asyncio.Event()
        self._source = source
        self._tally = Tally(name)
        self._terms = terms
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._moved = asyncio.Event()
        self._is_woken = False
        self._cut = asyncio.Event()
        self._spoke_at = self._loop.time()

    async def run(self, receive: Receive, send: Send) -> None:
        """Serve the connection, which is accepted, to its end."""
        if self._link is not None:
            self._link.take_over(self._terms.message_bytes)
        self._source.listen(self._wake)
        try:
            await _first_of(self._serve(receive, send), self._watch(), self._cut.wait())
        except TimeoutError:
            log.warning("producer_cut", source=self._tally.source, reason="takes no answer")
            self._cut.set()
        except OSError as error:
            log.info("producer_lost", source=self._tally.source, reason=str(error) or "gone")
        finally:
            self._source.listen(None)
            self.ended.set()
            if self._link is not None and self._cut.is_set():
                self._link.cut()
            log.info(
                "producer_left",
                source=self._tally.source,
                ticks=self._tally.dealt,
                refused=self._tally.refused,
            )

    async def is_alive(self) -> bool:
        """Ask the producer whether it is there; end the connection if it shows nothing of it."""
        if self._link is None or self.ended.is_set():
            return not self.ended.is_set()
        asked = self._loop.time()
        self._link.ping()
        while not self.ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), _LOOK_SECONDS)
            waited = self._loop.time() - asked  # before the look, so that the last comes after it
            if self._link.lives_since(asked) and not self.ended.is_set():
                return True
            if waited >= PROOF_SECONDS:
                break
        if not self.ended.is_set():
            log.warning("producer_cut", source=self._tally.source, reason="no sign of life")
            self._cut.set()
            await self.ended.wait()
        return False

    async def _serve(self, receive: Receive, send: Send) -> None:
        """Greet, then read and tell, until one of the two ends."""
        await self._until(lambda progress: progress.is_idle)
        if not self._source.is_closed:
            progress = self._source.progress(self._tally)
            await self._say(send, said.hello(self._terms.hello, progress.last_t))
            await _first_of(self._read(receive, send), self._tell(send))
        await self._close(send)

    async def _until(self, is_so: Callable[[Progress], bool]) -> None:
        while not is_so(self._source.progress(self._tally)) and not self._source.is_closed:
            await self._change(None)

    async def _read(self, receive: Receive, send: Send) -> None:
        """Put what comes, no faster than there is room for it, until the producer goes."""
        while (event := await receive())["type"] != "websocket.disconnect":
            text, data = event.get("text"), event.get("bytes")
            if text == "ping":
                await self._say(send, said.PONG)
            elif text is not None and _is_end(text):
                self._source.finish()
                await asyncio.Event().wait()  # the rest is told, and then it is closed
            elif message := text or data:
                self._source.put(self._tally, message)
                await self._room()
        raise ConnectionResetError(f"closed with {event.get('code')}")

    async def _room(self) -> None:
        while not self._source.has_room:
            self._moved.clear()
            if not self._source.has_room:
                await self._moved.wait()

    async def _change(self, seconds: float | None) -> None:
        """Wait until something has changed with the source, or so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
        self._changed.clear()

    def _wake(self) -> None:
        """Learn, in any thread, that something has changed."""
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._note_change)

    def _note_change(self) -> None:
        self._is_woken = False
        self._changed.set()
        self._moved.set()

    async def _tell(self, send: Send) -> None:
        """Tell what was dealt with, until there is no more to come."""
        told, told_at = 0, self._loop.time()
        while True:
            closed = self._source.is_closed  # before the progress, which then is the last
            progress = self._source.progress(self._tally)
            for refusal in progress.refusals:
                await self._say(send, said.refused(refusal))
            ends = closed or (progress.broken is not None and progress.is_idle)
            now = self._loop.time()
            if progress.dealt > told and (
                ends
                or progress.is_idle
                or progress.dealt - told >= ACK_TICKS
                or now - told_at >= ACK_SECONDS
            ):
                await self._say(send, said.ack(progress))
                told, told_at = progress.dealt, now
            if ends:
                return
            await self._pause(send, progress)

    async def _pause(self, send: Send, progress: Progress) -> None:
        """Wait until there may be something to tell; break too long a silence."""
        silence = self._terms.heartbeat_seconds - (self._loop.time() - self._spoke_at)
        if silence <= 0:
            await self._say(send, said.heartbeat(progress.last_t))
        else:
            await self._change(silence if progress.is_idle else min(ACK_SECONDS, silence))

    async def _close(self, send: Send) -> None:
        """End the connection as its source has ended."""
        broken = self._tally.broken
        if broken is not None:
            code, reason = _INVALID_DATA, broken
        elif self._terms.has_failed():
            code, reason = FAULT, "the run has failed"
        elif self._source.is_finished:
            code, reason = NORMAL, "the source has ended"
        else:
            code, reason = GOING_AWAY, "the server is shutting down"
        await send({"type": "websocket.close", "code": code, "reason": _short(reason)})

    async def _say(self, send: Send, text: str) -> None:
        """Send a message; a producer that does not take it is lost."""
        async with asyncio.timeout(SILENT_SECONDS):
            await send({"type": "websocket.send", "text": text})
        self._spoke_at = self._loop.time()

    async def _watch(self) -> None:
        """Ping, and end the watch once the producer gives no more sign of life."""
        if self._link is None:  # the server's own watch
            await asyncio.Event().wait()
            return
        lived_at = self._loop.time()
        while True:
            asked = self._loop.time()
            self._link.ping()
            await asyncio.sleep(PING_SECONDS)
            if self._link.lives_since(asked):
                lived_at = self._loop.time()
            elif self._loop.time() - lived_at >= SILENT_SECONDS:
                log.warning("producer_cut", source=self._tally.source, reason="no sign of life")
                self._cut.set()
                return


def _is_end(text: str) -> bool:
    """Return whether a message says that the source has ended; ticks have a number."""
    if len(text) > _LONGEST_END or '"end"' not in text:
        return False
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(message, dict) and message.get("type") == "end" and "t" not in message


def _short(reason: str) -> str:
    """Cut a reason to what a close frame holds."""
    return reason.encode()[:_LONGEST_REASON].decode(errors="ignore")


async def _first_of(*work: Coroutine[Any, Any, object]) -> None:
    """Do all of it until one part ends; raise what one has failed of."""
    tasks = [asyncio.create_task(part) for part in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
