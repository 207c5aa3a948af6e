"""The columns of the results: names, units, types and meanings, one definition for all outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.server.profiling.journal import Result

__all__ = ["COLUMNS", "Column", "column", "columns_table", "row_of"]

Kind = Literal["text", "whole", "number", "yes_no"]
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: as in the files.
        unit: of the values, empty where there is none.
        kind: their type.
        meaning: what they say, in a line.
        group: ``point``, what was asked, or ``figures``, what was measured, or ``result``.
        title: what a person reads above it.
        shown: how a person reads a value; None leaves the column out of what people read.
    """

    name: str
    unit: str
    kind: Kind
    meaning: str
    group: Literal["point", "figures", "result"]
    title: str = ""
    shown: Callable[[Any], str] | None = None


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"


def _milliseconds(value: float) -> str:
    return f"{value:,.2f}"


def _kilobytes(value: float) -> str:
    return f"{value / 1000:,.1f}"


def _mebibytes(value: float) -> str:
    return f"{value / 2**20:,.0f}"


def _percent(value: float) -> str:
    return f"{100 * value:.2f}" if value == 0 or value >= 0.0001 else f"{100 * value:.1g}"


def _weight(value: float) -> str:
    return f"{value:.4f}"


# fmt: off
COLUMNS: Final = (
    Column("source", "", "text", "market, or the name of the tick file", "point"),
    Column("scenario", "", "text", "which embedded market; empty for a tick file", "point"),
    Column("agents", "", "whole", "agents the market started with; empty for a tick file",
        "point", "agents", _count),
    Column("W", "ticks", "whole", "sliding window", "point", "W", _count),
    Column("stride", "ticks", "whole", "from one frame to the next", "point", "stride", _count),
    Column("eps_pct", "share of the mid", "number", "reach of quote proximity",
        "point", "eps", "{:g}".format),
    Column("proximity", "", "text", "rule of quote proximity", "point", "rule", str),
    Column("edge_cap", "edges", "whole", "edges a frame at most", "point", "cap", _count),
    Column("match_share", "share of the cap", "number", "set aside for match edges", "point"),
    Column("zstd_level", "", "whole", "compression level", "point"),
    Column("seed", "", "whole", "of the embedded market", "point"),
    Column("status", "", "text", "measured or failed", "result"),
    Column("reason", "", "text", "why the point could not be measured", "result"),
    Column("frames", "", "whole", "frames timed", "figures"),
    Column("ticks", "", "whole", "ticks timed", "figures"),
    Column("refused", "", "whole", "ticks or lines of the file that were refused", "figures"),
    Column("nodes", "", "number", "nodes a frame, mean", "figures"),
    Column("edges", "", "number", "edges a frame, mean", "figures"),
    Column("ticks_per_second", "1/s", "number", "ticks taken in, frames made and encoded",
        "figures", "ticks/s", _rate),
    Column("frame_ms_p50", "ms", "number", "from a frame's tick to its bytes, median",
        "figures", "frame p50 ms", _milliseconds),
    Column("frame_ms_p95", "ms", "number", "the same, 95th percentile",
        "figures", "p95 ms", _milliseconds),
    Column("frame_ms_p99", "ms", "number",
        "the same, 99th percentile; of fewer than 100 frames, about the largest",
        "figures", "p99 ms", _milliseconds),
    Column("frame_bytes", "bytes", "number", "JSON text of a frame, mean",
        "figures", "JSON kB", _kilobytes),
    Column("frame_bytes_zstd", "bytes", "number",
        "the same as recorded: all frames in one zstd stream", "figures", "zstd kB", _kilobytes),
    Column("memory_peak_bytes", "bytes", "whole", "most memory of the process while filming",
        "figures", "peak MiB", _mebibytes),
    Column("memory_before_bytes", "bytes", "whole", "memory of the process before it had a camera",
        "figures"),
    Column("memory_table_bytes", "bytes", "whole",
        "the camera's own estimate for its pair counts, rule pairs",
        "figures", "table MiB", _mebibytes),
    Column("edges_all", "edges", "number", "edges without a cap, mean of the sampled frames",
        "figures"),
    Column("edges_all_cut", "", "yes_no",
        "edges_all was cut at --all-edges: it is a lower bound, edges_kept_share an upper one",
        "figures"),
    Column("edges_kept_share", "share", "number", "edges kept, of all edges",
        "figures", "edges kept %", _percent),
    Column("weight_kept_share", "share", "number", "weight kept, of the weight of all edges",
        "figures", "weight kept %", _percent),
    Column("match_weight_kept_share", "share", "number", "the same, match edges only",
        "figures", "trades kept %", _percent),
    Column("weight_least_kept", "", "number", "smallest weight kept, median of the sampled frames",
        "figures", "least w", _weight),
    Column("measured_at", "", "text", "when, UTC", "result"),
)
# fmt: on
"""All columns, in their order in the files."""


def column(name: str) -> Column:
    """Return the column of that name."""
    return next(one for one in COLUMNS if one.name == name)


def row_of(result: Result) -> dict[str, Value]:
    """Return a result as a row; what was not measured is None."""
    return {one.name: _value(one, result) for one in COLUMNS}


def columns_table() -> str:
    """Render the columns as the Markdown table of the documentation."""
    rows = [f"| `{one.name}` | {one.unit or '—'} | {one.meaning} |" for one in COLUMNS]
    return "\n".join(["| column | unit | meaning |", "|---|---|---|", *rows, ""])


def _value(one: Column, result: Result) -> Value:
    point = result.point
    match one.name:
        case "source":
            return "market" if point.ticks is None else Path(point.ticks.path).name
        case "status":
            return "failed" if result.figures is None else "measured"
    of: object = {"point": point, "figures": result.figures, "result": result}[one.group]
    value: Value = None if of is None else getattr(of, one.name)
    return value
