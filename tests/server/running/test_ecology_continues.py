"""A server of the market with groups, stopped and started again, records one unbroken run."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.engine.ecology import EcologyMarket
from marketcam.io import encode_tick
from marketcam.io.store import Store
from marketcam.server.settings import Settings
from tests.server_helpers import receive_until, recorded, running_server

if TYPE_CHECKING:
    from pathlib import Path

AGENTS = 23
LIVES = 3


def settings_in(store: Path, **fields: Any) -> Settings:
    given = {"scenario": "ecology", "agents": AGENTS, "adjust_interval": 40, "window": 20}
    checkpoints = {"checkpoint_seconds": 0.01, "fsync_seconds": 0.05, "record_ticks": True}
    return Settings(
        store_dir=store, port=0, stride=5, tick_rate=500, **(given | checkpoints | fields)
    )


@pytest.mark.parametrize("pool_only", [False, True])
def test_a_run_goes_on_where_it_stopped(tmp_path: Path, pool_only: bool) -> None:
    settings = settings_in(tmp_path, pool_only=pool_only)
    for life in range(LIVES):
        with running_server(settings) as server, server.stream() as stream:
            receive_until(stream, "metric", 250 * (life + 1))
            with server.http() as http:
                told = http.get("/health").json()["checkpoint"]
            assert (told["continued_from_t"] is None) == (life == 0)
    [run] = Store(tmp_path).runs()
    assert run.about["scenario"] == "ecology"
    lines = recorded(tmp_path, "ticks")
    assert len(lines) > 250 * LIVES
    market = EcologyMarket(AGENTS, 0, 40, pool_only=pool_only)
    assert lines == [encode_tick(tick) for tick in islice(market, len(lines))]
