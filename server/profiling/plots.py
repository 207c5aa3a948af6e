"""The plots of the report, drawn by matplotlib.

Why matplotlib, and static SVG: a plot of three lines takes 11 to 17 KB of the page, text in it is
text, and the page's CSS gives its colours, light and dark. The interactive libraries, inlined, are
megabytes of script in every report, and what they would add here, hovering and zooming, is done
by a title at each point and by the table, which can be sorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from marketcam.server.profiling.series import axis_values, select
from marketcam.server.profiling.svg import COLOURS, inline_svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from marketcam.server.profiling.journal import Result
    from marketcam.server.profiling.series import Line, Selection

__all__ = ["Plot", "plots"]

_SIZE: Final = (4.7, 3.1)  # inches; at 72 units an inch, as wide as a phone
_DPI: Final = 72  # what SVG counts in, so that distances of pixels are those of the page
_FONT: Final = 9.5
_LABEL_GAP: Final = 12.0  # units between the labels of two lines
_DECADES: Final = 10.0  # from this ratio on an axis is logarithmic
_FEW_DECADES: Final = 1000.0  # up to this ratio there is room for ticks within a decade
_SMALL_PERCENT: Final = 5.0  # shares below this are told apart by their decades
_MOST_TICKS: Final = 7
_SERIES: Final = 6
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "marketcam",
    "font.size": _FONT,
    "axes.edgecolor": COLOURS["rule"],
    "axes.labelcolor": COLOURS["muted"],
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["rule"],
    "ytick.color": COLOURS["rule"],
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "ytick.major.size": 0,
    "xtick.major.size": 3,
    "axes.axisbelow": True,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot of the page.

    Attributes:
        title: the question it answers.
        note: what the axes are, and what is held.
        legend: colour, as a CSS variable, and label of each line that has none beside it.
        svg: an `svg` element.
    """

    title: str
    note: str
    legend: tuple[tuple[str, str], ...]
    svg: str


@dataclass(frozen=True, slots=True)
class _Sketch:
    """What a plot is to show: a figure against a setting."""

    name: str
    title: str
    x: str
    y: str
    unit: str
    scale: float


_SKETCHES: Final = (
    _Sketch("window", "What a window costs", "W", "frame_ms_p50", "ms a frame, median", 1.0),
    _Sketch("agents", "What more agents cost", "agents", "ticks_per_second", "ticks/s", 1.0),
    _Sketch("latency", "How late a frame is", "agents", "frame_ms_p99", "ms a frame, p99", 1.0),
    _Sketch("memory", "What it takes of memory", "agents", "memory_peak_bytes", "MiB", 2**-20),
    _Sketch("bytes", "What a cap makes a frame weigh", "edge_cap", "frame_bytes", "kB", 1e-3),
    _Sketch("stride", "What a stride saves", "stride", "ticks_per_second", "ticks/s", 1.0),
    _Sketch("reach", "What eps leaves", "eps_pct", "weight_kept_share", "% of all weight", 100.0),
)
_X_LABELS: Final = {
    "W": "window W, ticks",
    "agents": "agents",
    "edge_cap": "edge cap",
    "stride": "stride, ticks",
    "eps_pct": "eps, share of the mid",
}


def plots(results: Sequence[Result]) -> list[Plot]:
    """Return the plots for which the grid has values, those that the choice depends on first."""
    measured = [result for result in results if result.figures is not None]
    drawn = [_draw(s, measured) for s in _SKETCHES if len(axis_values(measured, s.x)) > 1]
    with_curves = [r for r in measured if r.figures is not None and r.figures.curve]
    if with_curves:
        drawn.insert(int(len(axis_values(measured, "W")) > 1), _kept(with_curves))
    return drawn


def _draw(sketch: _Sketch, results: Sequence[Result]) -> Plot:
    compressed = sketch.y == "frame_bytes"
    selection = select(results, sketch.x, dash=not compressed)
    canvas = _Canvas(sketch.name)
    for line in selection.lines:
        canvas.line(line, sketch)
        if compressed:
            canvas.line(line, sketch, y="frame_bytes_zstd")
    canvas.axes_for(_X_LABELS[sketch.x], axis_values(results, sketch.x))
    canvas.labels()
    units = [sketch.unit, *(["dashed: compressed"] if compressed else [])]
    return Plot(sketch.title, _note(units, selection), (), canvas.svg(sketch.title))


def _kept(results: Sequence[Result]) -> Plot:
    """Draw what every cap keeps; the caps of the grid are dots on the curves."""
    title = "What a cap keeps"
    selection = select(results, None)
    canvas = _Canvas("kept")
    for line in selection.lines:
        canvas.curve(line)
    canvas.share_axes("edge cap")
    legend = dict.fromkeys(
        (_variable(line.place), line.label) for line in selection.lines if line.label
    )
    note = _note(["% of the weight of all edges"], selection)
    return Plot(title, note, tuple(legend), canvas.svg(title))


def _note(units: Sequence[str], selection: Selection) -> str:
    return " · ".join((*units, *selection.notes))


class _Canvas:
    """One figure in the making."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._titles: dict[str, str] = {}
        self._ends: list[tuple[float, str, str]] = []
        self._y: list[float] = []
        with mpl.rc_context(_STYLE):
            self._figure = Figure(figsize=_SIZE, dpi=_DPI)
            self._axes: Axes = self._figure.add_axes((0.105, 0.15, 0.68, 0.80))

    def line(self, line: Line, sketch: _Sketch, *, y: str | None = None) -> None:
        """Draw a line of figures, dots where they were measured."""
        points = [
            (float(getattr(result.point, sketch.x)), float(figure) * sketch.scale, result)
            for result in line.results
            if (figure := getattr(result.figures, y or sketch.y)) is not None
        ]
        if not points:
            return
        colour = _colour(line.place)
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        dashed = line.dashed or y is not None
        self._axes.plot(
            xs, ys, color=colour, linewidth=1.8, linestyle=(0, (4, 2)) if dashed else "-"
        )
        for at_x, at_y, result in points:
            self._dot(at_x, at_y, colour, f"{result.point}: {at_y:,.3g} {sketch.unit}")
        if not dashed:
            self._ends.append((ys[-1], line.label, colour))
        self._y += ys

    def curve(self, line: Line) -> None:
        """Draw what any cap keeps of the weight, from the first result that knows it."""
        colour = _colour(line.place)
        figures = line.results[0].figures
        assert figures is not None  # noqa: S101 - only those with curves are drawn
        caps = [cap for cap, _ in figures.curve]
        shares = [100 * share for _, share in figures.curve]
        self._axes.plot(
            caps, shares, color=colour, linewidth=1.8, linestyle=(0, (4, 2)) if line.dashed else "-"
        )
        for result in line.results:
            share = None if result.figures is None else result.figures.weight_kept_share
            if share is not None and result.point.edge_cap > 0:
                text = f"{result.point}: {100 * share:.3g} % of the weight kept"
                self._dot(result.point.edge_cap, 100 * share, colour, text)
                self._y.append(100 * share)

    def axes_for(self, x_label: str, values: Sequence[Any]) -> None:
        """Set both axes to what was drawn: ticks at the values, logarithms over decades."""
        axes = self._axes
        if _spans_decades(values):
            axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(_ticks(values)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(_compact))
        if _spans_decades(self._y):
            axes.set_yscale("log")
            within = (1.0, 2.0, 5.0) if max(self._y) < _FEW_DECADES * min(self._y) else (1.0,)
            axes.yaxis.set_major_locator(LogLocator(subs=within))
            axes.yaxis.set_minor_locator(NullLocator())
        else:
            axes.set_ylim(0, 1.12 * max(self._y, default=1.0) or 1.0)
            axes.yaxis.set_major_locator(MaxNLocator(5))
        self._finish(x_label)

    def share_axes(self, x_label: str) -> None:
        """Set the axes of a share in percent against a cap."""
        axes = self._axes
        axes.set_xscale("log")
        axes.set_xlim(10, None)
        axes.xaxis.set_major_locator(LogLocator(numticks=_MOST_TICKS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(_compact))
        if 0 < max(self._y, default=0.0) < _SMALL_PERCENT:  # on a plain axis all would be 0
            axes.set_yscale("log")
            axes.set_ylim(min(share for share in self._y if share > 0) / 3, 130)
            axes.yaxis.set_major_locator(LogLocator())
            axes.yaxis.set_minor_locator(NullLocator())
        else:
            axes.set_ylim(0, 104)
            axes.yaxis.set_major_locator(FixedLocator([0, 25, 50, 75, 100]))
        axes.set_position((0.105, 0.15, 0.87, 0.80))
        self._finish(x_label)

    def labels(self) -> None:
        """Write each line's label at its end, apart from one another."""
        axes = self._axes
        ends = sorted(self._ends)
        heights = [float(axes.transData.transform((axes.get_xlim()[1], y))[1]) for y, _, _ in ends]
        top = float(axes.transAxes.transform((0.0, 1.0))[1])
        for (_, label, colour), height in zip(ends, _apart(heights, top), strict=True):
            at = axes.transAxes.inverted().transform((0.0, height))[1]
            axes.text(1.03, at, label, color=colour, transform=axes.transAxes, va="center")

    def svg(self, title: str) -> str:
        """Return the figure."""
        with mpl.rc_context(_STYLE):
            return inline_svg(self._figure, self._name, self._titles, title)

    def _finish(self, x_label: str) -> None:
        axes = self._axes
        axes.yaxis.set_major_formatter(FuncFormatter(_compact))
        axes.grid(axis="y")
        axes.set_xlabel(x_label)
        axes.margins(x=0.04)

    def _dot(self, x: float, y: float, colour: str, text: str) -> None:
        gid = f"dot{len(self._titles)}"
        self._titles[gid] = text
        self._axes.plot(
            [x], [y], "o", color=colour, markersize=5.5, markeredgecolor=COLOURS["paper"],
            markeredgewidth=1.2, gid=gid, clip_on=False,
        )  # fmt: skip


def _variable(place: float) -> str:
    """Return the CSS variable of a line's colour."""
    return f"s{1 + round(place * (_SERIES - 1))}"


def _colour(place: float) -> str:
    return COLOURS[_variable(place)]


def _spans_decades(values: Sequence[float]) -> bool:
    return len(values) > 0 and min(values) > 0 and max(values) >= _DECADES * min(values)


def _ticks(values: Sequence[Any]) -> list[Any]:
    """Return the values themselves, or as many as there is room for."""
    step = -(-len(values) // _MOST_TICKS)
    return list(values[::step])


def _apart(heights: Sequence[float], top: float) -> list[float]:
    """Move ascending heights apart until none is closer to the next than a line of text.

    They move up, and down again where the last would stand above `top`.
    """
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + _LABEL_GAP) if placed else height)
    limit = top
    for at in reversed(range(len(placed))):
        placed[at] = min(placed[at], limit)
        limit = placed[at] - _LABEL_GAP
    return placed


def _compact(value: float, _: object = None) -> str:
    """Write an axis value short, such as 20k."""
    for size, suffix in ((1e6, "M"), (1e4, "k")):
        if value >= size:
            unit = 1e6 if suffix == "M" else 1e3
            return f"{value / unit:,g}{suffix}"
    return f"{value:,.6g}"
