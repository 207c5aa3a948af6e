"""Parquet and CSV as sources of ticks: the same ticks, to the bit, as from JSON lines."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketcam.engine import SlidingWindowCamera, Tick, film
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_frame, encode_tick, read_ticks
from marketcam.io.sources import (
    BadLine,
    Measured,
    SourceError,
    TickLineError,
    table_files,
)
from marketcam.io.sources.opening import open_ticks
from marketcam.io.sources.tick_tables import TickTable
from tests.raw_ticks import crowd, tick
from tests.tick_tables import (
    WIDE_TYPES,
    long_rows,
    match_rows,
    wide_rows,
    write_csv,
    write_parquet,
)

TICKS = [
    *(Tick.from_dict(raw) for raw in crowd(3, 30, agents=8, lifetime=9)),
    Tick.from_dict({"t": 30}),  # no agents, no mid, no state
    Tick.from_dict(tick(31, None, agents={5: None})),
    Tick.from_dict(tick(32, buys={2**53 - 1: 1.25}, matches=[[2**53 - 1, -1]])),
]


def as_values(tick: Tick) -> tuple:
    """Everything a tick holds; the price of nothing is nothing."""
    price = np.where(tick.side == 0, np.nan, tick.price)
    arrays = (tick.agent_id, tick.experience, tick.side, price, tick.matches)
    return (tick.t, tick.mid, tick.state, *(array.tobytes() for array in arrays))


def assert_same(path, ticks=TICKS, **options) -> None:
    read = list(read_ticks(path, **options))
    assert list(map(as_values, read)) == list(map(as_values, ticks))
    assert list(map(encode_tick, read)) == list(map(encode_tick, ticks))


@pytest.fixture(params=[2**16, 40, 1], ids=["one batch", "some batches", "a row a batch"])
def batches(request, monkeypatch):
    monkeypatch.setattr(table_files, "_BATCH_VALUES", request.param)
    monkeypatch.setattr(table_files, "_BLOCK_BYTES", max(512, 16 * request.param))


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("names", [True, False])
def test_a_wide_table_holds_the_ticks(names, tmp_path):
    assert_same(write_parquet(tmp_path / "ticks.parquet", wide_rows(TICKS, names=names)))


@pytest.mark.usefixtures("batches")
def test_a_long_table_and_its_matches_hold_the_ticks(tmp_path):
    ticks = write_parquet(tmp_path / "ticks.parquet", long_rows(TICKS))
    matches = write_parquet(tmp_path / "matches.parquet", match_rows(TICKS))
    assert_same(ticks, matches=matches)


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zst"])
def test_csv_holds_the_ticks(ending, tmp_path):
    ticks = write_csv(tmp_path / f"ticks.{ending}", long_rows(TICKS))
    matches = write_csv(tmp_path / f"matches.{ending}", match_rows(TICKS))
    assert_same(ticks, matches=matches)


def test_without_a_file_of_matches_there_are_none(tmp_path):
    source = read_ticks(write_csv(tmp_path / "ticks.csv", long_rows(TICKS)))
    assert all(not len(tick.matches) for tick in source)


@pytest.mark.parametrize(
    "types",
    [
        {"agent_id": pa.large_list(pa.uint32()), "match_b": pa.list_(pa.int8())},
        {"price": pa.list_(pa.float32()), "experience": pa.list_(pa.null())},
        {"side": pa.list_(pa.dictionary(pa.int8(), pa.string())), "mid": pa.int16()},
        {"t": pa.int32(), "price": pa.list_(pa.int32()), "side": pa.list_(pa.large_string())},
        {"agent_id": pa.list_(pa.int64(), 2), "side": pa.list_(pa.string(), 2)},
    ],
    ids=str,
)
def test_types_that_hold_the_same_are_the_same(types, tmp_path):
    ticks = [Tick.from_dict(tick(t, 100, buys={1: 5.0, 9: 6.0}, matches=[[1, -1]])) for t in (0, 4)]
    path = write_parquet(tmp_path / "ticks.parquet", wide_rows(ticks), **types)
    assert_same(path, ticks)


def test_null_lists_are_empty_and_nan_is_not_known(tmp_path):
    [row] = wide_rows([Tick.from_dict({"t": 3})])
    nothing = dict.fromkeys(("agent_id", "experience", "side", "price", "match_a", "match_b"))
    path = write_parquet(
        tmp_path / "t.parquet", [row | nothing | {"mid": float("nan")}], **WIDE_TYPES
    )
    assert_same(path, [Tick.from_dict({"t": 3})])


def test_lists_of_a_fixed_size_may_be_null_and_columns_without_any_list_too(tmp_path):
    ticks = [Tick.from_dict(tick(t, 100, buys={1: 5.0, 9: 6.0})) for t in (0, 2)]
    ticks.insert(1, Tick.from_dict({"t": 1, "mid": 100.0}))
    rows = wide_rows(ticks)
    for row in rows:
        row["match_a"] = row["match_b"] = None
        if not row["agent_id"]:
            row["agent_id"] = row["side"] = None
    fixed = {"agent_id": pa.list_(pa.int64(), 2), "side": pa.list_(pa.string(), 2)}
    path = write_parquet(tmp_path / "t.parquet", rows, **fixed)
    assert pq.read_schema(path).field("match_a").type == pa.null()
    assert_same(path, ticks)


def test_spaces_around_the_fields_of_csv_do_not_count(tmp_path):
    matches = write_csv(tmp_path / "m.csv", match_rows(TICKS[:3]))
    path = write_csv(tmp_path / "ticks.csv", long_rows(TICKS[:3]))
    path.write_text(path.read_text().replace(",", " ,\t ").replace('"', ""))
    assert_same(path, TICKS[:3], matches=matches)


def test_columns_that_do_not_belong_are_not_read(tmp_path):
    rows = [row | {"run": "a", "note": "ü"} for row in long_rows(TICKS[:3])]
    matches = write_csv(tmp_path / "m.csv", match_rows(TICKS[:3]))
    assert_same(write_csv(tmp_path / "ticks.csv", rows), TICKS[:3], matches=matches)


def test_a_byte_order_mark_before_the_header_of_csv_is_skipped(tmp_path):
    matches = write_csv(tmp_path / "m.csv", match_rows(TICKS[:3]))
    path = write_csv(tmp_path / "ticks.csv", long_rows(TICKS[:3]))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert_same(path, TICKS[:3], matches=matches)


@pytest.mark.kernel
def test_frames_are_to_the_byte_those_of_the_ticks(tmp_path):
    ticks = [tick for tick, _ in zip(InfiniteGameMarket(agents=20), range(40), strict=False)]
    path = write_parquet(tmp_path / "ticks.parquet", wide_rows(ticks))
    frames = [encode_frame(frame) for frame in film(read_ticks(path), 12, 4)]
    assert len(frames) == 7
    assert frames == [encode_frame(frame) for frame in film(ticks, 12, 4)]


def test_the_camera_takes_the_arrays_as_they_are(tmp_path):
    path = write_parquet(tmp_path / "ticks.parquet", wide_rows(TICKS))
    camera = SlidingWindowCamera(W=3, stride=1)
    for one in read_ticks(path):
        assert all(column.flags.carray for column in one.columns)
        camera.ingest_tick(one)
    assert camera.maybe_frame(32) is not None


def test_share_and_place_say_how_far_it_has_come(tmp_path):
    source = read_ticks(write_parquet(tmp_path / "ticks.parquet", wide_rows(TICKS)))
    assert isinstance(source, Measured)
    assert source.share == 0.0
    ticks = iter(source)
    next(ticks)
    next(ticks)
    assert source.place == "row 2"
    assert len(list(ticks)) == len(TICKS) - 2
    assert source.share == 1.0
    matches = write_csv(tmp_path / "m.csv", match_rows(TICKS))
    source = read_ticks(write_csv(tmp_path / "ticks.csv", long_rows(TICKS)), matches=matches)
    places = [source.place for tick in source if tick.t in {0, 1}]
    assert places == ["row 1", f"row {len(TICKS[0].agent_id) + 1}"]
    assert source.share == 1.0


def test_closing_ends_the_ticks(tmp_path):
    source = read_ticks(write_parquet(tmp_path / "ticks.parquet", wide_rows(TICKS)))
    ticks = iter(source)
    next(ticks)
    source.close()
    source.close()
    assert list(ticks) == []


def test_memory_is_bounded_whatever_the_length(tmp_path):
    row = wide_rows(TICKS[:1])[0]
    rows = [row | {"t": t} for t in range(60_000)]
    path = write_parquet(tmp_path / "ticks.parquet", rows, **WIDE_TYPES)
    del rows
    held = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        most = 0
        for tick in read_ticks(path):
            if tick.t % 1000 == 0:
                most = max(most, pa.total_allocated_bytes() - held)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tick.t == 59_999
    assert most < 16 * 2**20
    assert peak < 16 * 2**20


# ---- what is refused -----------------------------------------------------------------------------


def refusals(path, **options) -> tuple[list[int], list[BadLine]]:
    bad: list[BadLine] = []
    return [tick.t for tick in open_ticks(path, bad.append, **options)], bad


ROW = {
    "t": 7,
    "mid": 100.0,
    "agent_id": [4, 9],
    "experience": [0.5, None],
    "side": ["buy", "none"],
    "price": [100.5, None],
    "match_a": [4],
    "match_b": [-1],
}
TYPES = {name: WIDE_TYPES[name] for name in ROW}
WITH_STATE = ROW | {"price_norm": 0.5, "volatility": 0.1, "liquidity": 1.0, "imbalance": 0.0}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"t": None}, "tick: t must be an integer, got None"),
        ({"t": 2**60}, f"tick: t must lie within ±{2**53 - 1}, got {2**60}"),
        ({"mid": float("inf")}, "tick 7: mid must be finite, got inf"),
        ({"agent_id": [4, None]}, "tick 7: agent_id must hold integer agent ids, got None"),
        (
            {"side": ["buy", "hold"]},
            "tick 7, agent 9: side must be 'none', 'buy', 'sell', got 'hold'",
        ),
        (
            {"experience": [0.5]},
            "tick 7: experience must have as many entries as agent_id, 2, got '1 entries'",
        ),
        (
            {"match_b": []},
            "tick 7: match_b must have as many entries as match_a, 1, got '0 entries'",
        ),
        ({"match_b": [None]}, "tick 7: matches[0] must be a pair of agent ids, got None"),
        ({"volatility": None}, "tick 7: s.volatility must be a number, got None"),
        ({"volatility": float("inf")}, "tick 7: s.volatility must be finite, got inf"),
    ],
)
def test_a_bad_row_is_told_and_skipped_or_ends_the_ticks(change, error, tmp_path):
    rows = [WITH_STATE, WITH_STATE | change, WITH_STATE | {"t": 8}]
    types = {name: WIDE_TYPES[name] for name in WITH_STATE}
    path = write_parquet(tmp_path / "t.parquet", rows, **types)
    ts, bad = refusals(path)
    assert ts == [7, 8]
    assert [(line.number, line.unit, str(line.error)) for line in bad] == [(2, "row", error)]
    with pytest.raises(TickLineError) as raised:
        list(read_ticks(path))
    assert str(raised.value) == f"ticks from {path}: row 2: {error}"


CSV = "t,mid,agent_id,experience,side,price\n1,9.5,4,,buy,9\n1,9.5,6,0.5,none,\n"


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ("x,9.5,4,,buy,9", "tick: t must be an integer, got 'x'"),
        (",9.5,4,,buy,9", "tick: t must be an integer, got None"),
        ("2,nine,4,,buy,9", "tick 2: mid must be a number, got 'nine'"),
        ("2,9.5,4.5,,buy,9", "tick 2: agent_id must be an integer, got '4.5'"),
        ("2,9.5,,,buy,9", "tick 2: agent_id must be an integer, got None"),
        ("2,9.5,4,,Buy,9", "tick 2, agent 4: side must be 'none', 'buy', 'sell', got 'Buy'"),
        ("2,9.5,4,,3,9", "tick 2, agent 4: side must be 'none', 'buy', 'sell', got '3'"),
        ("2,9.5,4,,buy,9e", "tick 2, agent 4: price must be a number, got '9e'"),
        ("2,9.5,4,much,buy,9", "tick 2, agent 4: experience must be a number, got 'much'"),
        (
            "2,9.5,4,,buy,9\n2,9.25,5,,buy,9",
            "tick 2: mid must be the same in all rows of a tick, got 9.25",
        ),
    ],
)
def test_a_bad_row_of_csv_is_named_with_its_agent_field_and_text(row, error, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"{CSV}{row}\n3,9.5,4,,buy,9\n")
    ts, bad = refusals(path)
    assert ts == [1, 3]
    assert [(line.number, str(line.error)) for line in bad] == [(3, error)]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("row", "error"),
    [
        ("2,9.5,4,inf,buy,9", "tick 2, agent 4: experience must be finite, or NaN where unknown"),
        ("2,9.5,4,,buy,", "tick 2, agent 4: price must be finite where the agent quotes, got nan"),
        ("2,9.5,-4,,buy,9", "tick 2, agent -4: agent_id must be 0..9007199254740991, got -4"),
        ("2,9.5,4,,buy,9\n2,9.5,4,,buy,9", "tick 2, agent 4: agent_id must name each agent once"),
        ("0,9.5,4,,buy,9", "tick 0: t must increase from 1, got 0"),
    ],
)
def test_what_can_be_read_is_judged_by_the_camera(row, error, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"{CSV}{row}\n")
    with pytest.raises(ValueError, match=error):
        list(film(read_ticks(path), 3, 1))


@pytest.mark.parametrize(
    ("matches", "error"),
    [
        ("t,a,b\n1,4,6\n5,4,6\n", r"m\.csv: row 2: the ticks have no tick 5 here"),
        ("t,a,b\n0,4,6\n", r"m\.csv: row 1: the ticks have no tick 0 here"),
        ("t,a,b\nx,4,6\n", r"m\.csv: row 1: t must be an integer"),
        ("t,a\n1,4\n", r"m\.csv: there is no column b"),
        ("t,a,b\n1,4,\n", r"row 1: tick 1: matches\[0\].b must be an integer, got None"),
        ("t,a,b\n1,4,6\n1,four,6\n", r"tick 1: matches\[1\].a must be an integer, got 'four'"),
    ],
)
def test_matches_that_do_not_fit_are_refused(matches, error, tmp_path):
    (tmp_path / "t.csv").write_text(CSV)
    (tmp_path / "m.csv").write_text(matches)
    with pytest.raises(SourceError, match=error):
        list(read_ticks(tmp_path / "t.csv", matches=tmp_path / "m.csv"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"t": pa.float64()}, "column t must hold integers, got double"),
        ({"agent_id": pa.list_(pa.bool_())}, "agent_id must hold lists of integers, got list"),
        ({"price": pa.list_(pa.binary())}, "column price must hold lists of numbers, got list"),
        ({"mid": pa.bool_()}, "column mid must hold numbers, got bool"),
        ({"side": pa.int8()}, "column side must hold lists, as agent_id does, got int8"),
    ],
)
def test_a_column_of_another_type_is_refused_before_the_first_tick(changes, error, tmp_path):
    path = write_parquet(tmp_path / "t.parquet", [], **(TYPES | changes))
    with pytest.raises(SourceError, match=error):
        read_ticks(path)


@pytest.mark.parametrize("missing", ["t", "mid", "price", "match_b"])
def test_a_missing_column_is_named(missing, tmp_path):
    row = {name: value for name, value in ROW.items() if name != missing}
    path = write_parquet(tmp_path / "t.parquet", [row])
    with pytest.raises(SourceError, match=f"t.parquet: there is no column {missing}$"):
        read_ticks(path)


def test_what_is_no_table_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    with pytest.raises(SourceError, match=r"cannot be read from .*t.parquet: no such file"):
        read_ticks(path)
    path.write_bytes(b"not parquet")
    with pytest.raises(SourceError, match=r"cannot be read from .*t.parquet: .*parquet"):
        read_ticks(path)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(SourceError, match=r"cannot be read from .*empty.csv: empty csv file"):
        read_ticks(tmp_path / "empty.csv")
    (tmp_path / "twice.csv").write_text("t,t\n1,2\n")
    with pytest.raises(SourceError, match="column t stands twice"):
        read_ticks(tmp_path / "twice.csv")


def test_a_row_of_another_length_ends_the_ticks_and_names_the_place(tmp_path):
    (tmp_path / "t.csv").write_text(CSV + "2,9.5\n")
    with pytest.raises(SourceError, match=r"t.csv: .*xpected 6 columns, got 2"):
        list(read_ticks(tmp_path / "t.csv"))


def test_damage_is_an_error_that_names_the_last_row(tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "_BATCH_VALUES", 1)
    path = write_parquet(tmp_path / "t.parquet", wide_rows(TICKS))
    data = bytearray(path.read_bytes())
    data[20:120] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"t\.parquet: after row \d+: "):
        list(read_ticks(path))


def test_options_that_go_with_another_source_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text(CSV)
    (tmp_path / "t.jsonl").write_text("")
    wide = write_parquet(tmp_path / "t.parquet", [ROW])
    with pytest.raises(SourceError, match="matches go with a Parquet or CSV file only"):
        read_ticks(tmp_path / "t.jsonl", matches=tmp_path / "t.csv")
    with pytest.raises(SourceError, match="has a row a tick: its matches are match_a and match_b"):
        read_ticks(wide, matches=tmp_path / "t.csv")
    with pytest.raises(SourceError, match="a run can be named of a store's ticks only"):
        read_ticks(tmp_path / "t.csv", run="x")


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text(CSV)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SourceError, match=r"needs pyarrow, .*: pip install 'marketcam\[arrow\]'"):
        read_ticks(tmp_path / "t.csv")


def test_a_table_is_a_source_like_the_others(tmp_path):
    (tmp_path / "t.CSV").write_text(CSV)
    source = read_ticks(tmp_path / "t.CSV")
    assert isinstance(source, TickTable)
    assert source.name == f"ticks from {tmp_path / 't.CSV'}"
