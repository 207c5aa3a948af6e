"""Bars on stderr: how far, how fast, how long still. No more at their end, nothing on a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import ProgressColumn

    from marketcam.server.running.offline import OfflineFilm

__all__ = ["ByteBar", "FilmBar", "SeedBar", "TickBar"]

_REDRAW_SECONDS: Final = 0.1


class _Bar:
    """A title, a bar, how much is done, the time gone and left, and a note of what is done now."""

    def __init__(
        self,
        title: str,
        amount: tuple[ProgressColumn, ...],
        total: float | None = None,
        console: Console | None = None,
    ) -> None:
        console = console or Console(stderr=True)
        self._began = time.monotonic()
        self._drawn = 0.0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            *amount,
            TimeElapsedColumn(),
            TextColumn("left", style="dim"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(title, total=total, note="")

    def seconds(self) -> float:
        """Return how long it has been there."""
        return max(1e-9, time.monotonic() - self._began)

    def _is_due(self) -> bool:
        """Return whether it is to be drawn again: ten times a second at most."""
        now = time.monotonic()
        if now - self._drawn < _REDRAW_SECONDS:
            return False
        self._drawn = now
        return True

    def __enter__(self) -> Self:
        self._progress.start()
        self._began = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


class ByteBar(_Bar):
    """A bar over the bytes of files, with MB/s of the text in them; it counts without a terminal.

    Attributes:
        json_bytes: bytes of text so far.
    """

    def __init__(self, title: str, total: int) -> None:
        super().__init__(title, (DownloadColumn(),), total)
        self.json_bytes = 0
        self._file_bytes = 0

    def advance(self, file_bytes: int, json_bytes: int) -> None:
        """Move on. Cost: 0.3 µs, for it is drawn ten times a second at most."""
        self._file_bytes += file_bytes
        self.json_bytes += json_bytes
        if self._is_due():
            note = f"{self.speed():,.0f} MB/s of JSON"
            self._progress.update(self._task, completed=self._file_bytes, note=note)

    def speed(self) -> float:
        """Return megabytes of text a second, since it is there."""
        return self.json_bytes / self.seconds() / 1e6


class TickBar(_Bar):
    """A bar over ticks, of one kind of lines after the other."""

    def __init__(self, title: str) -> None:
        super().__init__(title, (MofNCompleteColumn(), TextColumn("ticks", style="dim")))

    def show(self, kind: str, done: int, total: int) -> None:
        """Show how far it is; drawn ten times a second at most."""
        if self._is_due():
            self._progress.update(self._task, description=kind, completed=done, total=total)


class SeedBar(_Bar):
    """A bar over the seeds of many films."""

    def __init__(self, total: int) -> None:
        amount = (MofNCompleteColumn(), TextColumn("seeds", style="dim"))
        super().__init__("film", amount, total)

    def begin(self, note: str) -> None:
        """Say which has begun."""
        self._progress.update(self._task, note=note)

    def advance(self) -> None:
        """Move on by one."""
        self._progress.update(self._task, advance=1)


class FilmBar(_Bar):
    """A bar over a film, with ticks/s."""

    def __init__(self, film: OfflineFilm, console: Console | None = None) -> None:
        super().__init__("film", (TaskProgressColumn(),), console=console)
        self._film = film

    def look(self) -> None:
        """Show how far it is now."""
        film, share = self._film, self._film.share
        rate = film.ticks / max(1e-3, self.seconds())
        self._progress.update(
            self._task,
            total=None if share is None else 1.0,
            completed=share or 0.0,
            note="" if film.last_t is None else f"tick {film.last_t}, {rate:,.0f} ticks/s",
        )
