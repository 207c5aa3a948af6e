"""`/events`: the bursts and shocks of a run, for its timeline, without its frames."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from marketcam.server.history.event_log import EventLog
from marketcam.server.web.asking import Query, QueryError
from marketcam.server.web.whole import answer_whole, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from marketcam.io.store import Run
    from marketcam.server.history.event_log import EventPage
    from marketcam.server.history.history import History
    from marketcam.server.web.asking import Span

__all__ = ["EventsAnswer"]

_MOST: Final = 100_000
_USUAL: Final = 10_000


class EventsAnswer:
    """The endpoint."""

    def __init__(self, history: History) -> None:
        """Look for events in what this history reads."""
        self._history = history

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        query = Query(request.scope)
        try:
            limit = query.integer("limit", 1, _MOST) or _USUAL
            make = partial(self._make, query.span(), limit)
        except QueryError as error:
            return refusal(error)
        return await answer_whole(request, self._history, query.run(), make)

    def _make(self, span: Span, limit: int, run: Run) -> Iterator[dict[str, Any] | None]:
        for page in EventLog(self._history.store(), run).steps(*span, limit):
            yield None if page is None else _told(page, is_losing=self._history.is_losing(run))


def _told(page: EventPage, *, is_losing: bool) -> dict[str, Any]:
    return {
        "events": [
            {"type": event.type, "t": event.t, "value": event.value, "score": event.score}
            for event in page.events
        ],
        "covered_to": page.covered_to,
        "complete": page.complete and not is_losing,
        "source": page.source,
    }
