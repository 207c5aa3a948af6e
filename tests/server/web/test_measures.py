"""Measures over HTTP: `/measures`, computed by a real process beside a real server."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from marketcam.io import MeasureOptions, Store
from marketcam.io.measuring.reading import Asked, row_lines
from marketcam.server.history import measuring
from marketcam.server.web import measures as endpoint
from tests.history_helpers import film_into, raw_ticks
from tests.server_helpers import fed_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server_helpers import Running


@contextmanager
def server_of(folder: Path, **options: Any) -> Iterator[tuple[Running, httpx.Client]]:
    """Run a server on a store with a recorded run of 13 frames, of ticks 8 to 56."""
    film_into(folder / "store", raw_ticks(), segment_bytes=20_000)
    with fed_server(folder, **options) as (server, _), server.http() as http:
        yield server, http


def expected_lines(folder: Path, asked: Asked, **options: Any) -> list[bytes]:
    return list(row_lines(Store(folder / "store"), asked, MeasureOptions(**options)))


def test_a_line_a_frame_with_what_was_asked_for(tmp_path: Path) -> None:
    with server_of(tmp_path) as (server, http):
        run = http.get("/runs").json()[0]["run"]
        query = "from_t=12&to_t=50&every=2&measure=modularity,density,communities_kept&edges=both"
        answer = http.get(f"/measures?run={run}&{query}&limit=3")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["camera-run"] == run
    names = ("density", "modularity", "communities_kept")
    expected = expected_lines(tmp_path, Asked(12, 50, run, 2), graphs=("both",), names=names)
    assert answer.content.splitlines() == expected[:3]
    first = orjson.loads(expected[0])
    assert list(first) == ["t", "t0", "t1", "nodes", *(f"both_{name}" for name in names), "run"]
    assert [orjson.loads(line)["t"] for line in expected] == [12, 20, 28, 36, 44]
    assert server.listening.app.history.measurers.taken == 0


def test_a_chart_that_moves_gets_the_same_points(tmp_path: Path) -> None:
    with server_of(tmp_path) as (_, http):
        run = http.get("/runs").json()[0]["run"]
        asked = f"/measures?run={run}&every=2&measure=density&edges=match"  # of a stride of 4
        before = http.get(f"{asked}&from_t=16&to_t=39").content.splitlines()
        after = http.get(f"{asked}&from_t=24&to_t=47").content.splitlines()
    assert [orjson.loads(line)["t"] for line in before] == [16, 24, 32]
    assert before[1:] == after[:-1]


def test_everything_of_all_runs_compressed(tmp_path: Path) -> None:
    film_into(tmp_path / "store", raw_ticks(20))
    with server_of(tmp_path) as (_, http):
        answer = http.get("/measures?run=all", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content.splitlines() == expected_lines(tmp_path, Asked(run="all"))


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("measure=radius", "measure must be some of edges, weight, density, "),
        ("measure=density,", "measure must be some of edges, "),
        ("edges=all", "edges must be some of match, quote_proximity, both, got 'all'"),
        ("every=0", "every must be an integer, 1 to 9007199254740991, got '0'"),
        ("from_t=5&to_t=4", "from_t must be at most to_t=4, got 5"),
    ],
)
def test_a_bad_value_is_refused_by_name(tmp_path: Path, query: str, problem: str) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        answer = http.get(f"/measures?{query}")
        assert http.post("/measures").status_code == 405
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(problem)


def test_an_unknown_run_is_not_found(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        answer = http.get("/measures?run=nobody")
        assert (answer.status_code, "nobody" in answer.json()["error"]) == (404, True)
        answer = http.get("/measures")  # of the server's own run, which has no frame yet
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_part_without_frames_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_COMMAND", ["/nowhere/python"])  # no process is needed for it
    with server_of(tmp_path) as (_, http):
        run = http.get("/runs").json()[0]["run"]
        answer = http.get(f"/measures?run={run}&from_t=1000")
    assert (answer.status_code, answer.content) == (200, b"")


def test_without_igraph_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "can_measure", lambda: False)
    with server_of(tmp_path) as (_, http):
        answer = http.get("/measures")
        assert http.get("/range/frames").status_code == 200
    assert answer.status_code == 501
    assert "pip install 'marketcam[measures]'" in answer.json()["error"]


def program(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Have a program of ours run in the place of the command; its arguments do not matter."""
    monkeypatch.setattr(measuring, "_COMMAND", [sys.executable, "-c", text])


HANGS = "import os, signal; print(os.getpid(), flush=True); signal.pause()"


def test_one_too_many_is_refused_and_who_leaves_takes_the_process_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, HANGS)
    with server_of(tmp_path, measures_clients=1) as (server, http):
        run = http.get("/runs").json()[0]["run"]
        seats = server.listening.app.history.measurers
        with server.http() as other, other.stream("GET", f"/measures?run={run}") as answer:
            pid = int(next(answer.iter_lines()))
            assert Path(f"/proc/{pid}").exists()
            refused = http.get(f"/measures?run={run}")
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            problem = "too many clients that have history measured, the limit is 1"
            assert refused.json() == {"error": problem}
            assert http.get(f"/range/frames?run={run}&limit=1").status_code == 200
        while seats.taken:
            assert http.get("/health").status_code == 200
        assert not Path(f"/proc/{pid}").exists()
        assert (seats.served, seats.refused) == (1, 1)


def test_the_process_is_gone_when_the_lines_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, HANGS)
    steps = measuring.measuring_lines([])
    pid = next(int(step[0]) for step in steps if step is not None)
    assert next(steps) is None, "whoever waits has a turn while nothing comes"
    steps.close()
    assert not Path(f"/proc/{pid}").exists()


def test_a_process_that_fails_at_once_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program(monkeypatch, "import sys; sys.exit('marketcam: segment 7 is damaged')")
    with server_of(tmp_path) as (_, http):
        run = http.get("/runs").json()[0]["run"]
        answer = http.get(f"/measures?run={run}")
    assert answer.status_code == 500
    assert answer.json() == {"error": "the recording cannot be read, see the server's log"}
    assert "segment 7 is damaged" in caplog.text


def test_a_process_that_fails_later_breaks_the_answer_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, "import os; print('{}', flush=True); os.kill(os.getpid(), 9)")
    with server_of(tmp_path) as (_, http):
        run = http.get("/runs").json()[0]["run"]
        received = []
        with (
            pytest.raises(httpx.RemoteProtocolError),
            http.stream("GET", f"/measures?run={run}") as answer,
        ):
            received += answer.iter_lines()
    assert answer.status_code == 200


def test_what_a_process_said_last_is_told() -> None:
    measured = measuring.measuring_lines(["--every=0", "--", "nowhere"])
    with pytest.raises(measuring.MeasuringError, match="--every: must be 1 or more, got '0'"):
        list(measured)
