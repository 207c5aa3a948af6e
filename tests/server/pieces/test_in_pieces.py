"""Films in pieces: the files of one camera to the byte, whatever the ticks are."""

from __future__ import annotations

import itertools
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketcam.engine import LimitError
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_tick
from marketcam.server.errors import ConfigurationError
from marketcam.server.settings import described_settings
from tests.piece_helpers import filmed
from tests.raw_ticks import STATE, tick
from tests.tick_tables import long_rows, wide_rows, write_csv, write_parquet

START = datetime(2026, 1, 24, 12, tzinfo=UTC)
CAMERA: dict[str, Any] = {
    "window": 20,
    "stride": 4,
    "edge_cap": 40,
    "segment_bytes": 100_000,
    "record_ticks": True,
    "burst_z": 1.0,
    "shock_z": 1.0,
}
TICKS = list(itertools.islice(InfiniteGameMarket(agents=8, seed=5, adjust_interval=50), 300))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for setting in described_settings():
        monkeypatch.delenv(setting.variable, raising=False)


def assert_same(folder: Path, ticks: Path | None, piece_ticks: int, **options: Any) -> dict:
    given = CAMERA | ({} if ticks is None else {"ticks": str(ticks)}) | options
    one = filmed(folder / "one", START, **given)
    pieces = filmed(folder / "pieces", START, piece_ticks=piece_ticks, **given)
    assert pieces["said"] == one["said"]
    assert pieces["files"] == one["files"]
    assert sorted(map(str, pieces["events"])) == sorted(map(str, one["events"]))
    return pieces


def written(folder: Path, lines: list[bytes]) -> Path:
    file = folder / "ticks.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


@pytest.mark.parametrize("piece_ticks", [1, 7, 64, 299, 1000])
def test_a_recording_in_pieces_is_the_files_of_one_camera(piece_ticks, tmp_path):
    file = written(tmp_path, [encode_tick(tick) for tick in TICKS])
    made = assert_same(tmp_path, file, piece_ticks)
    assert made["said"] == (300, 299, 0, None)
    assert any(name.startswith("frames/segment") for name in made["files"])


@pytest.mark.parametrize(
    "options",
    [
        {"proximity": "neighbors", "window": 33, "stride": 50, "metric_downsample": 3},
        {"window": 1, "stride": 1, "record_ticks": False},
        {"window": 200, "stride": 7, "match_share": 0.0, "segment_seconds": 0.5},
    ],
    ids=["neighbors", "a window of one tick", "a window longer than pieces"],
)
def test_with_other_settings_too(options, tmp_path):
    file = written(tmp_path, [encode_tick(tick) for tick in TICKS])
    assert_same(tmp_path, file, 30, **options)


def test_the_embedded_market_and_tables_and_stores_as_well(tmp_path):
    market = {"agents": 8, "seed": 5, "adjust_interval": 50, "market_ticks": 200}
    assert_same(tmp_path / "market", None, 30, **market)
    wide = write_parquet(tmp_path / "wide.parquet", wide_rows(TICKS))
    assert_same(tmp_path / "wide", wide, 30)
    table = write_csv(tmp_path / "long.csv.gz", long_rows(TICKS))
    assert_same(tmp_path / "long", table, 30)
    assert_same(tmp_path / "store", tmp_path / "wide" / "one", 30)


LINES = st.sampled_from(
    [b"", b"no tick", b'{"t":1,"t":2}', b'{"mid":1.0}', b'{"t":true}', b"[1]", b'{"t":1e3}']
)


@st.composite
def nasty_lines(draw) -> list[bytes]:
    """Lines in which ticks are missing, come twice, go back, jump, and are refused."""
    lines: list[bytes] = []
    t = 0
    for _ in range(draw(st.integers(1, 60))):
        t += draw(st.sampled_from([1, 1, 1, 1, 1, 1, 1, 1, 2, 0, -3, 40]))
        mid = draw(st.sampled_from([None, 100.0, 101.5, 100, -1.0]))
        raw = tick(t, mid, buys={1: 100.0, t % 3 + 2: 100.1}, matches=[[1, 7]] * (t % 4))
        raw["s"] = STATE
        fault = draw(st.sampled_from([None] * 12 + ["mid", "match", "far", "no state"]))
        if fault == "mid":
            raw["mid"] = "x"
        elif fault == "match":
            raw["matches"] = [[1, 1]]
        elif fault == "far":
            raw |= {"t": 10**6, "actions": {"1": {"side": "up"}}}
        elif fault == "no state":
            del raw["s"]
        lines.append(orjson.dumps(raw))
        if draw(st.integers(0, 9)) == 0:
            lines.append(draw(LINES))
    return lines


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    lines=nasty_lines(), piece_ticks=st.integers(1, 12), bad_tick=st.sampled_from(["skip", "fail"])
)
def test_whatever_the_ticks_are(lines, piece_ticks, bad_tick):
    with tempfile.TemporaryDirectory() as name:
        file = written(Path(name), lines)
        options = {"window": 5, "stride": 2, "bad_tick": bad_tick, "tick_rate": 100.0}
        assert_same(Path(name), file, piece_ticks, **options)


def test_ticks_that_the_camera_alone_refuses_are_found_by_the_workers(tmp_path):
    rows = wide_rows(TICKS)
    for place in (30, 31, 60, 150):
        rows[place]["agent_id"] = [rows[place]["agent_id"][0]] * len(rows[place]["agent_id"])
    table = write_parquet(tmp_path / "ticks.parquet", rows)
    made = assert_same(tmp_path, table, 20)
    assert made["said"] == (296, 299, 4, None)
    assert "row 31: tick 30" in str(made["events"])


def test_more_agents_than_the_budget_allows_end_it_at_the_same_tick(tmp_path):
    crowd = {t: range(3 if t < 90 else 3000) for t in range(93)}
    raws = [
        tick(t, buys=dict.fromkeys(agents, 100.0)) | {"s": STATE} for t, agents in crowd.items()
    ]
    file = written(tmp_path, [orjson.dumps(raw) for raw in raws])
    made = assert_same(tmp_path, file, 16, pair_budget_bytes=2**20)
    assert made["said"][:2] == (90, 89)
    assert "tick 90: 3000 agents in a window" in made["said"][3]


def test_what_depends_on_all_ticks_before_is_refused(tmp_path):
    file = written(tmp_path, [encode_tick(tick) for tick in TICKS[:5]])
    with pytest.raises(ConfigurationError, match=r"must be stop where .* got wait"):
        filmed(tmp_path / "s", START, piece_ticks=5, ticks=str(file), pair_budget_action="wait")
    with pytest.raises(LimitError, match="agents"):
        filmed(
            tmp_path / "s",
            START,
            piece_ticks=5,
            market_ticks=9,
            agents=5000,
            pair_budget_bytes=10**6,
        )
