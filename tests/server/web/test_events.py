"""`/events`, of a run that is recorded, one that went on, and one of an older version."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.server.operators.events import FoundEvents
from tests.server_helpers import fed_server, receive_until, recorded, state_tick

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.server_helpers import Running

LAST_T = 120
OPTIONS = {"window": 20, "stride": 5, "edge_cap": 10, "burst_z": 3.0, "shock_z": 3.0}
BURSTS, SHOCKS = (33, 61, 88), (47, 88)


def market_tick(t: int) -> dict[str, Any]:
    """Return a tick of a quiet market, but for the bursts and shocks."""
    price = 100.0 + sum(t >= shock for shock in SHOCKS) * 50
    quotes = {"buys": {1: price}, "sells": {2: price + 0.1}, "mid": price}
    matches = [[1, 2]] * (9 if t in BURSTS else 1)
    return state_tick(t, **quotes) | {"matches": matches}


@contextmanager
def server_with_events(folder: Path, **options: Any) -> Iterator[tuple[Running, httpx.Client]]:
    with fed_server(folder, **(OPTIONS | options)) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send(*map(market_tick, range(LAST_T + 1)))
            receive_until(stream, "frame", LAST_T)
        server.rig.recorder.flush()
        yield server, http


def named(answer: dict[str, Any]) -> list[tuple[str, int]]:
    return [(event["type"], event["t"]) for event in answer["events"]]


def shown_by_frames(store: Path) -> list[tuple[str, int]]:
    """Return what the recorded frames show, each once."""
    shown = {
        (event.t, event.type)
        for line in recorded(store, "frames")
        for event in FoundEvents.of_frame_line(line).events
    }
    return [(name, t) for t, name in sorted(shown)]


def test_the_events_of_the_run_being_recorded(tmp_path: Path) -> None:
    with server_with_events(tmp_path, segment_bytes=300) as (server, http):
        answer = http.get("/events").json()
        part = http.get("/events?from_t=47&to_t=87").json()
        first = http.get("/events?limit=1").json()
        again = http.get(f"/events?from_t={first['covered_to'] + 1}").json()
        run = server.rig.recorder.run
        lines = recorded(tmp_path / "store", "events")
        listed = http.get("/runs").json()[0]["kinds"]["events"]
    expected = shown_by_frames(tmp_path / "store")
    assert {("burst", t) for t in BURSTS} | {("shock", t) for t in SHOCKS} <= set(expected)
    assert named(answer) == expected
    assert (answer["run"], answer["complete"], answer["source"]) == (run, True, "recorded")
    burst = answer["events"][0]
    assert (burst["type"], burst["t"], burst["value"]) == ("burst", 33, 9)
    assert burst["score"] >= 3
    assert named(part) == [event for event in expected if 47 <= event[1] <= 87]
    assert (named(first), first["complete"]) == (expected[:1], False)
    assert named(again) == expected[1:]
    assert listed["lines"] == len(lines)
    assert [orjson.loads(line)["t"] for line in lines] == sorted(
        {orjson.loads(line)["t"] for line in lines}
    )


def test_events_of_a_run_of_an_older_version_come_from_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_with_events(tmp_path) as (_, http):
        new = http.get("/events").json()
    journal = tmp_path / "store" / "runs.jsonl"
    journal.write_bytes(
        journal.read_bytes().replace(b',"kinds":["frames","metrics","events"]', b"")
    )
    (tmp_path / "ticks.fifo").unlink()
    with fed_server(tmp_path, **OPTIONS) as (_server, _), _server.http() as http:
        answer = http.get(f"/events?run={new['run']}").json()
    assert named(answer) == named(new)
    assert (answer["complete"], answer["source"]) == (True, "frames")


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("limit=0", 400, "limit must be an integer, 1 to 100000, got '0'"),
        ("from_t=5&to_t=4", 400, "from_t must be at most to_t=4, got 5"),
        ("run=nobody", 404, "has no run 'nobody'"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    tmp_path: Path, query: str, status: int, error: str
) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        answer = http.get(f"/events?{query}")
        nothing = http.get("/events").json()
    assert (answer.status_code, error in answer.json()["error"]) == (status, True)
    assert (nothing["events"], nothing["complete"]) == ([], True)


def test_events_are_not_said_to_be_complete_while_recording_is_stopped(tmp_path: Path) -> None:
    with server_with_events(tmp_path, record_retry_seconds=1000.0) as (server, http):
        shutil.rmtree(tmp_path / "store" / "metrics")
        while server.rig.recorder.status().error is None:
            server.rig.recorder.write("metrics", b"{}", LAST_T + 1)
            server.rig.recorder.flush()
        answer = http.get("/events").json()
    assert (answer["complete"], answer["covered_to"]) == (False, None)
    assert named(answer)


def test_lines_that_are_none_are_told_as_damage(tmp_path: Path) -> None:
    with server_with_events(tmp_path) as (server, http):
        server.rig.recorder.write("events", b'{"type":"events","t":200}', 200)
        server.rig.recorder.flush()
        answer = http.get("/events")
    assert (answer.status_code, "no line of events" in answer.json()["error"]) == (500, True)
