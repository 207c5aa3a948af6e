"""The machine's own Chromium, for tests and for questions that only a browser can answer."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",  # WebGL all the same, on the processor
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable() -> str | None:
    """Return where the machine's own Chromium is, if it has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the machine's own Chromium; nothing is downloaded."""
    path = executable()
    if path is None:
        missing = f"no Chromium is installed, looked for {', '.join(NAMES)}"
        if os.environ.get("MARKETCAM_REQUIRE_BROWSER"):
            pytest.fail(f"{missing}, and MARKETCAM_REQUIRE_BROWSER is set")
        pytest.skip(missing)
    # Ended before the next module begins: while it runs, this thread is taken for a running loop.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
