"""History as Arrow tables: every value that was recorded, in fixed types."""

from __future__ import annotations

import builtins
from typing import Any

import orjson
import pyarrow as pa
import pytest

from marketcam.engine import FrameError, Tick
from marketcam.io import (
    MissingExtraError,
    Store,
    ZstdSegmentWriter,
    arrow_reader,
    arrow_schema,
    arrow_table,
    encode_tick,
)
from marketcam.io import arrow_tables as rows_module
from marketcam.io.store import StoreError, UnknownSegmentError
from tests.history_helpers import STRIDE, W, film_into, raw_ticks

pytestmark = pytest.mark.kernel


@pytest.fixture
def recording(tmp_path):
    lines = film_into(tmp_path, raw_ticks())
    return Store(tmp_path), {kind: [orjson.loads(x) for x in lines[kind]] for kind in lines}


def agent_of(name: str) -> int:
    return int(name.removeprefix("agent:").partition("@")[0])


def expected_nodes(frame: dict[str, Any]) -> list[dict[str, Any]]:
    span = {"t": frame["t"], "t0": frame["window"]["t0"], "t1": frame["window"]["t1"]}
    return [span | {"agent_id": n["agent_id"]} | n["features"] for n in frame["nodes"]]


def expected_edges(frame: dict[str, Any]) -> list[dict[str, Any]]:
    span = {"t": frame["t"], "t0": frame["window"]["t0"], "t1": frame["window"]["t1"]}
    return [
        span | edge | {"src": agent_of(edge["src"]), "dst": agent_of(edge["dst"])}
        for edge in frame["edges"]
    ]


def expected_metric(metric: dict[str, Any]) -> dict[str, Any]:
    names = ("t", "N", "avg_exp", "matches_n")
    return {name: metric[name] for name in names} | metric["s"]


def without_run(table: pa.Table) -> list[dict[str, Any]]:
    return table.drop_columns("run").to_pylist()


def test_nodes_edges_and_metrics_are_what_was_recorded(recording):
    store, messages = recording
    frames = messages["frames"]
    assert len(frames) == 13
    nodes = [row for frame in frames for row in expected_nodes(frame)]
    edges = [row for frame in frames for row in expected_edges(frame)]
    assert {edge["type"] for edge in edges} == {"match", "quote_proximity"}
    assert any(node["experience_start"] is None for node in nodes)
    assert without_run(arrow_table(store, "nodes")) == nodes
    assert without_run(arrow_table(store, "edges")) == edges
    metrics = [expected_metric(metric) for metric in messages["metrics"]]
    assert without_run(arrow_table(store, "metrics")) == metrics


def test_ticks_are_ticks_again(recording):
    store, messages = recording
    table = arrow_table(store, "ticks")
    assert table["mid"].null_count > 0
    assert table["price_norm"].null_count == 1
    again = [tick_of(row) for row in table.to_pylist()]
    assert again == messages["ticks"]


def tick_of(row: dict[str, Any]) -> dict[str, Any]:
    ids = [str(agent) for agent in row["agent_id"]]
    quotes = zip(ids, row["side"], row["price"], strict=True)
    s = {name: row[name] for name in ("price_norm", "volatility", "liquidity", "imbalance")}
    raw = {
        "t": row["t"],
        "mid": row["mid"],
        "agents": dict(zip(ids, row["experience"], strict=True)),
        "actions": {
            i: {"side": side, "price": price} for i, side, price in quotes if side != "none"
        },
        "matches": [list(pair) for pair in zip(row["match_a"], row["match_b"], strict=True)],
    }
    raw |= {} if s["price_norm"] is None else {"s": s}
    return orjson.loads(encode_tick(Tick.from_dict(raw)))


def test_the_schemas_are_fixed():
    def types(table):
        return {field.name: str(field.type) for field in arrow_schema(table)}

    word = "dictionary<values=string, indices=int8, ordered=0>"
    run = {"run": "dictionary<values=string, indices=int32, ordered=0>"}
    span = {"t": "int64", "t0": "int64", "t1": "int64"}
    ends = {"src": "int64", "dst": "int64"}
    assert types("edges") == span | ends | {"type": word, "w": "double"} | run
    state = dict.fromkeys(("price_norm", "volatility", "liquidity", "imbalance"), "double")
    assert (
        types("metrics")
        == {"t": "int64"}
        | state
        | {
            "N": "int64",
            "avg_exp": "double",
            "matches_n": "int64",
        }
        | run
    )
    assert (
        types("nodes")
        == span
        | {
            "agent_id": "int64",
            **dict.fromkeys(("buy_count", "sell_count", "none_count", "match_count"), "int32"),
            **dict.fromkeys(("match_rate", "quote_price_mean", "quote_price_std"), "double"),
            **dict.fromkeys(("quote_dist_to_mid_mean", "experience_start"), "double"),
            **dict.fromkeys(("experience_end", "experience_delta"), "double"),
            "dominant_side": word,
        }
        | run
    )
    lists = {"agent_id": "int64", "experience": "double", "side": "string", "price": "double"}
    lists |= {"match_a": "int64", "match_b": "int64"}
    assert (
        types("ticks")
        == {"t": "int64", "mid": "double"}
        | state
        | {name: f"list<item: {kind}>" for name, kind in lists.items()}
        | run
    )
    assert arrow_schema("edges").field("w").metadata == {b"unit": b"0..1"}
    assert [f.name for f in arrow_schema("nodes") if f.nullable] == [
        "experience_start",
        "experience_end",
    ]


@pytest.mark.parametrize("table", ["nodes", "edges", "metrics", "ticks"])
@pytest.mark.parametrize("rows", [1, 7, 100_000])
def test_a_stream_of_batches_is_the_table(recording, monkeypatch, table, rows):
    store, _ = recording
    whole = arrow_table(store, table)
    monkeypatch.setattr(rows_module, "BATCH_ROWS", rows)
    with arrow_reader(store, table) as reader:
        assert reader.schema == arrow_schema(table)
        batches = list(reader)
    assert (len(batches) > 3) == (rows < 100)
    assert all(batch.schema == arrow_schema(table) for batch in batches)
    assert pa.Table.from_batches(batches).equals(whole)
    whole.validate(full=True)


def test_agents_and_matches_bound_a_batch_of_ticks(recording, monkeypatch):
    store, _ = recording
    monkeypatch.setattr(rows_module, "_BATCH_VALUES", 30)
    with arrow_reader(store, "ticks") as reader:
        assert all(batch.num_rows <= 3 for batch in reader)


def test_a_part_of_the_run_thinned(recording):
    store, _ = recording
    frames = list(range(W + STRIDE, 53, 3 * STRIDE))
    edges = arrow_table(store, "edges", W + 1, 52, every=3)
    assert sorted(set(edges["t"].to_pylist())) == frames
    assert arrow_table(store, "nodes", 50, 51).num_rows == 0
    assert arrow_table(store, "nodes", 50, 51).schema == arrow_schema("nodes")


def test_an_agent_less_market_has_rows_of_nothing(tmp_path):
    with ZstdSegmentWriter("ticks", tmp_path) as writer:
        writer.write_jsonline({"t": 0, "mid": None}, 0)
    (row,) = arrow_table(Store(tmp_path), "ticks").to_pylist()
    assert (row["t"], row["mid"], row["agent_id"], row["match_b"]) == (0, None, [], [])


def test_every_row_names_its_run(recording):
    store, _ = recording
    table = arrow_table(store, "edges", run="all")
    assert set(table["run"].to_pylist()) == {run.id for run in store.runs()}


def test_what_is_no_frame_is_said(tmp_path):
    with ZstdSegmentWriter("frames", tmp_path) as writer:
        writer.write_jsonline({"type": "frame", "t": 5}, 5)
    with pytest.raises(FrameError, match="frame 5: window must be an object"):
        arrow_table(Store(tmp_path), "edges")


def test_what_is_no_metric_is_said(tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path) as writer:
        writer.write_jsonline({"type": "metric", "t": 5}, 5)
    with pytest.raises(StoreError, match=r"not a metric: \{'type'"):
        arrow_table(Store(tmp_path), "metrics")


def test_no_such_table_and_no_such_kind(recording, tmp_path):
    store, _ = recording
    with pytest.raises(StoreError, match="table must be one of nodes, edges, metrics, ticks"):
        arrow_table(store, "frames")
    only_metrics = tmp_path / "other"
    with ZstdSegmentWriter("metrics", only_metrics) as writer:
        writer.write_jsonline({"type": "metric", "t": 5}, 5)
    with pytest.raises(UnknownSegmentError):
        arrow_table(Store(only_metrics), "ticks")


def test_without_pyarrow_it_is_said_how_to_get_it(recording, monkeypatch):
    store, _ = recording
    arrow_schema.cache_clear()

    def refuse(name, *rest):
        if name == "pyarrow":
            raise ModuleNotFoundError("no pyarrow", name=name)
        return imported(name, *rest)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"needs pyarrow.*pip install 'marketcam\[arrow\]'"):
        arrow_table(store, "nodes")


def test_pandas_takes_the_columns_as_they_are(recording):
    pytest.importorskip("pandas")
    store, _ = recording
    table = arrow_table(store, "edges")
    for name in ("t", "src", "dst", "w"):
        column = table[name].chunk(0)
        series = table.select([name]).to_pandas(split_blocks=True, zero_copy_only=True)[name]
        assert series.to_numpy().ctypes.data == column.buffers()[1].address + 8 * column.offset
    assert table.to_pandas()["type"].dtype.name == "category"


def test_polars_takes_the_columns_as_they_are(recording):
    polars = pytest.importorskip("polars")
    store, _ = recording
    table = arrow_table(store, "edges")
    frame = polars.from_arrow(table)
    for name in ("t", "src", "dst", "w"):
        address = table[name].chunk(0).buffers()[1].address
        assert frame[name].to_numpy(allow_copy=False).ctypes.data == address
    assert frame["type"].to_list() == table["type"].to_pylist()
