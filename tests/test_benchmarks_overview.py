"""The benchmark of overviews asks a real server, on a recording that it makes once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import overview

if TYPE_CHECKING:
    from pathlib import Path


def test_cold_and_warm_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--folder", str(tmp_path), "--points", "20"]
    assert overview.main(["--hours", "0.01", *flags]) == 0
    told = capsys.readouterr().out
    assert "0.01 h, 3,600 metrics, 20 points" in told
    assert [line.split(" | ")[0] for line in told.splitlines() if line.startswith("| ")] == [
        "| asked",
        "| cold",
        "| warm",
    ]
    with pytest.raises(SystemExit, match="holds another recording"):
        overview.record(tmp_path / "0.01h", 5)
