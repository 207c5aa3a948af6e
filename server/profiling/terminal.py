"""A profile in the terminal: a progress bar while it is measured, a table of what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from marketcam.engine import LimitError, SlidingWindowCamera
from marketcam.server.profiling.columns import COLUMNS, column, row_of
from marketcam.server.profiling.memory import estimated_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from marketcam.server.profiling.columns import Column
    from marketcam.server.profiling.journal import Journal, Result
    from marketcam.server.profiling.points import Point

__all__ = ["Bar", "print_plan", "print_results", "shown_columns", "shown_value"]

_FIRST_TO_GO: Final = (
    "memory_table_bytes",
    "match_weight_kept_share",
    "frame_ms_p95",
    "edges_kept_share",
    "frame_bytes",
    "memory_peak_bytes",
    "weight_least_kept",
    "frame_ms_p99",
)
"""Columns that are left out, in this order, where a terminal is too narrow for all."""

_WIDE: Final = 200
_NOTHING: Final = "–"


class Bar:
    """A progress bar on stderr; where that is no terminal, a line for each point."""

    def __init__(self, points: int, done: int) -> None:
        self._console = Console(stderr=True)
        self._live = self._console.is_terminal
        self._points = points
        self._done = done
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left", style="dim"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", style="dim"),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._task = self._progress.add_task("", total=points, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def preparing(self) -> None:
        """Say that the kernels are compiled."""
        self._say("compiling the kernels, or loading them")

    def measuring(self, point: Point) -> None:
        """Say what is being measured."""
        self._progress.update(self._task, description=str(point))

    def measured(self, result: Result) -> None:
        """Move on by one point."""
        self._done += 1
        self._progress.update(self._task, completed=self._done)
        outcome = "" if result.reason is None else f": {result.reason}"
        if result.reason is not None or not self._live:
            self._line(f"point {self._done} of {self._points}: {result.point}{outcome}")

    def _say(self, text: str) -> None:
        self._progress.update(self._task, description=text)
        if not self._live:
            self._line(text)

    def _line(self, text: str) -> None:
        self._console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)


def shown_columns(results: Sequence[Result]) -> list[Column]:
    """Return the columns worth reading: settings that vary, figures that are known somewhere."""
    rows = [row_of(result) for result in results]
    return [
        one
        for one in COLUMNS
        if one.shown is not None
        and (
            len({row[one.name] for row in rows}) > 1
            if one.group == "point"
            else any(row[one.name] is not None for row in rows)
        )
    ]


def shown_value(one: Column, row: dict[str, Any]) -> str:
    """Write a value as a person reads it; an upper bound says that it is one."""
    value = row[one.name]
    if value is None or one.shown is None:
        return _NOTHING
    bound = one.name == "edges_kept_share" and row["edges_all_cut"]
    return f"{'≤ ' * bound}{one.shown(value)}"


def print_results(results: Sequence[Result]) -> None:
    """Print the table of results on stdout, then the points that failed, each with its reason."""
    console = Console()
    columns = shown_columns(results)
    if console.is_terminal:
        columns = _that_fit(console, columns, results)
        console.print(_table(columns, results))
        if len(columns) < len(shown_columns(results)):
            console.print("the terminal is too narrow for all columns; --out has them", style="dim")
    else:
        Console(width=_WIDE).print(_table(columns, results))
    for result in results:
        if result.reason is not None:
            console.print(f"failed: {result.point}: {result.reason}", markup=False, soft_wrap=True)


def _that_fit(
    console: Console, columns: Sequence[Column], results: Sequence[Result]
) -> list[Column]:
    fitting, room = list(columns), Console(width=_WIDE)
    for name in _FIRST_TO_GO:
        if room.measure(_table(fitting, results)).maximum <= console.width:
            break
        fitting = [one for one in fitting if one.name != name]
    return fitting


def _table(columns: Sequence[Column], results: Sequence[Result]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, caption=_caption(results), caption_justify="left"
    )
    for one in columns:
        title, justify = one.title.replace(" ", "\n", 1), "left" if one.kind == "text" else "right"
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for result in results:
        row = row_of(result)
        cells = [shown_value(one, row) for one in columns]
        table.add_row(*cells, style="dim" if result.figures is None else None)
    return table


def _caption(results: Sequence[Result]) -> str:
    """Say the settings that all points share."""
    rows = [row_of(result) for result in results]
    shared = [
        f"{one.title} {shown_value(one, rows[0])}"
        for one in COLUMNS
        if one.group == "point"
        and one.shown is not None
        and rows[0][one.name] is not None
        and len({row[one.name] for row in rows}) == 1
    ]
    return ", ".join(shared)


def print_plan(points: Sequence[Point], journal: Journal | None) -> None:
    """Print the points of a grid with the memory they are expected to take, and their state."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    names = ("agents", "W", "stride", "eps_pct", "proximity", "edge_cap")
    titles = [column(name).title for name in names]
    for title in (*titles, "MiB, about"):
        table.add_column(title, justify="left" if title == "rule" else "right", no_wrap=True)
    table.add_column("")
    reasons: dict[str, None] = {}
    for point in points:
        shown = [column(name).shown for name in names]
        values = [getattr(point, name) for name in names]
        cells = [
            _NOTHING if value is None or show is None else show(value)
            for show, value in zip(shown, values, strict=True)
        ]
        size = estimated_bytes(point)
        about = _NOTHING if size is None else f"{size / 2**20:,.0f}"
        reason = _obstacle(point)
        if reason is not None:
            reasons[reason] = None
        kept = journal is not None and journal.settles(point)
        table.add_row(*cells, about, "kept" if kept else "will fail" if reason else "")
    console = Console()
    console.print(table)
    for reason in reasons:
        console.print(f"will fail: {reason}", markup=False, highlight=False, soft_wrap=True)


def _obstacle(point: Point) -> str | None:
    """Say why a point cannot be measured, where that is known beforehand."""
    try:
        camera = SlidingWindowCamera(**point.camera_arguments())
        if point.agents is not None:
            camera.check_room(point.agents)
    except LimitError as error:
        return str(error)
    return None
