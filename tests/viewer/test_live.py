"""The page beside a live camera: what it says when all is well, and when something is not."""

from __future__ import annotations

import csv
import io
import signal
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.server_helpers import recorded, server_process
from tests.viewer.pages import LookedAt

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

TOKEN = "a-token-of-readers-for-tests"


def test_everything_shows_the_same_moment(viewer_page, camera, tmp_path):
    viewer_page.wait_for_moment("t >= 100")
    viewer_page.press(" ")
    viewer_page.says(".shown-moment", "paused")
    t = viewer_page.wait_for_moment()
    frame = orjson.loads(viewer_page.saved("Frame (JSON)", tmp_path))
    table = viewer_page.saved("Table of what is shown (CSV)", tmp_path).decode()
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    picture = viewer_page.saved("Picture of the structure (PNG)", tmp_path)
    assert frame["t"] == t
    assert "/ws/stream" in viewer_page.sockets  # so that its host is looked at too
    assert [int(row["agent_id"]) for row in rows] == [node["agent_id"] for node in frame["nodes"]]
    for row, node in zip(rows, frame["nodes"], strict=True):
        features = node["features"]
        assert int(row["t"]) == t
        has_quoted = features["buy_count"] + features["sell_count"] > 0
        assert row["quote_price_mean"] == (str(features["quote_price_mean"]) if has_quoted else "")
        assert row["dominant_side"] == features["dominant_side"]
        known = features["experience_start"]
        assert row["experience_start"] == ("" if known is None else str(known))
    assert picture.startswith(b"\x89PNG")
    assert viewer_page.page.input_value("#time input[type=number], #time input") == str(t)
    viewer_page.says("#agents .facts", f"– {t}")
    edges = [edge["type"] for edge in frame["edges"]]
    counts = f"{edges.count('match')} match, {edges.count('quote_proximity')} proximity"
    viewer_page.says("#structure .strip", counts)


def test_it_comes_back_after_the_camera_is_killed(browser, tmp_path: Path):
    flags = ("--agents", "10", "--W", "10", "--tick-rate", "100")
    with LookedAt(browser) as looked_at:
        looked_at.expected = ["ERR_CONNECTION", "WebSocket connection", "Failed to fetch"]
        with server_process(tmp_path, *flags) as first:
            looked_at.open(first.url)
            looked_at.says("#status .standing", "live")
            assert first.stop(signal.SIGKILL) < 0
            looked_at.says("#status .standing", "reconnecting in [0-9]+ s")
            looked_at.page.wait_for_selector("body[data-stale='true']")
        with server_process(tmp_path, *flags, "--port", str(first.port)) as second:
            with second.http() as http:
                run = http.get("/health").json()["run"]
            looked_at.says("#status .standing", "live")
            looked_at.page.wait_for_selector("body[data-stale='false']")
            looked_at.wait_for_moment("t < 5000")
            looked_at.press(" ")
            looked_at.page.wait_for_function("(run) => location.hash.includes(run)", arg=run)


def test_a_gap_that_the_camera_declares_is_shown(browser, tmp_path: Path):
    """A source without a pace is faster than any connection: gaps are certain."""
    flags = ("--agents", "200", "--W", "10", "--tick-rate", "0", "--edge-cap", "200")
    variables = {"IG_CAM_CLIENT_QUEUE_BYTES": "65536"}
    with server_process(tmp_path, *flags, **variables) as camera, LookedAt(browser) as looked_at:
        looked_at.open(camera.url)
        looked_at.page.wait_for_selector("#status .trouble:not([hidden])")
        looked_at.page.click("#status .trouble")
        looked_at.says("#status-details", "(metric|frame) [0-9,]+ to [0-9,]+: (busy|slow)")


def test_a_damaged_segment_gives_a_message_and_not_a_hang(browser, tmp_path: Path):
    flags = ("--agents", "20", "--W", "10", "--stride", "1", "--tick-rate", "200")
    with server_process(tmp_path, *flags) as first:
        with first.stream() as stream:
            while orjson.loads(stream.recv())["t"] < 300:
                pass
        with first.http() as http:
            run = http.get("/health").json()["run"]
        assert first.stop(signal.SIGTERM) == 0
    assert len(recorded(first.store, "frames")) > 200
    [segment] = (first.store / "frames").glob("segment_*.zst")
    data = segment.read_bytes()
    begin = len(data) // 3  # what lies behind is of no use: sections are read each by itself
    segment.write_bytes(data[:begin] + bytes(len(data) - begin))
    with server_process(tmp_path, *flags) as second, LookedAt(browser) as looked_at:
        looked_at.open(second.url)
        looked_at.page.goto(f"{second.url}/viewer/#mode=recorded&run={run}&t=250")
        looked_at.says("#status .trouble", "this moment cannot be shown: .+")
        looked_at.press("l")
        looked_at.says(".shown-moment", r"^● t = ")


def test_a_camera_that_asks_for_a_token_is_shown_one(browser, tmp_path: Path):
    with (
        server_process(tmp_path, "--agents", "5", "--W", "5", IG_READ_TOKEN=TOKEN) as camera,
        LookedAt(browser) as looked_at,
    ):
        looked_at.expected = ["401"]
        with camera.http() as http:
            bearer = {"authorization": f"Bearer {TOKEN}"}
            run = http.get("/health", headers=bearer).json()["run"]
        page = looked_at.page
        page.goto(f"{camera.url}/viewer/#mode=recorded&run={run}&t=20&trails=0")
        page.wait_for_selector("dialog.token[open]")
        for _ in range(3):
            looked_at.press("Escape")
        page.wait_for_selector("dialog.token[open]")
        page.fill("#token", "nonsense-of-sixteen-letters")
        page.click("text=Use it")
        looked_at.says("dialog.token [role=alert]", "not taken")
        page.fill("#token", TOKEN)
        page.click("text=Use it")
        looked_at.wait_for_moment("t === 20")  # the link that the page was opened with
        looked_at.says(".shown-moment", "paused")
        looked_at.press("l")
        looked_at.says(".shown-moment", r"^● t = ")
        looked_at.says("#status .standing", "live")
        assert TOKEN not in page.url
        page.reload()
        looked_at.wait_for_moment("t > 0")
