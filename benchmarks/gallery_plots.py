"""The plots of the gallery: measures over time, and how long communities live, as SVG files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.gallery import Filmed

__all__ = ["plot_lives", "plot_series"]

OVER_TIME: Final = {
    "transitivity": "transitivity",
    "degree_centralization": "degree centralization",
    "modularity": "modularity",
    "communities_kept": "communities continued from the frame before",
}
COLOURS: Final = ("#1f6fb4", "#c2571a", "#2a8a4a", "#8a4fb0", "#8c6d1f", "#b03060")
"""One a market, each 4.5:1 against white at least."""

_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "marketcam",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.linewidth": 0.5,
    "grid.color": "#dddddd",
}


def plot_series(path: Path, markets: Sequence[Filmed], graph: str) -> None:
    """Draw measures of one graph over the frames, a line a market."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.0, 5.2), layout="constrained")
        panels = figure.subplots(2, 2, sharex=True)
        for axes, (measure, title) in zip(panels.flat, OVER_TIME.items(), strict=True):
            axes.set_title(title, loc="left", fontsize=9.5)
            for colour, market in zip(COLOURS, markets, strict=False):
                values = [row[f"{graph}_{measure}"] for row in market.rows]
                if any(row[f"{graph}_edges"] for row in market.rows):
                    line = [float("nan") if value is None else value for value in values]
                    axes.plot(line, color=colour, linewidth=1.5, label=market.name)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes in panels[-1]:
            axes.set_xlabel("frame")
        _finish(figure, panels[0, 0], path)


def plot_lives(path: Path, markets: Sequence[Filmed], graph: str) -> None:
    """Draw how many of the communities of a graph were seen in so many frames, or more."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.0, 2.9), layout="constrained")
        axes = figure.subplots()
        for colour, market in zip(COLOURS, markets, strict=False):
            lives = market.lives[graph]
            frames = range(1, max(lives, default=0) + 1)
            shares = [100 * sum(life >= each for life in lives) / len(lives) for each in frames]
            if lives:
                axes.step(frames, shares, where="mid", color=colour, label=market.name)
        axes.set_xscale("log")
        axes.set_xlabel("frames")
        axes.set_ylabel("% of communities")
        axes.set_ylim(0, 104)
        axes.xaxis.set_major_locator(FixedLocator([1, 2, 3, 5, 10, 20, 50, 100]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter("{x:g}")
        _finish(figure, axes, path)


def _finish(figure: Figure, axes: Axes, path: Path) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False)
    figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None})
