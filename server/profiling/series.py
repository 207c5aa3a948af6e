"""Which results a plot shows: what varies along its axis, by colour and by dash, and what is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from marketcam.server.profiling.columns import column, row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marketcam.server.profiling.journal import Result

__all__ = ["MOST_LINES", "Line", "Selection", "axis_values", "select", "setting_text"]

MOST_LINES: Final = 6
"""Lines that can be told apart at a glance."""

_DASHED: Final = ("proximity",)
_AXES: Final = ("agents", "proximity", "W", "stride", "eps_pct", "edge_cap")
_USUAL: Final = {"W": 300, "stride": 10, "eps_pct": 0.003, "edge_cap": 2000, "proximity": "pairs"}


@dataclass(frozen=True, slots=True)
class Line:
    """Some results that a line joins, in the order of the axis.

    Attributes:
        label: what tells it from the others; empty where it is the only one.
        place: where it lies among the lines, 0 to 1, for its colour.
        dashed: whether it is drawn so.
        results: what it joins.
    """

    label: str
    place: float
    dashed: bool
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What one plot shows.

    Attributes:
        lines: its lines.
        held: the settings that vary elsewhere and are held here, in words; may be empty.
    """

    lines: tuple[Line, ...]
    held: str


def axis_values(results: Sequence[Result], name: str) -> list[Any]:
    """Return the values that a setting takes, ascending."""
    found = {getattr(result.point, name) for result in results}
    return sorted(found - {None})


def setting_text(name: str, value: object) -> str:
    """Write a setting and its value, such as ``74 agents`` or ``W 300``."""
    one = column(name)
    shown = str(value) if one.shown is None else one.shown(value)
    if name == "agents":
        return f"{shown} agents"
    return shown if name == "proximity" else f"{one.title} {shown}"


def select(results: Sequence[Result], along: str | None) -> Selection:
    """Choose lines along one setting, or one result a line where `along` is None.

    The first other setting that varies tells lines by colour, the rule by dash; what varies
    beyond these is held at its usual value, or the middle one.
    """
    measured = [result for result in results if result.figures is not None]
    varying = [n for n in _AXES if n != along and len(axis_values(measured, n)) > 1]
    if along is None and "edge_cap" in varying:
        varying.remove("edge_cap")
    coloured = next((n for n in varying if n not in _DASHED), None)
    dashed = next((n for n in varying if n in _DASHED), None)
    held = {n: _usual(n, axis_values(measured, n)) for n in varying if n not in (coloured, dashed)}
    chosen = [r for r in measured if all(getattr(r.point, n) == v for n, v in held.items())]
    values = [None] if coloured is None else axis_values(chosen, coloured)
    shown = _spread(values)
    lines = tuple(
        line
        for place, value in enumerate(shown)
        for line in _lines(chosen, (coloured, value), dashed, place / max(1, len(shown) - 1))
    )
    words = [setting_text(name, value) for name, value in held.items()]
    if len(shown) < len(values):
        words.append(f"{len(shown)} of {len(values)} lines")
    return Selection(tuple(_ordered(line, along) for line in lines), ", ".join(words))


def _lines(
    results: Sequence[Result], coloured: tuple[str | None, Any], dashed: str | None, place: float
) -> list[Line]:
    name, value = coloured
    mine = [r for r in results if name is None or getattr(r.point, name) == value]
    label = "" if name is None else setting_text(name, value)
    if dashed is None:
        return [Line(label, place, False, tuple(mine))]
    rules = axis_values(mine, dashed)
    return [
        Line(
            ", ".join(filter(None, (label, str(rule)))),
            place,
            rule != _USUAL[dashed],
            tuple(r for r in mine if getattr(r.point, dashed) == rule),
        )
        for rule in rules
    ]


def _ordered(line: Line, along: str | None) -> Line:
    if along is None:
        return line
    results = [r for r in line.results if getattr(r.point, along) is not None]
    ordered = sorted(results, key=lambda result: getattr(result.point, along))
    return Line(line.label, line.place, line.dashed, tuple(ordered))


def _usual(name: str, values: Sequence[Any]) -> Any:
    usual = _USUAL.get(name)
    return usual if usual in values else values[len(values) // 2]


def _spread(values: Sequence[Any]) -> list[Any]:
    """Return `MOST_LINES` values at most, evenly from the first to the last."""
    if len(values) <= MOST_LINES:
        return list(values)
    step = (len(values) - 1) / (MOST_LINES - 1)
    return [values[round(k * step)] for k in range(MOST_LINES)]


def figure_of(result: Result, name: str) -> Any:
    """Return one figure of a result."""
    return row_of(result)[name]
