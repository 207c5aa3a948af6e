"""A real browser as the client: the README's snippet, replay over HTTP, and the end of a stream."""

from __future__ import annotations

import re
import signal
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import zstandard

from tests.browsers import chromium
from tests.readme_blocks import the_block
from tests.server_helpers import PATIENCE, server_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.server_helpers import ServerProcess

pytestmark = pytest.mark.browser

OLDEST_SEGMENT = """async (url) => {
    const manifest = await fetch(`${url}/manifest/metrics`).then((answer) => answer.json());
    const segment = manifest.find((one) => one.start_t <= 0 && one.end_t >= 0);
    const answer = await fetch(`${url}/segment/metrics/${segment.path}`);
    return [segment, Array.from(new Uint8Array(await answer.arrayBuffer()))];
}"""

SMALL_SCREEN = """async (url) => {
    const stream = new WebSocket(`${url}?kinds=frame&every=2&edges=5&deflate=1`);
    const message = await new Promise((resolve, reject) => {
        let greeted = false;
        stream.onmessage = (event) => greeted ? resolve(JSON.parse(event.data)) : greeted = true;
        stream.onclose = (event) => reject(`closed ${event.code}`);
    });
    stream.onclose = null;
    stream.close();
    return [stream.extensions, message.type, message.t % 20, message.edges.length];
}"""

TELL_THE_END = """stream.onclose = (event) => console.log(`closed ${event.code}`);"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    yield context.new_page()
    context.close()


@contextmanager
def filming(folder: Path) -> Iterator[ServerProcess]:
    flags = ("--agents", "20", "--tick-rate", "200", "--W", "20", "--segment-bytes", "20000")
    with server_process(folder, *flags) as server:
        yield server


@contextmanager
def pages_of(folder: Path) -> Iterator[str]:
    """Serve a folder as another site would; yield its address."""
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        serving = threading.Thread(target=site.serve_forever)
        serving.start()
        try:
            yield f"http://localhost:{site.server_port}/"
        finally:
            site.shutdown()
            serving.join()


def paste(page: Page, script: str) -> None:
    """Run a script as the console of the developer tools does."""
    console = page.context.new_cdp_session(page)
    result: dict[str, Any] = console.send(
        "Runtime.evaluate", {"expression": script, "replMode": True}
    )
    assert "exceptionDetails" not in result, result


def snippet(server: ServerProcess) -> str:
    script = the_block("Look at it", "javascript")
    assert "127.0.0.1:8000" in script
    return script.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")


def test_the_snippet_prints_metrics_and_frames(page, tmp_path):
    printed: list[str] = []
    page.on("console", lambda message: message.type == "log" and printed.append(message.text))
    with filming(tmp_path) as server:
        page.goto(server.url)
        with page.expect_console_message(lambda message: message.text.startswith("frame t=")):
            paste(page, snippet(server))
    metrics = [line for line in printed if re.fullmatch(r"t=\d+ N=20 matches=\d+", line)]
    frames = [line for line in printed if re.fullmatch(r"frame t=\d+0: 20 nodes, \d+ edges", line)]
    assert metrics
    assert frames
    assert len(metrics) + len(frames) == len(printed)


def test_a_page_is_told_that_the_camera_stops(page, tmp_path):
    with filming(tmp_path) as server:
        page.goto(server.url)
        with page.expect_console_message(lambda message: message.text.startswith("t=")):
            paste(page, snippet(server))
        paste(page, TELL_THE_END)
        with page.expect_console_message(lambda message: message.text == "closed 1001"):
            assert server.stop(signal.SIGTERM) == 0


def test_a_page_from_elsewhere_reads_the_history(page, tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html><title>elsewhere</title>")
    with filming(tmp_path) as server, pages_of(tmp_path) as elsewhere:
        server.wait_for_log("event=segment_closed path=metrics/")
        page.goto(elsewhere)
        segment, data = page.evaluate(OLDEST_SEGMENT, server.url)
    lines = zstandard.decompress(bytes(data)).splitlines()
    assert len(lines) == segment["lines"]
    assert [orjson.loads(line)["t"] for line in lines] == list(range(segment["end_t"] + 1))


def test_a_small_screen_asks_for_less(page, tmp_path):
    with filming(tmp_path) as server:
        page.goto(server.url)
        extensions, *message = page.evaluate(SMALL_SCREEN, server.stream_url)
    assert extensions.startswith("permessage-deflate")
    assert message == ["frame", 0, 5]
