"""docs/measures.md: every measure is defined, and its blocks are run as they stand."""

from __future__ import annotations

import re
import sys

import orjson
import pytest

from marketcam.io.measuring.names import MEASURES
from marketcam.server.cli import main
from tests.readme_blocks import ROOT, output_of, read

DOCUMENT = ROOT / "docs" / "measures.md"


def block(section: str, language: str) -> str:
    found = (b for b in read(DOCUMENT).blocks if (b.section, b.language) == (section, language))
    return next(b.text for b in found)


def test_every_measure_is_defined_once_in_the_order_of_the_columns():
    table = DOCUMENT.read_text().partition("## The measures")[2].partition("\n\n**")[0]
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert named == list(MEASURES)


def test_every_source_that_is_listed_is_used():
    text, _, sources = DOCUMENT.read_text().partition("## Sources")
    for line in sources.strip().splitlines():
        match = re.fullmatch(r"- (\w+)[^(]*\(([0-9a-z]+)\), .+\.", line)
        assert match is not None, line
        first, year = match.groups()
        assert re.search(rf"{first}[^;|)]*[ (]{year}", text), line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the commands of the document leave in it."""
    folder = tmp_path_factory.mktemp("measures")
    films = ["--market", "300", "--agents", "20", "--W", "20"]
    assert main(["film", *films, "--store", str(folder / "data")]) == 0
    assert main(["export", str(folder / "data"), str(folder / "market.parquet")]) == 0
    return folder


def test_commands_and_queries(folder):
    duckdb = pytest.importorskip("duckdb")
    *lines, last = output_of(
        folder, "bash", "-ec", block("From the command line", "bash")
    ).splitlines()
    assert [orjson.loads(line)["t"] for line in lines[:3]] == [20, 30, 40]
    assert [line.split("  ")[0].partition("/")[2] for line in lines[3:]] == [
        "measures.parquet",
        "communities.parquet",
        "memberships.parquet",
    ]
    names = ("density", "modularity", "communities_kept")
    columns = [f"{graph}_{name}" for graph in ("match", "both") for name in names]
    assert list(orjson.loads(last)) == ["t", "t0", "t1", "nodes", *columns, "run"]
    joined, longest = (
        duckdb.sql(re.sub(r"'(m\w+\.parquet/)", rf"'{folder}/\1", query)).fetchall()
        for query in block("From the command line", "sql").split(";\n\n")
    )
    assert [row[0] for row in joined] == [20, 30, 40, 50, 60]
    assert all(0 <= row[1] <= 1 and 0 <= row[3] <= 1 for row in joined)
    assert len(longest) == 5
    assert longest[0][3] >= longest[-1][3] >= 1


def test_the_python_block(folder):
    modularity, table, members = output_of(
        folder, sys.executable, "-c", block("From Python", "python")
    ).splitlines()
    assert 0 <= float(modularity) <= 1
    count, names = table.split(" ", 1)
    assert count == "11"
    assert names == str(
        ["t", "t0", "t1", "nodes", "match_density", "match_communities_kept", "run"]
    )
    assert int(members) > 0
