"""The examples, as a user runs them, against a running camera."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.server.settings import Settings
from tests.example_runs import EXAMPLES, run_javascript, run_python
from tests.fake_camera import Line, fake_camera
from tests.ingest_helpers import TOKEN, ingest_server
from tests.server_helpers import recorded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_helpers import Running


def frames(store: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in recorded(store, "frames")]


def kinds(frame: dict[str, Any]) -> set[str]:
    return {edge["type"] for edge in frame["edges"]}


def is_over(server: Running) -> bool:
    with server.http() as http:
        return http.get("/health").json()["meta"]["running"] is False


def test_a_market_written_with_mesa(tmp_path):
    with ingest_server(tmp_path, window=20, stride=5, prox_eps_pct=0.05) as server:
        said = run_python("mesa_market.py", server, "--ticks", "40", "--seed", "1")
        assert said.startswith("published 40 ticks")
        assert server.rig.pipeline.ticks == 40
        assert is_over(server)
    films = frames(tmp_path / "store")
    assert [frame["t"] for frame in films] == list(range(20, 41, 5))
    assert all(kinds(frame) == {"match", "quote_proximity"} for frame in films)
    # Traders starve: those of the first window are not all in the last.
    seen = [{node["agent_id"] for node in frame["nodes"]} for frame in films]
    assert seen[-1] < seen[0]
    assert len(seen[0]) == 200
    metrics = [orjson.loads(line) for line in recorded(tmp_path / "store", "metrics")]
    assert [metric["t"] for metric in metrics] == list(range(1, 41))
    assert all(0 <= metric["s"]["price_norm"] <= 1 for metric in metrics)
    assert metrics[0]["matches_n"] > 100


def test_an_order_book_of_pams(tmp_path):
    with ingest_server(tmp_path, window=20, stride=5) as server:
        said = run_python("pams_market.py", server, "--ticks", "100", "--seed", "1")
        assert "published 100 ticks" in said
        assert server.rig.pipeline.ticks == 100
        assert is_over(server)
    films = frames(tmp_path / "store")
    assert [frame["t"] for frame in films] == list(range(20, 100, 5))
    assert {len(frame["nodes"]) for frame in films} == {100}
    # The book fills for 50 steps; from then on the traders trade.
    filling, trading = films[0], films[-1]
    assert "match" not in kinds(filling)
    assert kinds(trading) == {"match", "quote_proximity"}
    assert any(node["features"]["experience_delta"] for node in trading["nodes"])
    metrics = [orjson.loads(line) for line in recorded(tmp_path / "store", "metrics")]
    assert len(metrics) == 100
    assert all(abs(metric["s"]["price_norm"] - 0.5) < 0.05 for metric in metrics)


def test_a_producer_in_javascript(tmp_path):
    with ingest_server(tmp_path, window=20, stride=5) as server:
        assert run_javascript(server.listening.url, TOKEN, "1500") == "published up to tick 1500\n"
        assert server.rig.pipeline.ticks == 1500
        assert is_over(server)
    film = frames(tmp_path / "store")[-1]
    assert film["t"] == 1500
    assert len(film["nodes"]) == 10
    assert kinds(film) == {"match", "quote_proximity"}


def test_a_producer_in_javascript_with_a_wrong_token(tmp_path):
    with ingest_server(tmp_path) as server:
        assert "token" in run_javascript(server.listening.url, "not-the-token-of-this-one", code=1)
        assert server.rig.pipeline.ticks == 0


@pytest.mark.parametrize("code", [1009, 4410])
def test_a_producer_in_javascript_that_would_be_closed_in_the_same_way_again(code):
    def fatal(line: Line) -> None:
        assert "auth" in line.connection.recv()
        line.hello()
        line.close(code, "it will not do")

    with fake_camera(fatal) as camera:
        assert run_javascript(camera.url, TOKEN, code=1) == f"{code} it will not do\n"
        assert len(camera.tokens) == 1


def test_the_javascript_is_as_short_as_it_is_said_to_be():
    assert len((EXAMPLES / "producer.mjs").read_text().splitlines()) <= 40


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_use_the_public_interface_only(path):
    for part in ast.walk(ast.parse(path.read_text())):
        if isinstance(part, ast.ImportFrom) and (part.module or "").startswith("marketcam"):
            assert part.module == "marketcam.io"


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_flags_that_the_examples_name_exist(path):
    known = {name.replace("_", "-") for name in Settings.model_fields}
    for line in re.findall(r"marketcam serve( .*)", path.read_text()):
        assert {flag.lower() for flag in re.findall(r"--([a-zA-Z-]+)", line)} <= known | {"w"}
