"""A store that is taken away under a running server: the stream goes on, recording comes back."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from marketcam.io.store import Store
from tests.server_helpers import fed_server, receive_until

if TYPE_CHECKING:
    from pathlib import Path


def test_a_removed_store_stops_recording_loudly_and_nothing_else(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, record_retry_seconds=0.01, flush_seconds=0.01) as (server, feed),
        server.stream() as stream,
        server.http() as http,
    ):
        recorder = server.rig.recorder
        feed.send_ticks(0, 9)
        receive_until(stream, "metric", 9)
        recorder.flush()
        shutil.rmtree(tmp_path / "store")
        feed.send_ticks(10, 19)
        receive_until(stream, "metric", 19)
        while recorder.status().dropped_lines == 0:
            recorder.flush()
        while not (health := http.get("/health").json())["recording"]:
            assert "removed" in health["recorder"]["error"]
            assert health["ok"] is False
        feed.send_ticks(20, 29)
        receive_until(stream, "metric", 29)
        recorder.flush()
        health = http.get("/health").json()
        assert (health["ok"], health["recording"], health["run"]) == (True, True, recorder.run)
        assert health["recorder"]["holes"] >= 1
        assert health["recorder"]["last_hole"]["to_t"] in range(9, 20)
        assert "marketcam_record_holes_total" in http.get("/metrics").text
    kept = [entry.start_t for entry in Store(tmp_path / "store").segments("metrics")]
    assert kept
    assert Store(tmp_path / "store").last_t("metrics") == 29
