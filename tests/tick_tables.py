"""Raw ticks as Parquet and CSV files, for the tests of tables: written from ticks, both forms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from marketcam.engine import SIDES, MarketState, Tick

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STATE_COLUMNS = MarketState._fields


def state_of(tick: Tick) -> dict[str, float | None]:
    values = tick.state or (None,) * 4
    return dict(zip(STATE_COLUMNS, values, strict=True))


def wide_rows(ticks: Iterable[Tick], *, names: bool = True) -> list[dict[str, Any]]:
    """Return a row a tick; sides by name, or by code."""
    return [
        {
            "t": tick.t,
            "mid": tick.mid,
            **state_of(tick),
            "agent_id": tick.agent_id.tolist(),
            "experience": [None if math.isnan(e) else e for e in tick.experience.tolist()],
            "side": [SIDES[side] if names else side for side in tick.side.tolist()],
            "price": [None if math.isnan(p) else p for p in tick.price.tolist()],
            "match_a": tick.matches[:, 0].tolist(),
            "match_b": tick.matches[:, 1].tolist(),
        }
        for tick in ticks
    ]


def long_rows(ticks: Iterable[Tick]) -> list[dict[str, Any]]:
    """Return a row an agent and tick, one without an agent for a tick without any."""
    rows = []
    for tick in ticks:
        [wide] = wide_rows([tick])
        shared = {name: wide[name] for name in ("t", "mid", *STATE_COLUMNS)}
        names = ("agent_id", "experience", "side", "price")
        agents = list(zip(*(wide[name] for name in names), strict=True)) or [(None,) * 4]
        rows += [shared | dict(zip(names, agent, strict=True)) for agent in agents]
    return rows


def match_rows(ticks: Iterable[Tick]) -> list[dict[str, int]]:
    return [{"t": tick.t, "a": a, "b": b} for tick in ticks for a, b in tick.matches.tolist()]


def write_parquet(path: Path, rows: list[dict[str, Any]], **types: Any) -> Path:
    """Write rows; `types` are those of columns that Arrow cannot tell."""
    names = list(rows[0]) if rows else list(types)
    columns = {name: pa.array([row[name] for row in rows], types.get(name)) for name in names}
    pq.write_table(pa.table(columns), path)
    return path


def write_csv(path: Path, rows: list[dict[str, Any]], **texts: Any) -> Path:
    names = list(rows[0])
    columns = {name: pa.array([row[name] for row in rows]) for name in names}
    with pa.output_stream(str(path), compression="detect") as file:
        pa_csv.write_csv(pa.table(columns), file, **texts)
    return path


WIDE_TYPES = {
    "t": pa.int64(),
    "mid": pa.float64(),
    **dict.fromkeys(STATE_COLUMNS, pa.float64()),
    "agent_id": pa.list_(pa.int64()),
    "experience": pa.list_(pa.float64()),
    "side": pa.list_(pa.string()),
    "price": pa.list_(pa.float64()),
    "match_a": pa.list_(pa.int64()),
    "match_b": pa.list_(pa.int64()),
}
