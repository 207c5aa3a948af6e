"""The page in a browser without a graphics card: how fluent, how soon, how heavy?

::

    python -m benchmarks.viewer open             # page weight, and time to the first picture
    python -m benchmarks.viewer live             # 10,000 nodes at 10 frames/s, for 10 minutes
    python -m benchmarks.viewer seek --hours 24  # random ticks of a recording, until they are shown

Server and browser share the machine, and without a graphics card the browser draws on the same
cores: a figure is one of all of them together. `live` counts the pictures of the structure, by what
it puts into its canvas, and the time its main thread was at work, as Chromium tells it.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from benchmarks.history import TICK_RATE, recording, server_on
from benchmarks.machine import listed
from tests.browsers import ARGUMENTS, executable
from tests.server_helpers import server_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, CDPSession, Page, Route

WEIGHT_TARGET_KB = 200
FIRST_PICTURE_TARGET_MS = 1_500
PICTURES_TARGET = 30
BUSY_TARGET = 0.60
SEEK_TARGET_MS = 500
FILLING_SECONDS = 10.0
PATIENCE_MS = 300_000

FIRST_PICTURE = """() => new Promise((resolve) => {
    const look = () => {
        const [mark] = performance.getEntriesByName("first-picture");
        if (mark) resolve(mark.startTime); else requestAnimationFrame(look);
    };
    look();
})"""

# The page is as it is for everybody; what counts is put around the Worker that draws. A picture
# is a call for all nodes to the graphics card, or, without one, a whole picture into the canvas.
PAINTER = "/viewer/structure/painter.worker.js"
COUNT_PICTURES = """{
    self.drawn = 0;
    const { drawElements } = WebGL2RenderingContext.prototype;
    WebGL2RenderingContext.prototype.drawElements = function (...given) {
        self.drawn += 1;
        return drawElements.apply(this, given);
    };
    const { putImageData } = OffscreenCanvasRenderingContext2D.prototype;
    OffscreenCanvasRenderingContext2D.prototype.putImageData = function (...given) {
        self.drawn += 1;
        return putImageData.apply(this, given);
    };
}
"""

NODES = """() => {
    const words = document.querySelector("#structure .counts").textContent;
    return Number(/of ([0-9,]+) linked/.exec(words)[1].replaceAll(",", ""));
}"""

# From the wish, told to the page by its address as a link does, to the frame on the screen.
SEEK = """([run, t]) => new Promise((resolve) => {
    const begin = performance.now();
    const wanted = `t = ${t.toLocaleString("en")}`;
    const look = () => {
        const shown = document.querySelector(".shown-moment").textContent;
        if (shown.includes(wanted + " ") || shown.endsWith(wanted) || shown.includes(wanted + ","))
            requestAnimationFrame(() => resolve(performance.now() - begin));
        else requestAnimationFrame(look);
    };
    location.hash = `#mode=recorded&run=${run}&t=${t}`;
    look();
})"""


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield running
        running.close()


def opened(running: Browser, url: str, *, counted: bool = False) -> tuple[Page, CDPSession]:
    """Open the page of a camera in a window of its own; its pictures can be counted."""
    context = running.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    devtools = context.new_cdp_session(page)
    devtools.send("Performance.enable")
    if counted:
        page.route(f"**{PAINTER}", count_pictures)
    page.goto(url)
    return page, devtools


def count_pictures(route: Route) -> None:
    body = COUNT_PICTURES + route.fetch().text()
    route.fulfill(body=body, content_type="text/javascript")


def drawn(page: Page) -> int:
    """Return how many pictures there were."""
    (painter,) = (each for each in page.workers if each.url.endswith(PAINTER))
    return painter.evaluate("self.drawn")


def measure_opening(options: argparse.Namespace) -> list[tuple[str, float, float, str]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        browser() as running,
        camera(folder, options) as url,
    ):
        times, sizes = [], []
        for _ in range(options.rounds):
            page, _ = opened(running, f"{url}/viewer/")
            times.append(page.evaluate(FIRST_PICTURE))
            sizes.append(page.evaluate(WEIGHT))
            page.context.close()
    return [
        ("page weight, KB compressed", median(sizes) / 1e3, WEIGHT_TARGET_KB, "at most"),
        ("first picture, ms", median(times), FIRST_PICTURE_TARGET_MS, "at most"),
    ]


# What came over the wire of the page itself, and not of the camera's data.
WEIGHT = """() => performance.getEntriesByType("navigation")
    .concat(performance.getEntriesByType("resource"))
    .filter((entry) => new URL(entry.name).pathname.startsWith("/viewer/"))
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""


def measure_live(options: argparse.Namespace) -> list[tuple[str, float, float, str]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        browser() as running,
        camera(folder, options) as url,
    ):
        page, devtools = opened(running, f"{url}/viewer/", counted=True)
        page.evaluate(FIRST_PICTURE)
        page.wait_for_timeout(FILLING_SECONDS * 1000)  # the page's own memory of frames fills
        before, looks = look(page, devtools), []
        for _ in range(options.looks):
            page.wait_for_timeout(1000 * options.seconds / options.looks)
            looks.append(look(page, devtools))
            print(f"  {looks[-1]}", file=sys.stderr)
        after = looks[-1]
        spent = after["at"] - before["at"]
        nodes = page.evaluate(NODES)
        if nodes < options.agents:
            raise SystemExit(f"{nodes} nodes are shown: {options.agents} are asked for")
        print(f"{nodes} nodes; the page says: {page.text_content('#status')}")
    return [
        (
            "pictures a second",
            (after["pictures"] - before["pictures"]) / spent,
            PICTURES_TARGET,
            "at least",
        ),
        (
            "main thread at work, share",
            (after["task"] - before["task"]) / spent,
            BUSY_TARGET,
            "at most",
        ),
        (
            "heap after collection, MB more at the end than after the first look",
            (after["heap"] - looks[0]["heap"]) / 1e6,
            5.0,
            "at most",
        ),
    ]


def look(page: Page, devtools: CDPSession) -> dict[str, float]:
    """Return what Chromium tells of the page now, after a collection of what is not used."""
    devtools.send("HeapProfiler.collectGarbage")
    told: Any = devtools.send("Performance.getMetrics")
    figures = {metric["name"]: metric["value"] for metric in told["metrics"]}
    usage: Any = devtools.send("Runtime.getHeapUsage")
    return {
        "at": time.perf_counter(),
        "pictures": drawn(page),
        "task": figures["TaskDuration"],
        "heap": usage["usedSize"] + usage.get("backingStorageSize", 0),
    }


def measure_seeks(options: argparse.Namespace) -> list[tuple[str, float, float, str]]:
    made = recording(
        options.folder / f"{options.hours:g}h", round(options.hours * 3600 * TICK_RATE)
    )
    dice = random.Random(1)
    with server_on(made.folder) as (address, _), browser() as running:
        page, _ = opened(running, f"http://{address}/viewer/#mode=recorded&run={made.run}&t=1000")
        page.evaluate(FIRST_PICTURE)
        ticks = [10 * dice.randrange(100, made.last_t // 10) for _ in range(options.seeks)]
        times = [page.evaluate(SEEK, [made.run, t]) for t in ticks]
    times.sort()
    return [
        ("seek until shown, ms, median", median(times), SEEK_TARGET_MS, "at most"),
        (
            "seek until shown, ms, p99",
            times[int(0.99 * (len(times) - 1))],
            SEEK_TARGET_MS,
            "at most",
        ),
        ("seek until shown, ms, worst", times[-1], SEEK_TARGET_MS, "at most"),
    ]


@contextmanager
def camera(folder: str, options: argparse.Namespace) -> Iterator[str]:
    """Film the embedded market; yield the camera's address."""
    flags = ("--agents", str(options.agents), "--tick-rate", str(options.tick_rate), "--W", "100")
    with ExitStack() as stack:
        server = stack.enter_context(server_process(Path(folder), *flags))
        with server.stream() as stream:  # until there is a frame to show
            while '"type":"frame"' not in str(stream.recv())[:20]:
                pass
        yield server.url


def report(rows: Sequence[tuple[str, float, float, str]]) -> bool:
    """Print the rows; return whether all reach their targets."""
    print("| what | figure | target | |\n|---|---:|---:|---|")
    all_reached = True
    for what, figure, target, sense in rows:
        reached = figure <= target if sense == "at most" else figure >= target
        all_reached = all_reached and reached
        print(
            f"| {what} | {figure:.2f} | {sense} {target:g} | {'reached' if reached else 'missed'} |"
        )
    print(f"\n{listed()}")
    return all_reached


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    cases = parser.add_subparsers(dest="case", required=True)
    opening = cases.add_parser("open")
    opening.add_argument("--rounds", type=int, default=5)
    opening.set_defaults(measure=measure_opening)
    live = cases.add_parser("live")
    live.add_argument("--seconds", type=float, default=600.0)
    live.add_argument("--looks", type=int, default=10)
    live.set_defaults(measure=measure_live)
    for case, agents in ((opening, 74), (live, 10_000)):
        case.add_argument("--agents", type=int, default=agents)
        case.add_argument("--tick-rate", type=float, default=100.0)
    seek = cases.add_parser("seek")
    seek.add_argument("--hours", type=float, default=1.0)
    seek.add_argument("--folder", type=Path, default=Path("build/history"))
    seek.add_argument("--seeks", type=int, default=100)
    seek.set_defaults(measure=measure_seeks)
    options = parser.parse_args(argv)
    return 0 if report(options.measure(options)) else 1


if __name__ == "__main__":
    sys.exit(main())
