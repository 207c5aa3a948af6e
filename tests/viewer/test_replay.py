"""Recorded moments on the page: exactly those of the recording, wherever the cursor goes."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.server_helpers import recorded, server_process
from tests.viewer.pages import LookedAt

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_helpers import ServerProcess

pytestmark = pytest.mark.browser


def frame_lines(camera: ServerProcess) -> dict[int, bytes]:
    """Return the recorded frames so far, by tick."""
    return {orjson.loads(line)["t"]: line for line in recorded(camera.store, "frames")}


def wait_until_recorded(camera: ServerProcess, t: int) -> None:
    """Wait until the camera is far beyond a tick, so that its lines are flushed."""
    with camera.stream() as stream:
        while orjson.loads(stream.recv())["t"] < t + 200:  # two flushes
            pass


def at(run: str, t: int) -> str:
    return f"#mode=recorded&run={run}&t={t}"


def run_of(camera: ServerProcess) -> str:
    with camera.http() as http:
        return str(http.get("/health").json()["run"])


def test_a_link_to_a_tick_shows_exactly_the_recorded_frame(looked_at, camera, tmp_path):
    looked_at.open(camera.url)
    looked_at.wait_for_moment("t >= 200")
    looked_at.open(camera.url, at(run_of(camera), 104))
    looked_at.page.reload()
    looked_at.wait_for_moment("t === 100")
    saved = looked_at.saved("Frame (JSON)", tmp_path)
    assert saved == frame_lines(camera)[100] + b"\n"


def test_steps_go_frame_by_frame(viewer_page, camera, tmp_path):
    viewer_page.wait_for_moment("t >= 150")
    viewer_page.press(" ")
    viewer_page.says(".shown-moment", "paused")
    t = viewer_page.wait_for_moment()
    for step in (1, 2, 3):
        viewer_page.press("ArrowLeft")
        viewer_page.wait_for_moment(f"t === {t - 10 * step}")
    viewer_page.press(".")
    viewer_page.wait_for_moment(f"t === {t - 20}")
    wait_until_recorded(camera, t)
    assert viewer_page.saved("Frame (JSON)", tmp_path) == frame_lines(camera)[t - 20] + b"\n"


def test_measures_are_charted_as_the_camera_computes_them(looked_at, camera):
    looked_at.open(camera.url)
    looked_at.wait_for_moment("t >= 250")
    page, asked = looked_at.page, "**/measures?*"
    refusal = {"status": 503, "json": {"error": "too many clients"}}
    page.route(asked, lambda route: route.fulfill(**refusal))
    looked_at.expected.append("503")  # the browser's own line
    looked_at.open(camera.url, at(run_of(camera), 200))
    page.reload()
    looked_at.wait_for_moment("t === 200")
    page.click(".charts-menu summary")
    page.get_by_role("checkbox", name="modularity both").check()
    assert page.locator(".chart-name").last.text_content() == "modularity, both (−0.5 to 1)"
    looked_at.says(".chart-note:not(:empty)", "too many others")
    page.wait_for_function("() => location.hash.includes('both_modularity')")
    page.unroute(asked)
    with page.expect_request(asked) as request:
        page.reload()
    with camera.http() as http:
        lines = http.get(request.value.url).text.splitlines()
    points = {line["t"]: line["both_modularity"] for line in map(orjson.loads, lines)}
    page.wait_for_function(
        """(value) => {
            const { textContent } = [...document.querySelectorAll(".chart-value")].at(-1);
            return Math.abs(Number(textContent) - value) < 1e-3;
        }""",
        arg=points[max(t for t in points if t <= 200)],
    )


def test_it_plays_what_was_recorded_and_comes_back_to_live(looked_at, camera):
    looked_at.open(camera.url)
    looked_at.wait_for_moment("t >= 120")
    looked_at.open(camera.url, at(run_of(camera), 40))
    looked_at.page.reload()
    looked_at.wait_for_moment("t === 40")
    looked_at.press(" ")
    looked_at.says(".shown-moment", "playing")
    looked_at.wait_for_moment("t > 40")
    looked_at.press("l")
    looked_at.says(".shown-moment", r"^● t = ")  # and neither playing nor paused
    looked_at.page.wait_for_function("() => location.hash.includes('mode=live')")


def test_a_run_that_has_ended_plays_to_its_end(browser, tmp_path: Path):
    with server_process(tmp_path, "--agents", "5", "--W", "10", "--tick-rate", "200") as first:
        with first.stream() as stream:
            while orjson.loads(stream.recv())["t"] < 100:
                pass
        run = run_of(first)
        assert first.stop(signal.SIGTERM) == 0
    last = max(frame_lines(first))
    with (
        server_process(tmp_path, "--agents", "5", "--W", "10") as second,
        LookedAt(browser) as looked_at,
    ):
        looked_at.open(second.url, at(run, last - 20))
        looked_at.wait_for_moment(f"t === {last - 20}")
        looked_at.press(" ")
        looked_at.says(".shown-moment", f"paused at t = {last} of run {run}")
