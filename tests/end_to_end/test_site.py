"""The documents as a site: built, read by a real browser, and nobody else asked for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.browsers import chromium
from tests.readme_blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

PAGES = ("index.html", "tutorial.html", "messages.html", "zh/index.html", "zh/tutorial.html")


def build(into: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(into), *options],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, in a folder."""
    folder = tmp_path_factory.mktemp("site")
    built = build(folder)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


def test_every_page_is_there(site: Path) -> None:
    sources = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert [name for name in sources if not (site / name.with_suffix(".html")).is_file()] == []


@pytest.mark.parametrize("index", ["index.md", "zh/index.md"])
def test_the_first_page_leads_to_every_other(index: str) -> None:
    """But for those of the other language."""
    first = ROOT / "docs" / index
    found = re.findall(r"\]\(([\w./-]+\.md)\)", first.read_text())
    led_to = {(first.parent / link).resolve() for link in found}
    pages = {*(ROOT / "docs").glob("*.md"), *first.parent.glob("*.md")}
    others = {ROOT / "docs" / name for name in ("index.md", "tutorial.md")}
    assert pages - led_to - {first} <= (others if first.parent.name == "zh" else set())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[there](nowhere.md)", "nowhere.md"),
        ("[there](index.md#nowhere)", "#nowhere"),
        (None, "lost.md"),
    ],
)
def test_what_leads_nowhere_fails_the_build(tmp_path: Path, text: str | None, problem: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text(f"# Here\n\n{text or ''}\n")
    if text is None:
        (docs / "lost.md").write_text("# Lost\n")
    settings = (ROOT / "mkdocs.yml").read_text()
    head, rest = settings.split("\nnav:\n")
    tail = rest[rest.index("\ntheme:") :]
    (tmp_path / "mkdocs.yml").write_text(f"{head}\nnav:\n  - Here: index.md\n{tail}")
    built = build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))
    assert built.returncode == 1
    assert problem in built.stderr


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.browser
def test_pages_ask_nobody_else(address: str, site: Path, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for place in (address, site.as_uri()):
        for name in PAGES:
            page.goto(f"{place}/{name}", wait_until="load")
            assert page.locator("article h1").count() == 1
    ours = (address, site.as_uri(), "data:", "blob:")
    assert len(asked) > len(PAGES)
    assert [url for url in asked if not url.startswith(ours)] == []


@pytest.mark.browser
def test_what_is_looked_for_is_found(address: str, page: Page) -> None:
    page.goto(f"{address}/index.html")
    page.locator("input[name=query]").fill("quote_proximity")
    page.locator(".md-search-result__link[href*='messages.html']").first.wait_for()
