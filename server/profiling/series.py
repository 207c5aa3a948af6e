"""Which results a plot shows: what varies along its axis, by colour and by dash, what is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from marketcam.server.profiling.columns import column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marketcam.server.profiling.journal import Result

__all__ = ["MOST_LINES", "Line", "Selection", "axis_values", "select", "setting_text"]

MOST_LINES: Final = 6
"""Lines that can be told apart at a glance."""

_DASHED: Final = "proximity"
_AXES: Final = ("agents", "proximity", "W", "stride", "eps_pct", "edge_cap")
_USUAL: Final = {"W": 300, "stride": 10, "eps_pct": 0.003, "edge_cap": 2000, "proximity": "pairs"}


@dataclass(frozen=True, slots=True)
class Line:
    """Some results that a line joins, in the order of the axis.

    Attributes:
        label: what tells it from others of another colour; empty where it is the only one.
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
        notes: what is held here and varies elsewhere, and what is dashed, in words.
    """

    lines: tuple[Line, ...]
    notes: tuple[str, ...]


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


def select(results: Sequence[Result], along: str | None, *, dash: bool = True) -> Selection:
    """Choose lines along one setting, or for what any cap keeps where `along` is None.

    The first other setting that varies tells lines by colour, the rule by dash unless dashes mean
    something else; what varies beyond these is held at its usual value, or the middle one.
    """
    measured = [result for result in results if result.figures is not None]
    ignored = "edge_cap" if along is None else along
    varying = [n for n in _AXES if n != ignored and len(axis_values(measured, n)) > 1]
    coloured = next((n for n in varying if n != _DASHED), None)
    held = {
        n: _usual(n, axis_values(measured, n))
        for n in varying
        if n != coloured and not (dash and n == _DASHED)
    }
    chosen = [r for r in measured if all(getattr(r.point, n) == v for n, v in held.items())]
    values = [None] if coloured is None else axis_values(chosen, coloured)
    shown = _spread(values)
    lines = tuple(
        line
        for place, value in enumerate(shown)
        for line in _lines(chosen, (coloured, value), place / max(1, len(shown) - 1))
    )
    notes = [setting_text(name, value) for name, value in held.items()]
    if any(line.dashed for line in lines):
        notes.append("dashed: neighbors")
    if len(shown) < len(values):
        notes.append(f"{len(shown)} of {len(values)} lines")
    return Selection(tuple(_ordered(line, along) for line in lines), tuple(notes))


def _lines(results: Sequence[Result], of: tuple[str | None, Any], place: float) -> list[Line]:
    """Return the lines of one colour: one for each rule, the usual one whole."""
    name, value = of
    mine = [r for r in results if name is None or getattr(r.point, name) == value]
    label = "" if name is None else setting_text(name, value)
    rules = axis_values(mine, _DASHED)
    return [
        Line(
            label,
            place,
            len(rules) > 1 and rule != _USUAL[_DASHED],
            tuple(r for r in mine if getattr(r.point, _DASHED) == rule),
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
