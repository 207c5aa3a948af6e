"""The benchmark of edges measures what it says, with a handful of viewers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks import edges
from tests.nats_helpers import program

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_edge_delivers_to_its_viewers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program()
    flags = ["--edges", "1", "--viewers", "3", "--seconds", "0.5", "--settle", "0.1"]
    small = ["--agents", "5", "--tick-rate", "50", "--json", str(tmp_path / "figures.json")]
    assert edges.main([*flags, *small]) == 0
    assert "| 1 | 3 |" in capsys.readouterr().out
    nobody, few = json.loads((tmp_path / "figures.json").read_text())
    assert nobody["deliveries"] == 0
    assert few["deliveries"] > 0
    assert few["camera"] > 0
