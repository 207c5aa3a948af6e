"""Measures of the recorded frames over HTTP: `/measures`, a JSON object a frame."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from marketcam.engine import LimitError
from marketcam.io.measuring.names import GRAPHS
from marketcam.io.measuring.options import MeasureOptions
from marketcam.server.history.measuring import can_measure, measuring_lines
from marketcam.server.web.asking import MAX_T, Query, QueryError
from marketcam.server.web.ranges import LineAnswers, LinesAsked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request

    from marketcam.server.history.history import History
    from marketcam.server.history.pieces import Pieces

__all__ = ["MeasureLines"]

_MISSING: Final = (
    "measures need igraph, which is not installed at the camera: pip install 'marketcam[measures]'"
)
_OPTION_OF: Final = {"graphs": "edges", "names": "measure"}


class MeasureLines(LineAnswers):
    """The endpoint. Whoever is answered has a process that measures, and is one of a few."""

    def __init__(self, history: History, store_dir: Path, stall_seconds: float) -> None:
        """Measure the store of this history, which lies in `store_dir`."""
        super().__init__(history, history.measurers, stall_seconds)
        self._store_dir = store_dir

    def read(self, request: Request) -> tuple[LinesAsked, Callable[[str], Pieces[bytes]]]:
        """Read a request; 501 where what it takes is not installed."""
        asked = LinesAsked.by(request, "frames")
        options = _options(Query(request.scope))
        if not can_measure():
            raise HTTPException(501, _MISSING)
        return asked, lambda run: self._history.measures(partial(self._lines, asked, options, run))

    def _lines(
        self, asked: LinesAsked, options: MeasureOptions, run: str
    ) -> Iterator[tuple[bytes, int] | None]:
        with closing(self._history.store().lines("frames", *asked.span, run=run)) as frames:
            if next(frames, None) is None:
                return
        left = MAX_T if asked.limit is None else asked.limit
        with closing(measuring_lines(_arguments(asked, options, run, self._store_dir))) as steps:
            for step in steps:
                yield step
                left -= step is not None
                if not left:
                    return


def _options(query: Query) -> MeasureOptions:
    """Return which measures are asked for.

    Raises:
        QueryError: there is no such measure, or graph.
    """
    names, graphs = query.text("measure"), query.text("edges")
    try:
        return MeasureOptions(
            graphs=GRAPHS if graphs is None else tuple(graphs.split(",")),
            names=None if names is None else tuple(names.split(",")),
        )
    except LimitError as error:
        field, _, rest = str(error).partition(" ")
        raise QueryError(f"{_OPTION_OF[field]} {rest}") from error


def _arguments(asked: LinesAsked, options: MeasureOptions, run: str, store_dir: Path) -> list[str]:
    """Return the arguments of `marketcam measures`; all values have been checked."""
    flags = {
        "from-t": asked.span.from_t,
        "to-t": asked.span.to_t,
        "run": run,
        "every": asked.every,
        "edges": ",".join(options.graphs),
        "measures": ",".join(options.measures),
    }
    given = [f"--{name}={value}" for name, value in flags.items() if value is not None]
    return [*given, "--", str(store_dir.absolute())]
