"""The gallery's script writes tables and plots of markets filmed briefly, and nothing else."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import gallery
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_tick

PAGE = Path(gallery.PAGE)
BRIEFLY = ("--frames", "2", "--window", "5")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page made briefly, with a recording of ticks as one more market."""
    folder = tmp_path_factory.mktemp("gallery")
    page, ticks = folder / "gallery.md", folder / "ticks.jsonl"
    page.write_text(PAGE.read_text())
    market = InfiniteGameMarket(agents=8, seed=3, pool_only=True)
    ticks.write_bytes(b"".join(encode_tick(tick) + b"\n" for tick in islice(market, 50)))
    gallery.main([*BRIEFLY, "--page", str(page), "--ticks", f"pool={ticks}"])
    return page


def table_of(page, name):
    begin = f"<!-- {name}: written by benchmarks.gallery -->\n"
    text = page.read_text().partition(begin)[2].partition("\n<!-- end -->")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_tables_have_a_column_a_market(made):
    head, _, *films = table_of(made, "films")
    assert head == ["market", "frames", "agents a frame", "ticks"]
    names = [market.name for market in gallery.MARKETS]
    assert [row[0] for row in films] == [*names, "pool"]
    assert {(row[1], row[3]) for row in films} == {("2", "10")}
    assert table_of(made, "match")[0] == ["trades", *names]
    assert table_of(made, "quote_proximity")[0] == ["quote proximity", *names, "pool"]
    labels = [row[0] for row in table_of(made, "match")[2:]]
    assert labels == list(gallery.SHOWN.values())
    assert len(table_of(made, "caps")) == 2 + 2 * len(gallery.CUT)


def test_only_what_is_between_the_marks_changes(made):
    def prose(path):
        parts = path.read_text().split("written by benchmarks.gallery -->")
        return [parts[0], *(part.partition("<!-- end -->")[2] for part in parts[1:])]

    assert prose(made) == prose(PAGE)


def test_plots_are_the_images_of_the_page(made):
    for path in sorted((made.parent / "images").iterdir()):
        assert f"images/{path.name}" in made.read_text()
        assert ET.parse(path).getroot().tag.endswith("svg")
    assert len(list((made.parent / "images").iterdir())) == made.read_text().count("](images/")


def test_the_same_arguments_give_the_same_page(monkeypatch, tmp_path):
    monkeypatch.setattr(gallery, "MARKETS", gallery.MARKETS[:1])
    page, plot = tmp_path / "gallery.md", tmp_path / "images" / "gallery-match.svg"
    page.write_text(PAGE.read_text())
    made = []
    for _ in range(2):
        gallery.main([*BRIEFLY, "--page", str(page)])
        made.append((page.read_text(), plot.read_bytes()))
    assert made[0] == made[1]


def test_a_page_without_its_marks_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "MARKETS", gallery.MARKETS[:1])
    (tmp_path / "page.md").write_text("nothing to fill in")
    with pytest.raises(SystemExit, match=r"must have the mark .* once, has it 0 times"):
        gallery.main([*BRIEFLY, "--page", str(tmp_path / "page.md")])


def test_a_recording_has_a_name(capsys):
    with pytest.raises(SystemExit):
        gallery.main(["--ticks", "run.jsonl"])
    assert "must be NAME=FILE of a file that is there, got 'run.jsonl'" in capsys.readouterr().err
