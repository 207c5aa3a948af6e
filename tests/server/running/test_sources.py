from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_tick
from marketcam.io.sources import SourceError, TickLineError
from marketcam.server.running.sources import open_source
from marketcam.server.settings import Settings
from tests.server_helpers import state_tick, tick_lines
from tests.simulators import FAKE_FOLDER, FAKE_NAME, clean_slate, fake_simulator

if TYPE_CHECKING:
    from pathlib import Path

    from marketcam.io.sources import BadLine


def first_ticks(count: int, skipped: list[BadLine] | None = None, **given: Any) -> list[bytes]:
    """Return the first ticks of the source that the settings name, as text."""
    on_skipped = ([] if skipped is None else skipped).append
    source = open_source(Settings(**given), on_skipped)
    try:
        return [encode_tick(tick) for tick in islice(source, count)]
    finally:
        source.close()


def test_the_embedded_market_is_the_default() -> None:
    given = {"agents": 7, "seed": 3, "adjust_interval": 5, "max_agents": 9, "pool_only": True}
    market = InfiniteGameMarket(7, 3, 5, 9, pool_only=True)
    assert first_ticks(30, **given) == [encode_tick(tick) for tick in islice(market, 30)]


def test_the_embedded_market_with_groups() -> None:
    given = {"agents": 7, "seed": 3, "adjust_interval": 5, "max_agents": 9, "pool_only": True}
    market = EcologyMarket(7, 3, 5, 9, pool_only=True)
    expected = [encode_tick(tick) for tick in islice(market, 30)]
    assert first_ticks(30, scenario="ecology", **given) == expected


def test_no_maximum_is_none() -> None:
    market = InfiniteGameMarket(2, 0, 1)
    ticks = first_ticks(50, agents=2, adjust_interval=1)
    assert ticks == [encode_tick(tick) for tick in islice(market, 50)]


def test_a_simulator() -> None:
    with clean_slate():
        alone = fake_simulator(seed=4, adjust_interval=2)
        expected = [encode_tick(tick) for tick in islice(alone, 9)]
    given = {"simulator": FAKE_NAME, "simulator_path": FAKE_FOLDER}
    with clean_slate():
        assert first_ticks(9, seed=4, adjust_interval=2, **given) == expected


def test_a_tick_file(tmp_path: Path) -> None:
    path = tmp_path / "ticks.jsonl"
    path.write_bytes(tick_lines([state_tick(0)]) + b"nonsense\n" + tick_lines([state_tick(1)]))
    skipped: list[BadLine] = []
    assert len(first_ticks(9, skipped, ticks=str(path))) == 2
    assert [bad.number for bad in skipped] == [2]


def test_a_tick_file_whose_bad_lines_end_the_run(tmp_path: Path) -> None:
    path = tmp_path / "ticks.jsonl"
    path.write_bytes(tick_lines([state_tick(0)]) + b"nonsense\n")
    with pytest.raises(TickLineError, match="line 2"):
        first_ticks(9, ticks=str(path), bad_tick="fail")


def test_a_tick_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nothing\.jsonl: no such file"):
        first_ticks(1, ticks=str(tmp_path / "nothing.jsonl"))


def test_a_torn_tick_file_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ticks.jsonl.zst"
    whole = zstandard.compress(tick_lines(state_tick(t) for t in range(2000)))
    path.write_bytes(whole[: len(whole) // 2])
    first_ticks(5000, ticks=str(path))
    assert "ticks_torn" in caplog.text
