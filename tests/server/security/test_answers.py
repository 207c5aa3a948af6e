"""What answers give away, and what they let a browser do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus

from marketcam.engine import MarketCameraError
from marketcam.server.security.headers import DATA_POLICY, PAGE_POLICY
from marketcam.server.security.telling import told, without_folders
from tests.server_helpers import fed_server, open_stream, receive_until

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "a-token-of-sixteen"
PATHS = ("/", "/health", "/metrics", "/runs", "/manifest/frames", "/range/frames", "/no/such")


def test_every_answer_has_its_headers(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        answers = [http.get(path) for path in PATHS] + [http.post("/health"), http.options("/")]
        script = http.get("/viewer/columns.js")
        with pytest.raises(InvalidStatus) as refused:
            open_stream(f"{server.listening.stream_url}?encoding=morse")
    for answer in (*answers, script):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers
    assert {answer.headers["content-security-policy"] for answer in answers} == {DATA_POLICY}
    assert script.headers["content-security-policy"] == PAGE_POLICY
    assert refused.value.response.headers["x-content-type-options"] == "nosniff"


def test_a_page_runs_only_what_comes_with_it() -> None:
    rules = dict(rule.split(" ", 1) for rule in PAGE_POLICY.split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["object-src"] == "'none'"
    assert "unsafe-inline" not in PAGE_POLICY
    assert "'unsafe-eval'" not in PAGE_POLICY
    assert "*" not in PAGE_POLICY
    assert "http" not in PAGE_POLICY


def test_the_version_is_told_to_those_only_who_have_shown_a_token(tmp_path: Path) -> None:
    shown = {"Authorization": f"Bearer {TOKEN}"}
    for token in (None, TOKEN):
        folder = tmp_path / str(token)
        folder.mkdir()
        with (
            fed_server(folder, read_token=token) as (server, feed),
            server.http() as http,
            server.stream(additional_headers=shown) as stream,
        ):
            feed.send_ticks(1, 4)
            receive_until(stream, "frame", 4)
            texts = [http.get(path, headers=shown).text for path in PATHS]
            assert any("2.0.0" in text for text in texts) == (token is not None)


def test_no_answer_says_where_anything_lies(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path) as (server, feed),
        server.http() as http,
        server.stream() as stream,
    ):
        feed.send_ticks(1, 4)
        receive_until(stream, "frame", 4)
        server.rig.pipeline.error = f"ticks from {tmp_path}/ticks.fifo: line 5: not JSON"
        assert http.get("/health").json()["error"] == "ticks from ticks.fifo: line 5: not JSON"
        asked = [*PATHS[1:], "/manifest/frames?run=x", "/range/frames?run=x", "/health?ready=1"]
        for path in asked:
            assert str(tmp_path) not in http.get(path).text, path
        for path in ("/ws/replay?run=x", "/ws/replay?run=latest&from_t=x"):
            answer = http.get(path)
            assert str(tmp_path) not in answer.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot record in /data/ig_cam: no space", "cannot record in ig_cam: no space"),
        ("ticks from /a/b/ticks.fifo: line 3: x", "ticks from ticks.fifo: line 3: x"),
        ("'/a/b/c.zst' and ~/d/e", "'c.zst' and e"),
        ("(/a/b/c)", "(c)"),
        ("cannot read /a/my store/of today/b.zst: x", "cannot read b.zst: x"),
        ("/a/b and /c/d, /range/frames of /a b/c", "b and d, /range/frames of c"),
        ("ask /segment/frames/x or /ws/stream", "ask /segment/frames/x or /ws/stream"),
        ("http://h/a/b, frames/segment_1.zst, 3/4, n/a, a / b", None),
    ],
)
def test_paths_are_told_by_their_names(text: str, shown: str | None) -> None:
    assert told(MarketCameraError(text)) == (text if shown is None else shown)
    assert without_folders({"a": [text, 1, None]}) == {"a": [shown or text, 1, None]}
