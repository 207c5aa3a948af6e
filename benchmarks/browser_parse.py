"""How much cheaper are columns than JSON for a browser? Both in one page, one after the other.

::

    python -m benchmarks.browser_parse --agents 10000

A frame of the camera (W = 300, stride 10, edge cap 2000, quotes uniform over the range) is put
before Chromium in both encodings. The page decodes them in turn, so that a machine that slows down
slows both; a sample is several decodings, since the clock of a page is coarse. Figures are medians,
the ratio is the median of the samples' ratios. The first samples, while the page still compiles,
are not counted. That both say the same is checked first.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import zstandard
from playwright.sync_api import sync_playwright

from benchmarks.workloads import Film
from marketcam.engine import warm_up
from marketcam.io import encode_frame, encode_frame_columns, warm_up_encoders
from tests.browsers import ARGUMENTS, NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

ORIGIN = "http://camera.test"
DECODER = Path(__file__).parents[1] / "server" / "viewer" / "columns.js"
LEVEL = 3
WARM = 3

SAMPLES = """async ([samples, each]) => {
    const { decodeFrame, frameObject } = await import("/columns.js");
    const text = await fetch("/frame.json").then((answer) => answer.text());
    const data = await fetch("/frame.columns").then((answer) => answer.arrayBuffer());
    const again = JSON.stringify(frameObject(decodeFrame(data)));
    const same = again === JSON.stringify(JSON.parse(text));
    let kept = 0;  // what is not used might not be computed
    const time = (decode) => {
        const begin = performance.now();
        for (let k = 0; k < each; k++) kept += decode().t;
        return (performance.now() - begin) / each;
    };
    const json = [], columns = [];
    for (let k = 0; k < samples; k++) {
        json.push(time(() => JSON.parse(text)));
        columns.push(time(() => decodeFrame(data)));
    }
    return { same, json, columns, kept };
}"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        print(f"no Chromium is installed, looked for {', '.join(NAMES)}", file=sys.stderr)
        return 1
    warm_up_encoders(warm_up())
    frame = Film(options.agents, {"W": 300, "stride": 10, "edge_cap": 2000}).frame()
    json, columns = encode_frame(frame), encode_frame_columns(frame)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page()
        _serve(page, json, columns)
        told = page.evaluate(SAMPLES, [WARM + options.samples, options.each])
        print(f"Chromium {browser.version}, {len(frame.nodes)} nodes, {len(frame.edges)} edges")
        browser.close()
    if not told["same"]:
        print("the two encodings do not say the same", file=sys.stderr)
        return 1
    _report_times(told)
    _report_sizes(json, columns)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=15)
    parser.add_argument("--each", type=int, default=5, help="decodings a sample")
    return parser.parse_args(arguments)


def _serve(page: Page, json: bytes, columns: bytes) -> None:
    page.route(f"{ORIGIN}/", lambda route: route.fulfill(body="", content_type="text/html"))
    page.route(f"{ORIGIN}/columns.js", lambda route: route.fulfill(path=DECODER))
    page.route(f"{ORIGIN}/frame.json", lambda route: route.fulfill(body=json))
    page.route(f"{ORIGIN}/frame.columns", lambda route: route.fulfill(body=columns))
    page.goto(f"{ORIGIN}/")


def _report_times(told: dict[str, Any]) -> None:
    json, columns = told["json"][WARM:], told["columns"][WARM:]
    ratio = median(slow / fast for slow, fast in zip(json, columns, strict=True))
    print(
        f"parse    JSON {median(json):9.3f} ms  columns {median(columns):9.3f} ms  {ratio:6.1f} x"
    )


def _report_sizes(json: bytes, columns: bytes) -> None:
    packed = [len(zstandard.compress(message, LEVEL)) for message in (json, columns)]
    for name, (long, short) in (("size", (len(json), len(columns))), ("zstd", packed)):
        print(f"{name:8} JSON {long:9} B   columns {short:9} B   {long / short:6.1f} x")


if __name__ == "__main__":
    sys.exit(main())
