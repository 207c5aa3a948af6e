from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tests.server_helpers import fed_server, receive_until

if TYPE_CHECKING:
    from pathlib import Path


def figures(text: str) -> dict[str, float]:
    """Read an exposition into a dict of ``name{label}`` → value."""
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_figures_of_a_run(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, record_ticks=True) as (server, feed),
        server.http() as http,
        server.stream() as stream,
    ):
        feed.send_ticks(0, 3)
        feed.send_ticks(2, 2)
        feed.send_text(b"nonsense\n")
        feed.send_ticks(4, 6)
        receive_until(stream, "frame", 6)
        server.rig.recorder.flush()
        answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    now = figures(answer.text)
    expected = {
        "marketcam_running": 1,
        "marketcam_ticks_total": 7,
        "marketcam_refused_ticks_total": 2,
        "marketcam_last_tick": 6,
        "marketcam_stage_seconds_count{ingest}": 7,
        "marketcam_stage_seconds_count{frame}": 7,
        "marketcam_stage_seconds_count{encode}": 16,
        "marketcam_stage_seconds_count{record}": 16,
        "marketcam_clients": 1,
        "marketcam_clients_sent_away_total": 0,
        "marketcam_client_queue_bytes": 0,
        "marketcam_messages_total{metric}": 7,
        "marketcam_messages_total{frame}": 2,
        "marketcam_messages_sent_total{metric}": 7,
        "marketcam_messages_sent_total{frame}": 2,
        "marketcam_messages_dropped_total{metric}": 0,
        "marketcam_handover_dropped_total{frame}": 0,
        "marketcam_recording": 1,
        "marketcam_record_queue_bytes": 0,
        "marketcam_record_dropped_total": 0,
        "marketcam_record_holes_total": 0,
        "marketcam_recorded_lines_total{frames}": 2,
        "marketcam_recorded_lines_total{metrics}": 7,
        "marketcam_recorded_lines_total{ticks}": 7,
        "marketcam_recorded_segments_total{frames}": 0,
        "marketcam_history_readers": 0,
        "marketcam_history_requests_total": 0,
        "marketcam_history_refused_total": 0,
        "marketcam_replays": 0,
        "marketcam_replays_started_total": 0,
        "marketcam_replays_refused_total": 0,
        "marketcam_measurers": 0,
        "marketcam_measures_requests_total": 0,
        "marketcam_measures_refused_total": 0,
    }
    assert {name: now.get(name) for name in expected} == expected
    for stage in ("ingest", "frame", "encode", "record"):
        assert now[f"marketcam_stage_seconds_sum{{{stage}}}"] > 0
    assert now["marketcam_loop_lag_seconds_count"] > 0
    assert now["marketcam_loop_lag_seconds_sum"] >= now["marketcam_last_loop_lag_seconds"] >= 0


def test_figures_before_the_first_tick(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        now = figures(http.get("/metrics").text)
    assert now["marketcam_ticks_total"] == 0
    assert "marketcam_last_tick" not in now


def test_two_servers_in_a_process_count_for_themselves(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    with fed_server(folders[0]) as (busy, feed), fed_server(folders[1]) as (idle, _):
        with busy.stream() as stream:
            feed.send_ticks(0, 3)
            receive_until(stream, "metric", 3)
        counts = []
        for server in (busy, idle):
            with server.http() as http:
                counts.append(figures(http.get("/metrics").text)["marketcam_ticks_total"])
    assert counts == [4, 0]
