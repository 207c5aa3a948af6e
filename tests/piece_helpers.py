"""Films by one camera and in pieces, of ticks of every kind, for comparing them."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from marketcam.server.cluster.spreading import Here
from marketcam.server.errors import ServerError
from marketcam.server.pieces.in_pieces import InPieces
from marketcam.server.running.offline import OfflineFilm
from marketcam.server.running.one_camera import OneCamera
from marketcam.server.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from marketcam.server.cluster import Cluster


class Heard(logging.Handler):
    """Keeps what is logged from `warning` on, as event and fields."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.events: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: v for name, v in record.msg.items() if name != "last_t"}
        self.events.append(fields)

    def __enter__(self) -> Self:
        logging.getLogger("marketcam").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("marketcam").removeHandler(self)


def filmed(
    store: Path,
    start: datetime,
    cluster: Cluster | None = None,
    piece_ticks: int | None = None,
    market_ticks: int | None = None,
    **given: Any,
) -> dict[str, Any]:
    """Film into a store; return the files, what was said, and how it ended."""
    settings = Settings(store_dir=store, **given)
    by = OneCamera if piece_ticks is None else partial(InPieces, cluster or Here(), piece_ticks)
    error = None
    film = OfflineFilm(settings, start, market_ticks, by=by)
    with Heard() as heard:
        try:
            with film:
                film.film(lambda: None)
        except ServerError as failure:
            error = str(failure)
    return {
        "files": {str(p.relative_to(store)): p.read_bytes() for p in files(store)},
        "said": (film.ticks, film.last_t, film.refused, error),
        "events": heard.events,
    }


def files(store: Path) -> list[Path]:
    return sorted(path for path in store.rglob("*") if path.is_file())
