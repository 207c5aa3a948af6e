"""A camera's recording as an edge reads it: up to where what NATS brings goes on.

What was recorded comes by a replay of the camera's own, as fast as it is read, from the tick that
is asked for to the last that this edge has published. There the edge's hub takes over, by the same
rules as at the camera (`marketcam.server.history.catching_up`).
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self

import orjson
from websockets.exceptions import ConnectionClosed

from marketcam.io.store import Run
from marketcam.server.edges.upstream import RefusedError, UnreachableError
from marketcam.server.history.history import Seats
from marketcam.server.history.pieces import Piece
from marketcam.server.history.recorded import Stretch, Told, covered_to, gap_told, undeclared
from marketcam.server.stream.deflate import deflated
from marketcam.server.stream.messages import Body
from marketcam.server.stream.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from websockets.asyncio.client import ClientConnection

    from marketcam.server.edges.envelope import Status
    from marketcam.server.edges.upstream import Upstream
    from marketcam.server.history.recorded import View
    from marketcam.server.stream.hub import Hub
    from marketcam.server.stream.place import Reach
    from marketcam.server.stream.selection import FilmedWith

__all__ = ["RemoteHistory", "body_of"]

_MESSAGE: Final = re.compile(rb'\{"type":"(metric|frame)","t":(-?[0-9]+)[,}]')
_COLUMNS: Final = b"MCC"
_HEAD_BYTES: Final = 64


def body_of(message: bytes, *, deflates: bool = False) -> Body:
    """Return what a camera has sent as it is sent on; frames compressed, where that is wanted."""
    is_text = not message.startswith(_COLUMNS)
    if deflates and message.startswith(b'{"type":"frame"'):
        return Body(lambda: deflated(message), is_text=is_text, is_deflated=True)
    return Body(message, is_text=is_text)


class RemoteHistory:
    """The recording behind an edge, for streams that catch up.

    Attributes:
        readers: who reads it: streams that catch up, and requests that are passed on.
        replays: who replays.
    """

    def __init__(
        self,
        upstream: Upstream,
        hub: Hub,
        status: Callable[[], Status | None],
        *,
        clients: int,
        replays: int,
    ) -> None:
        """Read from this camera.

        Args:
            upstream: the camera.
            hub: knows how far the run has come that this edge streams.
            status: says which that is.
            clients: streams that catch up, and requests, at the same time.
            replays: replays at the same time.
        """
        self.readers = Seats(clients, "clients that read history")
        self.replays = Seats(replays, "replays")
        self._upstream = upstream
        self._hub = hub
        self._status = status

    @property
    def filmed(self) -> FilmedWith:
        """With what the current run is filmed."""
        return self._known().filmed

    async def current_run(self) -> Run:
        """Return the run that this edge streams.

        Raises:
            UnreachableError: no camera has published any yet.
        """
        return Run(self._known().run, "")

    async def reach(self, run: Run) -> Reach | None:
        """Return how far a run can be read: as far as this edge has come with it.

        Raises:
            UnreachableError: there is more than nothing, and none of it has come here yet.
        """
        status = self._known()
        if run.id != status.run:
            return None
        if self._hub.reach is None and status.has_begun:
            raise UnreachableError("is ahead of this edge, which has had nothing of its run yet")
        return self._hub.reach

    async def flush(self) -> None:
        """Wait for nothing: what has come here was given to the camera's recorder before."""

    def messages(self, view: View, after: Place, reach: Reach | None) -> RemotePieces:
        """Return what reads the messages of a run after a place, up to where it has come."""
        assert reach is not None  # noqa: S101 - without any, nobody asks
        return RemotePieces(self._upstream, Stretch(view, after, reach.place, reach.last_t))

    def _known(self) -> Status:
        status = self._status()
        if status is None:
            raise UnreachableError("has published nothing yet")
        return status


class RemotePieces:
    """Reads a stretch of a recording over the network, a message a piece."""

    def __init__(self, upstream: Upstream, stretch: Stretch) -> None:
        self._upstream = upstream
        self._stretch = stretch
        self._covered = covered_to(stretch)
        self._undo = AsyncExitStack()
        self._replay: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._undo.aclose()

    async def next(self) -> Piece[Told]:
        """Return the next piece; what went wrong comes with the last."""
        try:
            if self._replay is None:
                self._replay = await self._open()
            message = await self._replay.recv(decode=False)
        except (RefusedError, UnreachableError) as error:
            return Piece((), is_last=True, error=UnreachableError(f"does not play it: {error}"))
        except ConnectionClosed:
            return Piece((), is_last=True, error=UnreachableError("is gone"))
        return self._piece(message)

    async def _open(self) -> ClientConnection:
        stretch, view = self._stretch, self._stretch.view
        assert stretch.up_to is not None  # noqa: S101 - it is where the hub takes over
        query = {
            "run": view.run.id,
            "from_t": stretch.after.t,
            "to_t": max(stretch.up_to.t, stretch.after.t),
            "speed": 0,
            "kinds": ",".join(view.kinds),
            "every": view.every,
            "edges": view.form.edges,
            "encoding": view.form.encoding,
        }
        return await self._undo.enter_async_context(self._upstream.websocket("/ws/replay", query))

    def _piece(self, message: bytes) -> Piece[Told]:
        start = 8 if message.startswith(_COLUMNS) else 0
        found = _MESSAGE.match(message[start : start + _HEAD_BYTES])
        if found is not None:
            return self._piece_of(message, found[1].decode(), int(found[2]))
        fields = orjson.loads(message)
        if fields["type"] == "gap":
            return self._piece_of_gap(fields)
        if fields["type"] == "error":
            return Piece((), is_last=True, error=UnreachableError(f"says: {fields['message']}"))
        if fields["type"] == "replay" and fields["state"] == "ended":
            return Piece(tuple(undeclared(self._stretch, self._covered)), is_last=True)
        return Piece(())

    def _piece_of(self, message: bytes, kind: str, t: int) -> Piece[Told]:
        place = Place.of(kind, t)
        assert self._stretch.up_to is not None  # noqa: S101 - as above
        if not self._stretch.after < place <= self._stretch.up_to:
            return Piece(())
        self._covered[kind] = max(self._covered[kind], t)
        body = body_of(message, deflates=self._stretch.view.form.deflate)
        return Piece((Told(kind, place, body, t),))

    def _piece_of_gap(self, fields: dict[str, object]) -> Piece[Told]:
        """Return what of a gap lies within the stretch."""
        kind, from_t, to_t = str(fields["kind"]), fields["from_t"], fields["to_t"]
        assert isinstance(from_t, int)  # noqa: S101 - our own message
        assert isinstance(to_t, int)  # noqa: S101
        assert self._stretch.up_to is not None  # noqa: S101 - as above
        first_t = max(from_t, self._stretch.after.first_t_after(kind))
        last_t = min(to_t, self._stretch.up_to.last_t_up_to(kind))
        if first_t > last_t:
            return Piece(())
        self._covered[kind] = max(self._covered[kind], last_t)
        return Piece((gap_told(kind, first_t, last_t),))
