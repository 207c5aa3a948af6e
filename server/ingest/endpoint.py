"""The WebSocket endpoint `/ws/ingest`: one producer a run, and one connection at a time."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs

from marketcam.server.ingest.link import LINK
from marketcam.server.ingest.session import Session, Terms
from marketcam.server.logs import get_logger
from marketcam.server.web.answers import JsonResponse

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from marketcam.server.ingest.source import IngestSource
    from marketcam.server.running.rig import Rig

__all__ = ["Ingest"]

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_OWN_CODES: Final = 4000
"""Close codes from here on are for applications; an HTTP status is added."""

log = get_logger(__name__)


class _Refusal(NamedTuple):
    """Why a producer is not let in.

    Attributes:
        status: of the answer over HTTP.
        reason: for people.
    """

    status: int
    reason: str


_OVER: Final = _Refusal(503, "the run is over")
"""It has failed, or the server is stopping: one that is started anew will have another."""


class Ingest:
    """The ASGI endpoint of `/ws/ingest`. Tokens are the business of the gate before it."""

    def __init__(self, rig: Rig) -> None:
        """Take ticks for this rig."""
        self._rig = rig
        self._session: Session | None = None
        self._choosing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one producer to its end, or refuse it."""
        names = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("source", [""])
        async with self._choosing:  # of two who come together, the second sees the first
            session = await self._session_for(names[-1], scope)
        if isinstance(session, _Refusal):
            log.info("producer_refused", client=scope.get("client"), reason=session.reason)
            await _refuse(session, scope, receive, send)
            return
        try:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept"})
            log.info("producer_connected", source=names[-1], client=scope.get("client"))
            await session.run(receive, send)
        finally:
            session.ended.set()

    async def _session_for(self, name: str, scope: Scope) -> Session | _Refusal:
        source = self._rig.ingest
        if _NAME.fullmatch(name) is None:
            return _Refusal(400, f"source must be 1 to 64 of A-Z a-z 0-9 . _ -, got {name[:70]!r}")
        if source is None:
            return _OVER
        if (refusal := self._objection(source, name)) is not None:
            return refusal
        if self._session is not None:
            if await self._session.is_alive():
                return _Refusal(409, "a producer is connected already")
            # Meanwhile that one may have sent its first ticks, and its last.
            if (refusal := self._objection(source, name)) is not None:
                return refusal
        source.source = name
        session = self._session = Session(
            source, name, self._terms(name), scope.get("extensions", {}).get(LINK)
        )
        return session

    def _objection(self, source: IngestSource, name: str) -> _Refusal | None:
        """Return why the run does not take ticks of this name, None where it does."""
        if source.is_finished:
            return _Refusal(410, "the source has ended")
        if source.is_closed or not self._rig.pipeline.running:
            return _OVER
        if source.belongs_to_another(name):
            return _Refusal(409, f"the run is that of the source {source.source}")
        return None

    def _terms(self, name: str) -> Terms:
        settings, pipeline = self._rig.settings, self._rig.pipeline
        hello: dict[str, object] = {
            "source": name,
            "run": self._rig.recorder.status().run,
            "window": settings.window,
            "stride": settings.stride,
            "max_message_bytes": settings.ingest_message_bytes,
        }
        return Terms(
            hello,
            settings.ingest_message_bytes,
            settings.heartbeat_seconds,
            lambda: pipeline.error is not None,
        )


async def _refuse(refusal: _Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse before the handshake; where that is over, by a close code of our own."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await JsonResponse({"error": refusal.reason}, refusal.status)(scope, receive, send)
        return
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    code = _OWN_CODES + refusal.status
    await send({"type": "websocket.close", "code": code, "reason": refusal.reason})
