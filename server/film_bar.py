"""How far a film has come, in the terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from types import TracebackType

    from marketcam.server.offline import OfflineFilm

__all__ = ["FilmBar"]


class FilmBar:
    """A progress bar on stderr with ticks/s and what is left; nothing where that is no terminal."""

    def __init__(self, film: OfflineFilm, console: Console | None = None) -> None:
        self._film = film
        self._console = console or Console(stderr=True)
        self._began = time.monotonic()
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left", style="dim"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", style="dim"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def look(self) -> None:
        """Show how far it is now."""
        film, share = self._film, self._film.share
        rate = film.ticks / max(1e-3, time.monotonic() - self._began)
        at = "" if film.last_t is None else f"tick {film.last_t}, {rate:,.0f} ticks/s"
        self._progress.update(
            self._task,
            total=None if share is None else 1.0,
            completed=share or 0.0,
            description=at,
        )
