"""Tables are read back as they were written; the report asks for nothing and hides nothing."""

import csv
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pyarrow import parquet

from marketcam.server.profiling import tables
from marketcam.server.profiling.columns import COLUMNS, columns_table, row_of
from marketcam.server.profiling.report import report, write_report
from marketcam.server.profiling.series import MOST_LINES, select
from marketcam.server.profiling.tables import check_output, check_table, needs, write_table
from marketcam.server.profiling.terminal import print_plan, print_results, shown_columns
from marketcam.server.settings import SettingsError
from tests.profile_helpers import CONDITIONS, failure, points, result

GRID = points(agents="5,50,500", window="6,60", edge_cap="20,200", proximity="pairs,neighbors")
RESULTS = [
    *(
        result(point, frame_ms_p50=0.1 * point.agents, ticks_per_second=50_000 / point.W)
        for point in GRID[:-1]
    ),
    failure(GRID[-1]),
]
COMMAND = ["marketcam", "profile", "--agents", "5,50", "--ticks", "a b.jsonl"]
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Collects a page's tags, attributes and cells; fails where tags do not nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("results", [RESULTS, RESULTS[:1], RESULTS[-1:]])
def test_a_csv_is_read_back(tmp_path, results):
    write_table(tmp_path / "r.csv", results, CONDITIONS)
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [
        {name: "" if value is None else str(value) for name, value in row_of(one).items()}
        for one in results
    ]
    assert rows == expected


@pytest.mark.parametrize("results", [RESULTS, RESULTS[:1], RESULTS[-1:]])
def test_a_parquet_is_read_back_with_units_and_conditions(tmp_path, results):
    write_table(tmp_path / "r.parquet", results, CONDITIONS)
    table = parquet.read_table(tmp_path / "r.parquet")
    assert table.to_pylist() == [row_of(one) for one in results]
    said = {field.name: field.metadata for field in table.schema}
    assert said["frame_ms_p50"] == {
        b"unit": b"ms",
        b"meaning": b"from a frame's tick to its bytes, median",
    }
    assert table.schema.metadata[b"numpy"] == b"2.4"
    assert list(tmp_path.iterdir()) == [tmp_path / "r.parquet"]


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    file = tmp_path / "r.csv"
    file.write_text("old")

    def fail(path, rows):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(tables, "_write_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_table(file, RESULTS, CONDITIONS)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("name", ["r.txt", "r", "no/such/r.csv", "."])
def test_an_output_that_cannot_be_is_told_beforehand(tmp_path, name):
    with pytest.raises(SettingsError, match="--out must "):
        check_table("--out", tmp_path / name)


def test_a_missing_library_is_named_with_the_command_that_brings_it(tmp_path):
    with pytest.raises(SettingsError) as caught:
        needs("--out", Path("r.parquet"), "a_library_nobody_has")
    assert str(caught.value) == (
        "--out r.parquet needs a_library_nobody_has, which is not here: "
        "pip install 'marketcam[profile]'"
    )
    check_output("--report", tmp_path / "r.html")


def test_columns_have_distinct_names_and_a_meaning():
    assert len({one.name for one in COLUMNS}) == len(COLUMNS)
    assert all(one.meaning for one in COLUMNS)


def test_columns_are_documented():
    text = (Path(__file__).parents[2] / "docs" / "profiling.md").read_text()
    assert columns_table() in text


def test_the_terminal_shows_what_varies_and_why_a_point_failed(capsys):
    print_results(RESULTS)
    out = capsys.readouterr().out
    titles = [one.title for one in shown_columns(RESULTS)]
    assert {"agents", "W", "cap", "rule"} <= set(titles)
    assert "stride" not in titles
    assert "stride 2, eps 0.05" in out
    assert f"failed: {GRID[-1]}: no room <here> & there" in out
    print_results(RESULTS[:1])
    assert "5 agents" not in capsys.readouterr().out.splitlines()[0]


def test_an_upper_bound_is_shown_as_one(capsys):
    print_results([result(GRID[0], edges_all_cut=True)])
    assert "≤ 10.00" in capsys.readouterr().out


def test_the_plan_says_memory_and_what_will_fail(capsys):
    print_plan(points(agents="10,50000", pair_budget_bytes="1000000"), None)
    out = capsys.readouterr().out
    assert re.search(r"10 .* 250\b", out)
    assert "will fail: 50000 agents in a window, more than " in out


@pytest.mark.parametrize("results", [RESULTS, RESULTS[:1], RESULTS[-1:]], ids=len)
def test_the_report_asks_for_nothing(results):
    text = report(results, CONDITIONS, COMMAND)
    page = Page(text)
    asking = [
        (tag, name, value)
        for tag, name, value in page.attributes
        if name in {"src", "href", "srcset", "action", "data", "poster", "xlink:href"}
        and not value.startswith(("#", "data:,"))
    ]
    assert asking == []
    assert "://" not in text
    assert "url(" not in re.sub(r"url\(#", "", text)
    assert "@import" not in text
    assert ("meta", "http-equiv", "Content-Security-Policy") in page.attributes


def test_the_report_is_one_page_whose_ids_are_unique():
    page = Page(report(RESULTS, CONDITIONS, COMMAND))
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    links = [value[1:] for _, name, value in page.attributes if name == "href" and value[0] == "#"]
    assert links
    assert set(links) <= set(ids)


def test_the_report_shows_every_point_and_how_it_was_made():
    page = Page(report(RESULTS, CONDITIONS, COMMAND))
    assert page.tags.count("tr") == 1 + len(RESULTS)
    cells = [value for tag, name, value in page.attributes if name == "data-value"]
    assert len(cells) == len(RESULTS) * page.tags.count("th")
    texts = "".join(page.texts)
    assert "marketcam profile --agents 5,50 --ticks 'a b.jsonl'" in texts
    assert f"{GRID[-1]}: no room <here> & there" in texts
    assert all(value in texts for value in CONDITIONS.values())
    assert page.tags.count("svg") == 6


def test_one_value_on_an_axis_makes_a_hint_in_place_of_a_plot():
    page = Page(report(RESULTS[:1], CONDITIONS, COMMAND))
    texts = "".join(page.texts)
    assert page.tags.count("svg") == 1  # what any cap keeps is known from one point
    assert "One value of W was measured" in texts
    assert "What a window costs" not in texts
    assert Page(report(RESULTS[-1:], CONDITIONS, COMMAND)).tags.count("svg") == 0


def test_figures_at_nothing_are_drawn_as_well():
    none = {"weight_kept_share": None, "edges_kept_share": None, "curve": ()}
    some = [result(point, weight_least_kept=None, **none) for point in points(agents="1,2")]
    assert Page(report(some, CONDITIONS, COMMAND)).tags.count("svg") == 3


def test_the_report_replaces_the_old_one(tmp_path):
    (tmp_path / "r.html").write_text("old")
    write_report(tmp_path / "r.html", RESULTS, CONDITIONS, COMMAND)
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_a_plot_holds_what_it_cannot_show():
    selection = select(RESULTS, "W")
    assert [(line.label, line.dashed) for line in selection.lines] == [
        (f"{agents} agents", rule == "neighbors")
        for agents in (5, 50, 500)
        for rule in ("neighbors", "pairs")
    ]
    assert selection.notes == ("cap 200", "dashed: neighbors")
    assert {result.point.edge_cap for line in selection.lines for result in line.results} == {200}


def test_many_lines_are_thinned_and_said_to_be():
    many = [result(point) for point in points(agents="1:20:1", window="6,7")]
    selection = select(many, "W")
    assert len(selection.lines) == MOST_LINES
    assert selection.lines[0].label == "1 agents"
    assert selection.lines[-1].label == "20 agents"
    assert selection.notes == ("6 of 20 lines",)


def test_reading_a_table_needs_no_plots():
    assert "matplotlib" in sys.modules  # the report has; a table has not
    source = (Path(tables.__file__)).read_text()
    assert "matplotlib" not in source
