"""From the recording to the present, without a hole and without a double.

A message is given to the recorder before it is published. So what the hub has published by some
moment is on disk after a flush, and what it publishes later waits for the client from that moment
on: the two parts meet at one place of the run, and share nothing. The rest is patience: what has
been recorded since is read until what is published meanwhile finds room in the client's lanes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from marketcam.server.history.history import TooManyError, tell_unreadable
from marketcam.server.history.recorded import View
from marketcam.server.logs import get_logger
from marketcam.server.stream.ending import FAULT, TRY_AGAIN_LATER
from marketcam.server.stream.place import Place

if TYPE_CHECKING:
    from marketcam.server.history.history import History
    from marketcam.server.stream.client import Listener
    from marketcam.server.stream.connection import Connection
    from marketcam.server.stream.hub import Hub
    from marketcam.server.stream.messages import Kind
    from marketcam.server.stream.place import Reach

__all__ = ["catch_up"]

log = get_logger(__name__)


async def catch_up(
    history: History, hub: Hub, client: Listener, connection: Connection, from_t: int
) -> None:
    """Send a client what was recorded from a tick on, and make it live where that ends.

    Where that cannot be done, the client is closed: with 1013 when too many read, with 1011 at
    damage, after all that came before it.
    """
    try:
        with history.readers.seat():
            after = await _CatchingUp(history, hub, client, connection).run(Place.before(from_t))
    except TooManyError as error:
        client.close(TRY_AGAIN_LATER, str(error))
    else:
        log.debug("client_caught_up", t=after.t)


class _CatchingUp:
    def __init__(
        self, history: History, hub: Hub, client: Listener, connection: Connection
    ) -> None:
        self._history = history
        self._hub = hub
        self._client = client
        self._connection = connection

    async def run(self, after: Place) -> Place:
        """Send all that comes after a place, up to where the client is live; return that place."""
        history, hub, client = self._history, self._hub, self._client
        run = await history.current_run()
        selection = client.selection
        view = View(run, selection.kinds, selection.form, selection.every, history.filmed)
        after = await self._send(view, after, await history.reach(run))
        while client.closing is None:
            reach = hub.listen(client, after)
            if reach is not None and reach.place > after:
                await history.flush()
                after = await self._send(view, after, reach)
            if not client.has_missed:
                hub.go_live(client)
                break
        return after

    async def _send(self, view: View, after: Place, reach: Reach | None) -> Place:
        """Send what was recorded after a place, as far as the run has come; return that place."""
        if reach is None or reach.place <= after:
            return after
        async with self._history.messages(view, after, reach) as pieces:
            while self._client.closing is None:
                piece = await pieces.next()
                for item in piece.items:
                    await self._connection.say(item.body)
                    if item.kind != "gap":
                        self._client.note_recorded(cast("Kind", item.kind))
                if piece.error is not None:
                    tell_unreadable("history_unreadable", piece.error, run=view.run.id)
                    self._client.close(FAULT, "the recording is damaged, see the server's log")
                if piece.is_last:
                    break
        return reach.place
