"""The tutorial, done as it says: its market filmed, watched, and read into Python."""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import TYPE_CHECKING

import orjson

from tests.end_to_end.test_readme import LISTENING_LINE, output_of, read_until, started
from tests.readme_blocks import ROOT, commands, heading_levels, read

if TYPE_CHECKING:
    from pathlib import Path

TUTORIAL = ROOT / "docs" / "tutorial.md"
CHINESE = ROOT / "docs" / "zh" / "tutorial.md"
BLOCKS = [
    ("Install", "bash"),
    ("A market of your own", "python"),
    ("Film it", "bash"),
    ("Look at it", "bash"),
    ("Look at it", "python"),
    ("Take it into Python", "bash"),
    ("Take it into Python", "python"),
]
WATCHED = r"t=(\d+): 30 agents, \d+ pairs that traded"


def test_every_block_is_known_here() -> None:
    assert [(block.section, block.language) for block in read(TUTORIAL).blocks] == BLOCKS


def test_both_languages_show_the_same() -> None:
    english, chinese = (
        [(block.language, block.text) for block in read(path).blocks]
        for path in (TUTORIAL, CHINESE)
    )
    assert english == chinese
    assert heading_levels(TUTORIAL) == heading_levels(CHINESE)


def test_it_is_installed_as_the_makefile_does() -> None:
    install, activate = commands(read(TUTORIAL).blocks[0].text)
    assert f"\n{install.removeprefix('make ')}:" in (ROOT / "Makefile").read_text()
    assert activate == "source .venv/bin/activate"


def test_a_market_of_ones_own_is_filmed_watched_and_read(tmp_path: Path) -> None:
    _, market, film, tail, watch, take, compare = (block.text for block in read(TUTORIAL).blocks)
    (tmp_path / "my_market.py").write_text(market)
    with started("bash", "-c", f"{film} --port 0", folder=tmp_path) as (camera, output):
        *_, listening = read_until(output, LISTENING_LINE)
        found = re.fullmatch(LISTENING_LINE, listening)
        assert found is not None
        address = found[1].removeprefix("http://")
        at = tail.replace("127.0.0.1:8000", address)
        with started("bash", "-c", at, folder=tmp_path) as (_, told):
            read_until(told, r"metric +\d+  .* N 30 .*", r"frame +\d+  .* nodes 30 .*")
        (tmp_path / "watch.py").write_text(watch.replace("127.0.0.1:8000", address))
        with started(sys.executable, "-u", "watch.py", folder=tmp_path) as (_, seen):
            read_until(seen, WATCHED, r"t=2\d\d: .*")
        os.killpg(camera.pid, signal.SIGINT)
        assert "event=segment_closed" in output.read()
    output_of(take, tmp_path)
    frame = orjson.loads((tmp_path / "frame.json").read_bytes())
    assert (frame["t"], frame["window"]["W"]) == (100, 100)
    (tmp_path / "compare.py").write_text(compare)
    mine, closer = output_of("python compare.py", tmp_path).splitlines()
    assert re.fullmatch(r"data/mine: \d+ frames, [1-9]\d* edges on average", mine)
    assert re.fullmatch(r"data/closer: \d+ frames, [1-9]\d* edges on average", closer)
