"""`/overview/metrics`, from real stores, over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.metric_helpers import RUN, drawn_together, metrics, record_metrics
from tests.server_helpers import fed_server, receive_until
from tests.store_helpers import segment_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_helpers import Running, TickFeed

FIGURES = ("price_norm", "volatility", "liquidity", "imbalance", "N", "avg_exp", "matches_n")


def take_in(server: Running, feed: TickFeed, last_t: int) -> None:
    with server.stream() as stream:
        feed.send_ticks(0, last_t)
        receive_until(stream, "metric", last_t)
    server.rig.recorder.flush()


def assert_drawn(answer: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    """Compare an answer with the messages of its span."""
    step = answer["step"]
    expected = drawn_together(
        [each for each in messages if answer["from_t"] <= each["t"] <= answer["to_t"]], step
    )
    assert answer["t"] == list(range(answer["from_t"], answer["to_t"] + 1, step))
    assert tuple(answer["series"]) == FIGURES
    for number, name in enumerate(FIGURES):
        series = answer["series"][name]
        for place, start in enumerate(answer["t"]):
            found = tuple(series[extreme][place] for extreme in ("min", "max", "last"))
            assert found == (expected[start][number] if start in expected else (None,) * 3)


def test_a_run_before_and_the_one_being_recorded(tmp_path: Path) -> None:
    old = metrics(t for t in range(7, 4000) if t % 1000 > 10)
    record_metrics(tmp_path / "store", old)
    with fed_server(tmp_path, segment_bytes=2000) as (server, feed), server.http() as http:
        before = http.get("/overview/metrics")
        take_in(server, feed, 60)
        answers = [
            http.get(f"/overview/metrics?run={RUN}&points={points}").json()
            for points in (2, 30, 500)
        ]
        part = http.get(f"/overview/metrics?run={RUN}&from_t=1005&to_t=1034&points=7").json()
        live = http.get("/overview/metrics?points=9").json()
        recorded = [orjson.loads(line) for line in http.get("/range/metrics").iter_lines()]
        run = http.get("/health").json()["run"]
    assert before.json()["t"] == []
    for answer in (*answers, part):
        assert answer["run"] == RUN
        assert (answer["sampled"], answer["complete"]) == (False, True)
        assert_drawn(answer, old)
    assert [len(answer["t"]) for answer in answers] == [1, 28, 499]
    assert part["t"][0] <= 1005
    assert part["to_t"] >= 1034
    assert (live["run"], live["from_t"]) == (run, 0)
    assert live["to_t"] >= 60
    assert_drawn(live, recorded)


def test_nothing_of_a_span_is_said_as_nothing(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.http() as http:
        take_in(server, feed, 9)
        answer = http.get("/overview/metrics?from_t=50&to_t=60").json()
    assert (answer["t"], answer["step"], answer["from_t"]) == ([], None, None)
    assert answer["series"]["N"] == {"min": [], "max": [], "last": []}


def test_it_is_compressed_and_not_cached(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.http() as http:
        take_in(server, feed, 9)
        plain = http.get("/overview/metrics", headers={"accept-encoding": "identity"})
        packed = http.get("/overview/metrics", headers={"accept-encoding": "gzip"})
        head = http.head("/overview/metrics")
        refused = http.get("/overview/metrics", headers={"accept-encoding": "*;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert "content-encoding" not in plain.headers
    assert packed.headers["cache-control"] == "no-cache"
    assert (head.status_code, head.content) == (200, b"")
    assert refused.status_code == 406


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("points=1", 400, "points must be an integer, 2 to 2000, got '1'"),
        ("points=2001", 400, "points must be an integer, 2 to 2000, got '2001'"),
        ("from_t=5&to_t=4", 400, "from_t must be at most to_t=4, got 5"),
        ("from_t=x", 400, "from_t must be an integer, "),
        ("run=nobody", 404, "has no run 'nobody'"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    tmp_path: Path, query: str, status: int, error: str
) -> None:
    with fed_server(tmp_path) as (server, feed), server.http() as http:
        take_in(server, feed, 9)
        answer = http.get(f"/overview/metrics?{query}")
    assert answer.status_code == status
    assert error in answer.json()["error"]


def test_who_waits_takes_a_place_among_those_who_read_history(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, history_clients=1) as (server, feed),
        server.http() as http,
    ):
        take_in(server, feed, 9)
        with server.listening.app.history.readers.seat():
            refused = http.get("/overview/metrics")
        answered = http.get("/overview/metrics")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert answered.status_code == 200


def test_damage_is_left_out_and_said(tmp_path: Path) -> None:
    record_metrics(tmp_path / "store", metrics(range(2000)))
    path = segment_files(tmp_path / "store")[2]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with fed_server(tmp_path) as (server, _), server.http() as http:
        answer = http.get(f"/overview/metrics?run={RUN}&points=10").json()
    assert answer["complete"] is False
    assert answer["series"]["N"]["min"][0] is not None
