"""docs/history.md, "From Python" and "Export": its blocks are run as they stand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.readme_blocks import ROOT, output_of, read
from tests.server_helpers import server_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server_helpers import ServerProcess

HISTORY = ROOT / "docs" / "history.md"


def block(section: str, language: str, number: int = 0) -> str:
    found = (b for b in read(HISTORY).blocks if (b.section, b.language) == (section, language))
    return [b.text for b in found][number]


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Iterator[tuple[Path, ServerProcess]]:
    """A folder with a store `data`, recorded beyond tick 200, whose camera runs on."""
    folder = tmp_path_factory.mktemp("history")
    flags = ("--agents", "20", "--tick-rate", "200", "--W", "20", "--segment-bytes", "1000000")
    with server_process(folder, *flags, IG_CAM_STORE_DIR=str(folder / "data")) as server:
        server.wait_for_log("event=segment_closed path=frames/")
        yield folder, server


def test_lines_are_read(camera):
    folder, server = camera
    script = block("From Python", "python", 0)
    for place in ('"data"', f'"{server.url}"'):
        run, *frames = output_of(
            folder,
            sys.executable,
            "-c",
            script.replace('open_store("data")', f"open_store({place})"),
        ).splitlines()
        assert run.count(" ") == 2
        assert [line.split()[0] for line in frames] == ["100", "110", "120", "130", "140"]
        assert all(line.split()[1:3] == ["20", "nodes"] for line in frames)


def test_tables_are_taken_by_pandas_and_polars(camera):
    pytest.importorskip("polars")
    pytest.importorskip("pandas")
    printed = output_of(camera[0], sys.executable, "-c", block("From Python", "python", 1))
    assert printed.count("quote_proximity") == printed.count("match") == 2


def test_a_frame_is_a_graph(camera):
    pytest.importorskip("networkx")
    printed = output_of(camera[0], sys.executable, "-c", block("From Python", "python", 2))
    first, second = printed.splitlines()
    assert first.startswith("100 [(")
    assert int(second.split()[0]) >= 1


def test_an_export_is_read_by_duckdb(camera):
    duckdb = pytest.importorskip("duckdb")
    folder, server = camera
    script = block("Export", "bash")
    assert "127.0.0.1:8000" in script
    output_of(folder, "bash", "-ec", script.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}"))
    written = {name: sorted(p.name for p in (folder / name).iterdir()) for name in PARQUET}
    assert written["market.parquet"] == ["edges.parquet", "metrics.parquet", "nodes.parquet"]
    assert written == dict.fromkeys(PARQUET, written["market.parquet"])
    by_type, strongest, joined = (
        duckdb.sql(query.replace("'market.parquet/", f"'{folder}/market.parquet/")).fetchall()
        for query in block("Export", "sql").split(";\n\n")
    )
    assert [row[0] for row in by_type] == ["match", "quote_proximity"]
    assert len(strongest) == 5
    assert strongest == sorted(strongest, key=lambda row: -row[1])
    assert [row[0] for row in joined] == [20, 30, 40, 50, 60]
    assert {row[3] for row in joined} == {20}


PARQUET = ("market.parquet", "part.parquet")
