"""`/overview/metrics`: what a long span of metrics comes to, for charts that have room for less."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from marketcam.io.store.metric_kernels import FIGURES
from marketcam.io.store.overview import MAX_POINTS, Overviews
from marketcam.server.history.history import tell_unreadable
from marketcam.server.web.asking import Query, QueryError
from marketcam.server.web.whole import answer_whole, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from marketcam.io.store import Run
    from marketcam.io.store.overview import Overview
    from marketcam.server.history.history import History
    from marketcam.server.web.asking import Span

__all__ = ["MetricsOverview"]

_LEAST_POINTS: Final = 2
_POINTS: Final = 1000
_EXTREMES: Final = ("min", "max", "last")


class MetricsOverview:
    """The endpoint, with what it remembers of the recording."""

    def __init__(self, history: History) -> None:
        """Look at what this history reads."""
        self._history = history
        self._overviews: Overviews | None = None  # from the first request on, as is the store

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        query = Query(request.scope)
        try:
            points = query.integer("points", _LEAST_POINTS, MAX_POINTS) or _POINTS
            make = partial(self._make, query.span(), points)
        except QueryError as error:
            return refusal(error)
        return await answer_whole(request, self._history, query.run(), make)

    def _make(self, span: Span, points: int, run: Run) -> Iterator[dict[str, Any] | None]:
        if self._overviews is None:
            tell = partial(tell_unreadable, "overview_incomplete")
            self._overviews = Overviews(self._history.store(), tell)
        overview = None
        for overview in self._overviews.steps(run.id, *span, points):
            yield None if overview is None else _told(overview)
        if overview is None:
            yield _NOTHING


_NOTHING: Final[dict[str, Any]] = {
    "from_t": None,
    "to_t": None,
    "step": None,
    "t": [],
    "series": {figure: {extreme: [] for extreme in _EXTREMES} for figure in FIGURES},
    "sampled": False,
    "complete": True,
}


def _told(overview: Overview) -> dict[str, Any]:
    buckets = overview.buckets
    columns = np.ascontiguousarray(buckets.values.transpose(2, 1, 0))
    return {
        "from_t": buckets.start_t,
        "to_t": buckets.end_t,
        "step": buckets.step,
        "t": np.arange(buckets.start_t, buckets.end_t + 1, buckets.step),
        "series": {
            figure: dict(zip(_EXTREMES, column, strict=True))
            for figure, column in zip(FIGURES, columns, strict=True)
        },
        "sampled": overview.sampled,
        "complete": overview.complete,
    }
