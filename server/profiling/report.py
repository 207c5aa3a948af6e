"""The report: one HTML file that asks for nothing, with plots, a table, and how it was made."""

from __future__ import annotations

import shlex
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any, Final

from marketcam.server.profiling.columns import COLUMNS, column, row_of
from marketcam.server.profiling.plots import plots
from marketcam.server.profiling.series import axis_values, setting_text
from marketcam.server.profiling.tables import replacing
from marketcam.server.profiling.terminal import shown_columns, shown_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from marketcam.server.profiling.columns import Column
    from marketcam.server.profiling.journal import Result
    from marketcam.server.profiling.plots import Plot

__all__ = ["report", "write_report"]

_TILES: Final = (
    ("ticks_per_second", "ticks/s", "throughput"),
    ("frame_ms_p99", "ms", "a frame at p99, tick to bytes"),
    ("weight_kept_share", "%", "of the weight of all edges kept"),
    ("memory_peak_bytes", "MiB", "memory at the peak"),
)
_HINTS: Final = {
    "W": ("what a window costs", "--W 100,300,1000"),
    "edge_cap": ("what a cap costs", "--edge-cap 500,2000,8000"),
    "agents": ("what a larger market costs", "--agents 74,300,1000"),
}


def write_report(
    path: Path, results: Sequence[Result], conditions: Mapping[str, str], command: Sequence[str]
) -> None:
    """Write the report; the file at `path` is replaced whole, or stays as it was."""
    with replacing(path) as temporary:
        temporary.write_text(report(results, conditions, command), encoding="utf-8")


def report(results: Sequence[Result], conditions: Mapping[str, str], command: Sequence[str]) -> str:
    """Return the report as HTML."""
    columns = shown_columns(results)
    return Template(_part("report.html")).substitute(
        style=_part("report.css").strip(),
        script=_part("report.js").strip(),
        summary=escape(_summary(results)),
        tiles="\n".join(_tiles(results)),
        plots="\n".join(map(_figure, plots(results))),
        hints=_hints(results),
        caption=escape(_caption(results)),
        table=_table(columns, results),
        failures=_failures(results),
        command=escape(shlex.join(command)),
        conditions="\n".join(_condition(*pair) for pair in conditions.items()),
    )


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _summary(results: Sequence[Result]) -> str:
    points = f"{len(results)} point{'s' * (len(results) != 1)}"
    failed = sum(result.figures is None for result in results)
    sources = sorted({str(row_of(result)["source"]) for result in results})
    where = "the embedded market" if sources == ["market"] else ", ".join(sources)
    last = max(result.measured_at for result in results)
    missing = f", {failed} of them failed" if failed else ""
    return f"{points}{missing}, on {where} · {last[:16].replace('T', ' ')} UTC"


def _tiles(results: Sequence[Result]) -> list[str]:
    tiles = []
    for name, unit, words in _TILES:
        shown = column(name).shown
        values = [v for result in results if (v := row_of(result)[name]) is not None]
        if values and shown is not None:
            low, high = shown(min(values)), shown(max(values))
            span = low if low == high else f"{low} – {high}"
            tiles.append(
                f'<div class="tile"><b>{escape(span)} {unit}</b><span>{words}</span></div>'
            )
    return tiles


def _figure(plot: Plot) -> str:
    keys = "".join(
        f'<span style="color: var(--{variable})">{escape(label)}</span>'
        for variable, label in plot.legend
    )
    legend = f'<p class="legend">{keys}</p>' if keys else ""
    return (
        f'<figure class="plot"><h3>{escape(plot.title)}</h3>'
        f'<p class="note">{escape(plot.note)}</p>{legend}{plot.svg}</figure>'
    )


def _hints(results: Sequence[Result]) -> str:
    """Say what else could be seen, where a setting has one value only."""
    hints = [
        f"<p>One value of {escape(column(name).title)} was measured: "
        f"<code>{escape(flag)}</code> shows {escape(words)}.</p>"
        for name, (words, flag) in _HINTS.items()
        if len(axis_values(results, name)) == 1
    ]
    return f'<div class="hints">{"".join(hints)}</div>' if hints else ""


def _caption(results: Sequence[Result]) -> str:
    names = [one.name for one in COLUMNS if one.group == "point" and one.shown is not None]
    shared = [
        setting_text(name, values[0])
        for name in names
        if len(values := axis_values(results, name)) == 1
    ]
    return f"All at {', '.join(shared)}. A click on a heading sorts." if shared else ""


def _table(columns: Sequence[Column], results: Sequence[Result]) -> str:
    head = "".join(_heading(one) for one in columns)
    body = "\n".join(_row(columns, result) for result in results)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _heading(one: Column) -> str:
    kind = ' class="text"' if one.kind == "text" else ""
    title = escape(one.title)
    return (
        f'<th scope="col"{kind} title="{escape(one.meaning)}">'
        f'<button type="button">{title}</button></th>'
    )


def _row(columns: Sequence[Column], result: Result) -> str:
    row = row_of(result)
    failed = ' class="failed"' if result.figures is None else ""
    return f"<tr{failed}>{''.join(_cell(one, row) for one in columns)}</tr>"


def _cell(one: Column, row: dict[str, Any]) -> str:
    names = ["text"] * (one.kind == "text") + ["setting"] * (one.group == "point")
    kind = f' class="{" ".join(names)}"' if names else ""
    value = "" if row[one.name] is None else str(row[one.name])
    return f'<td{kind} data-value="{escape(value)}">{escape(shown_value(one, row))}</td>'


def _failures(results: Sequence[Result]) -> str:
    failed = [result for result in results if result.reason is not None]
    items = "".join(f"<li>{escape(f'{r.point}: {r.reason}')}</li>" for r in failed)
    return f'<ul class="failures">{items}</ul>' if items else ""


def _condition(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
