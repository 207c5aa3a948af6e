"""The benchmark of seeks measures every way there is, on a recording that it makes once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import history
from marketcam.io import Store

if TYPE_CHECKING:
    from pathlib import Path

HOURS = "0.005"  # 1,800 ticks


def test_every_way_is_measured_and_the_recording_is_kept(tmp_path: Path, capsys) -> None:
    figures = tmp_path / "figures.json"
    flags = ["--hours", HOURS, "--folder", str(tmp_path), "--seeks", "2"]
    assert history.main([*flags, "--only-film"]) == 0
    assert "| HTTP, cold |" not in capsys.readouterr().out
    assert history.main([*flags, "--json", str(figures)]) in {0, 1}  # the machine may be busy
    assert "| HTTP, cold |" in capsys.readouterr().out
    content = json.loads(figures.read_bytes())
    ways = {row["way"] for row in content["seeks"]}
    assert ways == {f"{way}, {s}" for way in ("Python", "HTTP", "replay") for s in ("warm", "cold")}
    assert content["segments"] == 1
    folder = tmp_path / f"{HOURS}h"
    files = {path: path.read_bytes() for path in folder.glob("*/*.zst")}
    [film, _] = Store(folder).runs()  # and that of the server
    assert history.recording(folder, 1800).run == film.id
    assert {path: path.read_bytes() for path in folder.glob("*/*.zst")} == files
    with pytest.raises(
        SystemExit, match=r"holds another recording, or a part of one: .* 1799, not"
    ):
        history.recording(folder, 3600)


def test_a_row_is_judged_by_its_99th_of_a_hundred() -> None:
    most = [*range(1, 100), 1000]
    row = history.Row("HTTP", most, 300.0)
    assert (row.median, row.p99, row.missed) == (50.5, 99, False)
    assert history.Row("HTTP", [*most[:-1], 1000, 1000], 300.0).missed
    assert not history.Row("Python", [10_000.0], None).missed
