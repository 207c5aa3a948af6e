"""docs/gallery.md: desks and groups of the ecology are found as it says, by its own blocks."""

from __future__ import annotations

import re

import pytest

from tests.readme_blocks import ROOT, output_of, read

DOCUMENT = ROOT / "docs" / "gallery.md"


def test_the_desks_and_groups_are_what_the_page_says(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    blocks = read(DOCUMENT).blocks
    [film] = [each.text for each in blocks if "marketcam film" in each.text]
    output_of(tmp_path, "bash", "-ec", film)
    queries = ";\n\n".join(each.text for each in blocks if each.language == "sql")
    [of_one_desk], [trades], [core, rim] = (
        duckdb.sql(re.sub(r"'(desks\w*\.parquet/)", rf"'{tmp_path}/\1", query)).fetchall()
        for query in queries.split(";\n\n")
    )
    page = DOCUMENT.read_text()
    assert f"{of_one_desk[0]} of the agents of a community are of one desk" in page
    at_desks, with_the_maker = trades
    assert f"lies {at_desks} of the weight of all trades, and {with_the_maker} of that" in page
    assert f"makers and fundamentalists, {core[0]} of its\nmembers" in page
    assert core[1] == rim[0] == 0
