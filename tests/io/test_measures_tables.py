"""Measures of a recording: the rows of its frames, the same wherever they are computed."""

from __future__ import annotations

import pickle
from functools import partial

import orjson
import pytest
from pyarrow import parquet

from marketcam.engine import LimitError
from marketcam.io import (
    MeasureExport,
    MeasureOptions,
    Store,
    measures,
    measures_reader,
    measures_schema,
    measures_table,
)
from marketcam.io.measuring import tables as tables_module
from marketcam.io.measuring.files import betweenness_left_out, export_measures
from marketcam.io.measuring.measured import Measured, measure_line
from marketcam.io.measuring.names import FOLLOWED, GRAPHS, MEASURES, column
from marketcam.io.measuring.reading import Asked, measured_frames, row_lines
from marketcam.io.store import StoreError, UnknownRunError
from tests.history_helpers import film_into, raw_ticks

SPAN = ("t", "t0", "t1")


@pytest.fixture
def store(tmp_path):
    film_into(tmp_path, raw_ticks(), segment_bytes=20_000)
    return Store(tmp_path)


def test_a_row_a_frame_with_the_measures_of_that_frame(store):
    rows = measures_table(store).to_pylist()
    frames = list(store.frames())
    assert len(rows) == len(frames) == 13
    run = store.run().id
    followed = {column(g, name) for g in GRAPHS for name in MEASURES if is_followed(name)}
    for row, frame in zip(rows, frames, strict=True):
        assert row.pop("run") == run
        assert {name: row[name] for name in row if name not in followed} == measures(frame)
        assert followed < set(row)


def is_followed(name):
    return MEASURES[name].group == FOLLOWED


def test_communities_and_their_members_are_those_that_were_counted(store):
    rows, communities, memberships = (
        measures_table(store, table=table).to_pylist()
        for table in ("measures", "communities", "memberships")
    )
    for row in rows:
        for graph in GRAPHS:
            of_graph = [c for c in communities if (c["t"], c["graph"]) == (row["t"], graph)]
            assert len(of_graph) == row[f"{graph}_communities"]
            assert max(c["size"] for c in of_graph) == row[f"{graph}_largest_community"]
            ages = [row["t"] - c["born_t"] for c in of_graph]
            assert row[f"{graph}_communities_age"] == pytest.approx(sum(ages) / len(ages))
            kept = [c["overlap"] for c in of_graph if c["overlap"] is not None]
            assert row[f"{graph}_communities_kept"] == (None if row is rows[0] else len(kept))
            for community in of_graph:
                key = (*(row[name] for name in SPAN), graph, community["community"])
                members = [m["agent_id"] for m in memberships if key_of(m) == key]
                assert members == sorted(set(members))
                assert len(members) == community["size"]
    assert len({c["community"] for c in communities if c["graph"] == "match"}) > 1
    assert any(c["born_t"] < c["t"] for c in communities)
    assert len(memberships) == sum(c["size"] for c in communities)


def key_of(member):
    return (*(member[name] for name in SPAN), member["graph"], member["community"])


def test_a_part_thinned_of_one_run_or_all(store, tmp_path):
    film_into(tmp_path, raw_ticks(20))
    first, second = (run.id for run in store.runs())
    assert measures_table(store)["run"].unique().to_pylist() == [second]
    part = measures_table(store, 12, 50, run=first, every=2)
    assert part["t"].to_pylist() == [12, 20, 28, 36, 44]
    both = measures_table(store, run="all", options=MeasureOptions(names=("communities_born",)))
    assert both["run"].to_pylist() == [first] * 13 + [second] * 3
    born = both["match_communities_born"].to_pylist()
    assert [place for place, count in enumerate(born) if count is None] == [0, 13], "anew by run"


def test_communities_without_a_measure_of_them(store):
    options = MeasureOptions(graphs=("both",), names=("density",))
    communities = measures_table(store, table="communities", options=options)
    assert communities["graph"].unique().to_pylist() == ["both"]
    assert measures_table(store, options=options).column_names[4:] == ["both_density", "run"]


def test_a_stream_comes_in_batches(monkeypatch, store):
    for table in ("measures", "memberships"):
        whole = measures_table(store, table=table)
        with monkeypatch.context() as patch:
            patch.setattr(tables_module, "BATCH_ROWS", {table: 4})
            batches = list(measures_reader(store, table=table))
        assert len(batches) > 2
        assert all(batch.num_rows >= 4 for batch in batches[:-1])
        assert [row for batch in batches for row in batch.to_pylist()] == whole.to_pylist()


def test_lines_are_rows_with_null_for_what_is_not_defined(store):
    rows = [orjson.loads(line) for line in row_lines(store, Asked(), MeasureOptions())]
    assert rows == measures_table(store).to_pylist()
    assert rows[0]["match_communities_born"] is None


def test_frames_may_be_measured_elsewhere(store):
    """As another process would do it: the function and what it returns go through a pickle."""

    def elsewhere(function, lines):
        assert isinstance(function, partial)
        sent = pickle.dumps(function)
        there = [pickle.dumps(pickle.loads(sent)(line)) for line in lines]
        return map(pickle.loads, there)

    here, there = (
        list(row_lines(store, Asked(), MeasureOptions(), spread)) for spread in (map, elsewhere)
    )
    assert here == there
    [line, *_] = store.lines("frames")
    assert isinstance(measure_line(line, MeasureOptions()), Measured)


def test_the_schemas_are_fixed():
    def types(table, **options):
        schema = measures_schema(table, MeasureOptions(**options))
        return {field.name: (str(field.type), field.nullable) for field in schema}

    whole, number = ("int64", False), ("double", True)
    span = dict.fromkeys(SPAN, whole)
    run = {"run": ("dictionary<values=string, indices=int32, ordered=0>", False)}
    graph = {"graph": ("dictionary<values=string, indices=int8, ordered=0>", False)}
    found = types("measures", graphs=("match",), names=("density", "edges"))
    expected = {"nodes": whole, "match_edges": ("int64", True), "match_density": number}
    assert found == span | expected | run
    of_community = {
        "size": whole,
        "born_t": whole,
        "overlap": number,
        "split_from": ("int64", True),
    }
    assert types("communities") == span | graph | {"community": whole} | of_community | run
    assert types("memberships") == span | graph | {"community": whole, "agent_id": whole} | run
    assert len(types("measures")) == 5 + len(GRAPHS) * len(MEASURES)
    for name, unit in (("communities_age", b"ticks"), ("modularity", b"-0.5..1 at resolution 1")):
        assert measures_schema("measures").field(f"both_{name}").metadata == {b"unit": unit}


def test_what_cannot_be_is_said(store):
    with pytest.raises(StoreError, match="table must be one of measures, communities, membership"):
        measures_table(store, table="edges")
    with pytest.raises(StoreError, match="table must be one of"):
        MeasureExport(tables=("nodes",))
    with pytest.raises(LimitError, match=r"from_t must be at most to_t \(4\), got 5"):
        measures_table(store, 5, 4)
    with pytest.raises(LimitError, match="every must be at least 1, got 0"):
        MeasureExport(every=0)
    with pytest.raises(UnknownRunError):
        measures_table(store, run="yesterday")


class Growing:
    """A store whose latest run gets its first frame while a measuring of all runs begins."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def segments(self, kind, run=None):
        return [] if run == self._store.run().id else self._store.segments(kind, run)


def test_a_run_that_begins_meanwhile_is_left_for_the_next_time(store, tmp_path):
    first = store.run().id
    film_into(tmp_path, raw_ticks(20))
    told = []
    export = MeasureExport(run="all", options=MeasureOptions(names=("density",)))
    out = tmp_path / "out.parquet"
    export_measures(Growing(store), out, export, lambda *far: told.append(far))
    table = parquet.read_table(out / "measures.parquet")
    assert table["run"].unique().to_pylist() == [first]
    assert len(told) == table.num_rows == 13
    assert told[-1][1] == told[-1][2]


def test_what_has_no_betweenness_is_counted_a_row_group_at_a_time(monkeypatch, store, tmp_path):
    monkeypatch.setattr(tables_module, "BATCH_ROWS", {"measures": 4})
    options = MeasureOptions(("match",), ("betweenness_centralization",), betweenness_steps=0)
    out = tmp_path / "out.parquet"
    [written] = export_measures(store, out, MeasureExport(options=options))
    assert parquet.ParquetFile(written.path).num_row_groups == 4
    monkeypatch.delattr(parquet.ParquetFile, "read")
    assert betweenness_left_out(written.path) == 13


def test_what_is_left_off_is_closed(store):
    closed = []

    def spread(function, lines):
        try:
            yield from map(function, lines)
        finally:
            closed.append(next(lines, None) is not None)

    frames = measured_frames(store, Asked(), MeasureOptions(names=("density",)), spread)
    assert next(frames).row["t"] == 8
    frames.close()
    assert closed == [True], "before the lines are"
