"""The page as a person has it: what is on it, what it says, and what goes wrong behind it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page, WebSocket

PATIENCE_MS = PATIENCE * 1000
SHOWN = ".shown-moment"


class LookedAt:
    """A window of a browser.

    At the end, an error on the console, or a request or a WebSocket to another host, fails the
    test, unless it was expected (`expected`: texts of which one stands in the error).
    """

    def __init__(self, browser: Browser, **options: Any) -> None:
        options = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | options
        self.context = browser.new_context(accept_downloads=True, **options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.sockets: list[str] = []
        self.expected: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._see(request.url))
        self.page.on("websocket", self._see_socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
        unexpected = self.unexpected()
        assert not unexpected, f"the page said {unexpected}"
        assert len(self.hosts) <= 1, f"requests went to {self.hosts}"

    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not any(text in error for text in self.expected)]

    def open(self, url: str, place: str = "") -> None:
        """Open the page of a camera, and wait for its first picture."""
        self.page.goto(f"{url}/viewer/{place}")
        self.wait_for_moment()

    def says(self, selector: str, pattern: str) -> re.Match[str]:
        """Wait until an element says something; return the match."""
        self.page.wait_for_function(
            """([selector, pattern]) =>
                new RegExp(pattern).test(document.querySelector(selector)?.textContent ?? "")""",
            arg=[selector, pattern],
        )
        found = re.search(pattern, self.page.text_content(selector) or "")
        assert found, f"{selector} said {pattern!r}, and no longer does"
        return found

    def wait_for_moment(self, condition: str = "true") -> int:
        """Wait until the page shows a moment of which a condition of JavaScript on `t` holds."""
        shown = self.page.wait_for_function(
            f"""(selector) => {{
                const words = document.querySelector(selector)?.textContent ?? "";
                const found = /t = (-?[\\d,]+)/.exec(words);
                const t = found && Number(found[1].replaceAll(",", ""));
                return found !== null && ({condition}) ? {{ t }} : false;
            }}""",
            arg=SHOWN,
        )
        return int(shown.json_value()["t"])

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def saved(self, words: str, folder: Path) -> bytes:
        """Save one of the things of the export menu; return the file."""
        self.page.click("#tools >> text=Export")
        with self.page.expect_download() as download:
            self.page.click(f"#export-menu >> text={words}")
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path.read_bytes()

    def _hear(self, message: ConsoleMessage) -> None:
        # That of a driver without a graphics card is of how the picture reaches the screen.
        if message.type in {"error", "warning"} and "GL Driver Message" not in message.text:
            self.errors.append(message.text)

    def _see(self, url: str) -> None:
        host = urlsplit(url).netloc
        if host:
            self.hosts.add(host)

    def _see_socket(self, socket: WebSocket) -> None:
        self.sockets.append(urlsplit(socket.url).path)
        self._see(socket.url)
