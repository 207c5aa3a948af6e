"""A real camera, a real browser, and the page between them."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browsers import chromium
from tests.server_helpers import server_process
from tests.viewer.pages import LookedAt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.server_helpers import ServerProcess

VIEWER = Path(__file__).parents[2] / "server" / "viewer"
ORIGIN = "http://page.test"

CAMERA = ("--agents", "40", "--tick-rate", "100", "--W", "30", "--stride", "10", "--seed", "3")
"""Small, so that frames come soon and often enough, on a machine with two tests at a time."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A camera that films the embedded market for all tests of a module."""
    with server_process(tmp_path_factory.mktemp("camera"), *CAMERA) as server:
        yield server


@pytest.fixture
def looked_at(browser: Browser) -> Iterator[LookedAt]:
    """A window of the browser; what goes wrong in it fails the test."""
    with LookedAt(browser) as looked_at:
        yield looked_at


@pytest.fixture
def viewer_page(looked_at: LookedAt, camera: ServerProcess) -> LookedAt:
    """The page, with a first picture."""
    looked_at.open(camera.url)
    return looked_at


@pytest.fixture
def modules(browser: Browser) -> Iterator[Page]:
    """A page of an origin that serves the page's modules, for asking these alone."""
    with page_of_modules(browser) as page:
        yield page


@contextmanager
def page_of_modules(browser: Browser) -> Iterator[Page]:
    """Open a page of an origin that serves the page's modules."""
    page = browser.new_page()
    page.route(
        f"{ORIGIN}/viewer/**",
        lambda route: route.fulfill(
            path=VIEWER / route.request.url.removeprefix(f"{ORIGIN}/viewer/")
        ),
    )
    page.route(f"{ORIGIN}/", lambda route: route.fulfill(body="", content_type="text/html"))
    page.goto(f"{ORIGIN}/")
    yield page
    page.close()
