"""The report of a profile in a real browser, offline: it is drawn, sorted, and asks for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from marketcam.server.profiling.report import write_report
from tests.browsers import chromium
from tests.profile_helpers import CONDITIONS, failure, points, result
from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

GRID = points(agents="5,50,500", window="6,60", edge_cap="20,200")
COLUMN = (
    "(name) => [...document.querySelectorAll('tbody tr')].map((row) => row.cells[name].textContent)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "profile.html"
    results = [result(point, frame_ms_p50=0.1 * point.W) for point in GRID[:-1]]
    write_report(path, [*results, failure(GRID[-1])], CONDITIONS, ["marketcam", "profile"])
    return path


@pytest.fixture(params=[(1400, "light"), (1400, "dark"), (375, "light")], ids=str)
def page(browser: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open the report offline; whatever it says on the console or asks for fails the test."""
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    context.set_default_timeout(PATIENCE * 1000)
    opened, complaints = context.new_page(), []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda asked: complaints.append(asked.url))
    opened.goto(report.as_uri())
    assert complaints == [report.as_uri()]
    yield opened
    assert complaints == [report.as_uri()]
    context.close()


def test_it_fits_the_screen_and_every_plot_is_drawn(page):
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= room
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg')].map((svg) => [svg.clientWidth, svg.clientHeight])"
    )
    assert len(sizes) == 6
    assert all(width > 200 and height > 100 for width, height in sizes)


def test_text_stands_out_from_its_background_in_either_scheme(page):
    colours = page.evaluate(
        """() => {
            const of = (one, name) => getComputedStyle(one)[name].match(/[0-9]+/g).map(Number);
            const paper = of(document.querySelector(".plot"), "backgroundColor");
            return [...document.querySelectorAll("svg text, td, h1")].map(
                (text) => [of(text, text.closest("svg") ? "fill" : "color"), paper]);
        }"""
    )
    assert colours
    for text, paper in colours:
        assert max(abs(a - b) for a, b in zip(text[:3], paper[:3], strict=True)) > 60


def test_a_click_on_a_heading_sorts_and_another_turns_round(page):
    titles = page.locator("thead th").all_inner_texts()
    place = titles.index("frame p50 ms")
    measured = sorted({0.6, 6.0})
    page.locator("thead button").nth(place).click()
    values = page.evaluate(COLUMN, place)
    shown = [float(value) for value in values[:-1]]
    assert shown == sorted(shown)
    assert set(shown) == set(measured)
    assert values[-1] == "–"  # what was not measured comes last, either way
    page.locator("thead button").nth(place).click()
    again = page.evaluate(COLUMN, place)
    assert [float(value) for value in again[:-1]] == sorted(shown, reverse=True)
    assert again[-1] == "–"
