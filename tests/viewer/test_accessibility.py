"""Whoever cannot see the page, or has no pointer: names, contrast, and the keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.viewer.pages import LookedAt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.server_helpers import ServerProcess

pytestmark = pytest.mark.browser

GRAVE = {"serious", "critical"}

MISSING_WORDS = """async () => {
    const { WORDS } = await import("/viewer/people/text.js");
    return WORDS.flatMap(({ en, zh }) => [
        ...Object.keys(en).filter((key) => !(key in zh)),
        ...Object.keys(zh).filter((key) => !(key in en)),
        ...Object.keys(en).filter((key) => {
            const names = (words) => (words.match(/\\{\\w+\\}/g) ?? []).sort().join();
            return key in zh && names(en[key]) !== names(zh[key]);
        }),
    ]);
}"""


@pytest.fixture(params=["light", "dark"])
def page_in_a_scheme(
    browser: Browser, camera: ServerProcess, request: pytest.FixtureRequest
) -> Iterator[LookedAt]:
    with LookedAt(browser, color_scheme=request.param) as looked_at:
        # The checker is put into the page, which its policy does not allow to anyone else.
        looked_at.open(camera.url)
        yield looked_at


def grave_faults(looked_at: LookedAt) -> list[Any]:
    found = Axe().run(looked_at.page).response["violations"]
    return [
        (fault["id"], [node["html"][:120] for node in fault["nodes"]][:3])
        for fault in found
        if fault["impact"] in GRAVE
    ]


def test_axe_finds_nothing_grave(page_in_a_scheme):
    page = page_in_a_scheme.page
    page_in_a_scheme.press(" ")
    assert grave_faults(page_in_a_scheme) == []
    page_in_a_scheme.press("t")
    page.click("#agents .row[data-at='0']")
    assert grave_faults(page_in_a_scheme) == []
    page_in_a_scheme.press("i")
    page.wait_for_selector("#agents .neighbours button")
    assert grave_faults(page_in_a_scheme) == []
    page.keyboard.press("?")
    page.wait_for_selector("dialog.help[open]")
    assert grave_faults(page_in_a_scheme) == []
    page.keyboard.press("Escape")
    page.click("#tools button[lang=zh]")
    assert page.get_attribute("html", "lang") == "zh"
    assert grave_faults(page_in_a_scheme) == []


def test_every_word_is_there_in_both_languages(modules):
    assert modules.evaluate(MISSING_WORDS) == []


def test_the_page_speaks_chinese(browser, camera):
    with LookedAt(browser, locale="zh-CN") as looked_at:
        looked_at.open(camera.url)
        looked_at.says("#status .standing", "实时")
        looked_at.says("#tab-table", "表格")
        assert looked_at.page.get_attribute("html", "lang") == "zh"


def test_the_keyboard_alone_is_enough(viewer_page):
    """From the first tab stop to one agent, compared with another moment."""
    page = viewer_page.page
    viewer_page.wait_for_moment("t >= 60")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the structure"
    viewer_page.press(" ")
    viewer_page.says(".shown-moment", "paused")
    viewer_page.press("c")
    viewer_page.press("t")
    viewer_page.says("#agents .comparison", "Compared with t =")
    page.focus("#agents [role=grid]")
    for key in ("ArrowDown", "ArrowDown", "End", "Home", "ArrowDown", " "):
        viewer_page.press(key)
    page.wait_for_selector("#agents .row[aria-selected='true'][data-at='1']")
    page.evaluate("document.activeElement.blur()")
    viewer_page.press("i")
    viewer_page.says("#agents .figures", "quote price")
    viewer_page.press("Escape")
    page.wait_for_selector("#agents .summary:not([hidden])")
    viewer_page.press("g")
    page.wait_for_function("() => location.hash.includes('layout=force')")
    viewer_page.press("?")
    viewer_page.says("dialog.help", "back to live")
    viewer_page.press("Escape")
    page.wait_for_selector("dialog.help", state="detached")
    viewer_page.press("l")
    page.wait_for_function("() => location.hash.includes('mode=live')")


def test_a_phone_shows_a_page_that_fits(browser, camera):
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with LookedAt(browser, **options) as looked_at:
        looked_at.open(camera.url)
        looked_at.page.wait_for_selector("#structure canvas")
        assert looked_at.page.evaluate("document.documentElement.scrollWidth") <= 390
