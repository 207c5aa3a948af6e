"""The WebSocket endpoint `/ws/replay`: a recorded run, played as live was."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from marketcam.io.store import KINDS, StoreError, UnknownRunError
from marketcam.server.history.history import TooManyError
from marketcam.server.history.recorded import View
from marketcam.server.history.replay_control import ControlError, check_speed
from marketcam.server.history.replay_feed import Feed, recorded_rate
from marketcam.server.history.replay_player import Player, Terms
from marketcam.server.security.telling import told
from marketcam.server.stream.connection import Connection
from marketcam.server.stream.deflate import has_agreed
from marketcam.server.stream.ending import TRY_AGAIN_LATER, Ending, stalled
from marketcam.server.stream.messages import heartbeat
from marketcam.server.web.asking import Query, QueryError, refuse_websocket

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from marketcam.io.store import Run, SegmentEntry
    from marketcam.server.history.history import History
    from marketcam.server.stream.hub import Hub
    from marketcam.server.stream.selection import FilmedWith, Form
    from marketcam.server.web.asking import Span

__all__ = ["USUAL_RATE", "Replay"]

USUAL_RATE: Final = 100.0
"""Ticks a second of a run of which nobody knows the pace: that of a camera left to its defaults."""


@dataclass(frozen=True, slots=True)
class _Asked:
    run: str | None
    span: Span
    kinds: tuple[str, ...]
    form: Form
    every: int
    speed: float

    @classmethod
    def by(cls, query: Query, *, can_deflate: bool) -> _Asked:
        """Read a query.

        Raises:
            QueryError, ControlError: an option cannot be used.
        """
        speed = query.number("speed")
        return cls(
            query.run(),
            query.span(),
            query.kinds(),
            query.form(can_deflate=can_deflate),
            query.every(),
            check_speed(1.0 if speed is None else speed),
        )

    def view(self, run: Run, filmed: FilmedWith | None) -> View:
        """Return how a run is to be seen, which was filmed with this, if anyone knows.

        Raises:
            QueryError: what is asked for takes to know with what it was filmed, which nobody does.
        """
        for name, value, least in (("every", self.every, 1), ("edges", self.form.edges, None)):
            if filmed is None and value != least:
                raise QueryError(
                    f"{name} must not be asked of the run {run.id}, of which it is not known with "
                    f"what it was filmed, got {value}"
                )
        return View(run, self.kinds, self.form, self.every, filmed)


@dataclass(frozen=True, slots=True)
class Replay:
    """The ASGI endpoint of `/ws/replay`.

    Attributes:
        history: what is replayed.
        hub: closes it when the server stops; its writer shares the loop's time.
        heartbeat_seconds: a viewer that was sent nothing for so long is sent a heartbeat.
    """

    history: History
    hub: Hub
    heartbeat_seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end, or refuse it for what it asks for."""
        try:
            asked = _Asked.by(Query(scope), can_deflate=has_agreed(scope))
            run = await self.history.run(asked.run)
            view = asked.view(run, self.history.filmed_with(run))
            rate = await self.history.in_thread(partial(self._rate_of, run))
        except (QueryError, ControlError) as error:
            await refuse_websocket(str(error), 400, scope, receive, send)
        except UnknownRunError as error:
            await refuse_websocket(told(error), 404, scope, receive, send)
        except StoreError as error:
            await refuse_websocket(told(error), 500, scope, receive, send)
        else:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept"})
            await self._serve(asked, view, rate, scope, receive, send)

    async def _serve(
        self, asked: _Asked, view: View, rate: float, scope: Scope, receive: Receive, send: Send
    ) -> None:
        ending = Ending()
        self.hub.admit(ending)
        connection = Connection(ending, self.hub.writer, scope, send)
        idle_seconds = self.history.options.idle_seconds
        terms = Terms(view.run.id, asked.span, asked.kinds, rate, idle_seconds)
        feed = Feed(self.history, view, asked.span)
        player = Player(feed, terms, asked.speed, connection.say, ending)
        slow_seconds = self.hub.options.client_slow_seconds
        try:
            await connection.run(
                self._play(player, feed, ending),
                connection.answer(receive, player.take),
                connection.watch_silences(
                    self.heartbeat_seconds, lambda: connection.say(heartbeat(player.t))
                ),
                connection.watch_progress(
                    slow_seconds, partial(ending.close, TRY_AGAIN_LATER, stalled(slow_seconds))
                ),
            )
        finally:
            self.hub.dismiss(ending)

    async def _play(self, player: Player, feed: Feed, ending: Ending) -> None:
        try:
            with self.history.replays.seat():
                try:
                    await player.run()
                finally:
                    await feed.close()
        except TooManyError as error:
            ending.close(TRY_AGAIN_LATER, str(error))

    def _rate_of(self, run: Run) -> float:
        """Return the pace of a run, from the kind of segment of which it has most."""
        most: list[SegmentEntry] = []
        for kind in KINDS:
            most = max(most, self.history.closed_segments(kind, run), key=len)
        return recorded_rate(run, most) or USUAL_RATE
