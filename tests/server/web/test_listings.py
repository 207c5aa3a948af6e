"""`/runs`, and all that `/manifest/{kind}` can give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server_helpers import fed_server, receive_until

if TYPE_CHECKING:
    from pathlib import Path


def record_run(folder: Path, last_t: int, **options: Any) -> None:
    with fed_server(folder, **options) as (server, feed), server.stream() as stream:
        feed.send_ticks(0, last_t)
        receive_until(stream, "metric", last_t)
    feed.path.unlink()


def test_all_runs_are_listed_with_what_there_is_of_them(tmp_path: Path) -> None:
    record_run(tmp_path, 20, segment_bytes=1000)
    with fed_server(tmp_path) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, 5)
            receive_until(stream, "metric", 5)
        server.rig.recorder.flush()
        old, new = http.get("/runs").json()
        counts = {
            run: len(http.get(f"/manifest/metrics?run={run}").json()) for run in runs_of(old, new)
        }
    assert old["run"] < new["run"] == server.rig.recorder.run
    assert (old["current"], new["current"]) == (False, True)
    assert old["ended_at"] is not None
    assert new["ended_at"] is None
    assert old["holes"] == new["holes"] == []
    segments = old["kinds"]["metrics"].pop("segments")
    assert segments == counts[old["run"]] > 1
    assert old["kinds"]["metrics"] == {"first_t": 0, "last_t": 20, "lines": 21}
    assert new["kinds"] == {
        "frames": {"first_t": 4, "last_t": 4, "lines": 1, "segments": 1},
        "metrics": {"first_t": 0, "last_t": 5, "lines": 6, "segments": 1},
    }


def runs_of(*runs: dict[str, Any]) -> list[str]:
    return [run["run"] for run in runs]


def test_every_record_of_a_manifest(tmp_path: Path) -> None:
    record_run(tmp_path, 60, segment_bytes=500)
    options = {"retain_bytes": 1, "keep_min": 1}
    with fed_server(tmp_path, **options) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, 3)
            receive_until(stream, "metric", 3)
        server.rig.recorder.flush()
        every = http.get("/manifest/metrics?all=1").json()
        now = http.get("/manifest/metrics").json()
        removed = [record for record in every if record.get("removed")]
        paths = [record["path"] for record in removed]
        assert paths
        assert not set(paths) & {record["path"] for record in now}
        assert all(record in every for record in now)
        assert every[-1]["pending"] is True
        old, new = (run["run"] for run in http.get("/runs").json())
        of_old = http.get(f"/manifest/metrics?all=1&run={old}").json()
        assert of_old == [record for record in every if record["run"] == old]
        assert {record["run"] for record in every} == {old, new}
        assert http.get("/manifest/metrics?run=nobody").status_code == 404
        answer = http.get("/manifest/metrics?all=yes")
        assert (answer.status_code, answer.json()["error"]) == (
            400,
            "all must be 0 or 1, got 'yes'",
        )
        assert http.get("/manifest/ticks?all=1").json() == []
