"""The page's files over HTTP, on a real port, and who is sent to them."""

from __future__ import annotations

import gzip
import os
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from setuptools.dist import Distribution

from marketcam.server.security.headers import DATA_POLICY, PAGE_POLICY
from marketcam.server.web import viewer
from marketcam.server.web.uncommented import uncommented
from marketcam.server.web.viewer import PACKAGED, TYPES
from tests.server_helpers import fed_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.server_helpers import Running

ROOT = Path(__file__).parents[3]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
TOKEN = "a-token-of-readers-for-tests"
SCRIPT = b"export const t = 1;\n" * 100
FILES = {
    "index.html": b"<!doctype html><title>page</title>" * 10,
    "style.css": b"body { margin: 0 }" * 10,
    "time/charts.js": SCRIPT,
    "time/deep/er.js": b"1",
    "icon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a.json": b"{}",
    "a.woff2": b"font" * 100,
    "a.png": b"picture" * 100,
    "a.webmanifest": b"{}",
    "a.wasm": b"\0asm" * 100,
    "LICENSE.txt": b"licence",
}


@contextmanager
def page_served(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **options: object
) -> Iterator[tuple[Running, httpx.Client]]:
    """Run a server with a page of our own, beside a file that is none of it."""
    page = folder / "page"
    for name, data in FILES.items():
        (page / name).parent.mkdir(parents=True, exist_ok=True)
        (page / name).write_bytes(data)
    (page / "secret.py").write_bytes(b"secret")
    (folder / "outside.js").write_bytes(b"secret")
    monkeypatch.setattr(viewer.ViewerFiles.__init__, "__defaults__", (page,))
    with fed_server(folder, **options) as (server, _), server.http() as http:
        yield server, http


def test_the_page_and_all_it_loads_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with page_served(tmp_path, monkeypatch) as (_, http):
        for name, data in FILES.items():
            answer, head = http.get(f"/viewer/{name}"), http.head(f"/viewer/{name}")
            assert (answer.status_code, answer.content) == (200, data)
            assert answer.headers["content-type"] == TYPES[Path(name).suffix]
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["vary"].startswith("Accept-Encoding")
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == answer.headers["content-length"]
        page = http.get("/viewer/")
    assert page.content == FILES["index.html"]
    assert page.headers["content-security-policy"] == PAGE_POLICY


def test_scripts_and_pages_may_do_what_the_page_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with page_served(tmp_path, monkeypatch) as (_, http):
        policies = {
            name: http.get(f"/viewer/{name}").headers["content-security-policy"] for name in FILES
        }
    running = {".html", ".js", ".svg"}
    assert policies == {
        name: PAGE_POLICY if Path(name).suffix in running else DATA_POLICY for name in FILES
    }


@pytest.mark.parametrize("coding", ["gzip", "zstd", "identity"])
def test_files_are_compressed_as_the_client_would_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    with page_served(tmp_path, monkeypatch) as (_, http):
        with http.stream(
            "GET", "/viewer/time/charts.js", headers={"accept-encoding": coding}
        ) as answer:
            data = b"".join(answer.iter_raw())
        picture = http.get("/viewer/a.png", headers={"accept-encoding": coding})
        refused = http.get("/viewer/", headers={"accept-encoding": "*;q=0"})
    assert answer.headers.get("content-encoding", "identity") == coding
    decode = {
        "gzip": gzip.decompress,
        "zstd": zstandard.ZstdDecompressor().decompress,
        "identity": bytes,
    }
    assert decode[coding](data) == SCRIPT
    assert coding == "identity" or len(data) < len(SCRIPT) / 10
    assert "content-encoding" not in picture.headers
    assert refused.status_code == 406


def test_what_a_client_has_already_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with page_served(tmp_path, monkeypatch) as (_, http):
        tags = {}
        for coding in ("gzip", "zstd", "identity"):
            asked = {"accept-encoding": coding}
            tags[coding] = etag = http.get("/viewer/style.css", headers=asked).headers["etag"]
            again = http.get("/viewer/style.css", headers=asked | {"if-none-match": etag})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
            # What the browser has keeps its own.
            assert "content-security-policy" not in again.headers
            assert again.headers["vary"].startswith("Accept-Encoding")
        other = http.get("/viewer/style.css", headers={"if-none-match": '"other"'})
    assert other.status_code == 200
    assert len(set(tags.values())) == 3
    assert not any(tag.startswith("W/") for tag in tags.values())


@pytest.mark.parametrize(
    "name",
    [
        "none.js", "secret.py", "../outside.js", "..%2Foutside.js", "%2e%2e%2foutside.js",
        "/etc/passwd", ".", "columns", "time", "time/", "time//charts.js", "time/../style.css",
    ],
)  # fmt: skip
def test_nothing_else_is_served_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with page_served(tmp_path, monkeypatch) as (server, _):
        request = f"GET /viewer/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = server.ask_raw(request.encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b'{"error":"no such file"}')


@pytest.mark.parametrize(("path", "place"), [("/", "/viewer/"), ("/viewer", "/viewer/")])
def test_a_browser_is_sent_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, place: str
) -> None:
    with page_served(tmp_path, monkeypatch) as (_, http):
        sent = http.get(f"{path}?t=5&run=a%20b", headers={"accept": BROWSER})
        assert sent.status_code == 307
        assert sent.headers["location"] == "viewer/?t=5&run=a%20b"
        followed = http.get(path, headers={"accept": BROWSER}, follow_redirects=True)
    assert followed.url.path == place
    assert followed.content == FILES["index.html"]


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/plain, */*", False),
        ("text/html, application/json", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0, */*", False),
        ("text/html;q=2", False),
        ("text/htmlx", False),
        ("text/html;q=0.4, */*;q=0.8", False),
        ("application/*, text/html", True),
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML;level=1", True),
        ("text/*", True),
        ("text/html, */*", True),
        ("text/html;q=0.8, application/json;q=0.7", True),
        ("application/json;q=0, text/html;q=0.001", True),
    ],
)
def test_who_prefers_html_gets_the_page_and_all_others_json(
    shared_index: httpx.Client, accept: str | None, *, page: bool
) -> None:
    request = shared_index.build_request("GET", "/")
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    answer = shared_index.send(request)
    assert answer.headers["vary"].split(", ")[0] == "Accept"
    assert answer.status_code == (307 if page else 200)
    assert page or answer.json()["endpoints"]["viewer"] == "/viewer/"


@pytest.fixture(scope="module")
def shared_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with fed_server(tmp_path_factory.mktemp("index")) as (server, _), server.http() as http:
        yield http


def test_the_page_needs_no_token_and_everything_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"accept": BROWSER}
    with page_served(tmp_path, monkeypatch, read_token=TOKEN) as (_, http):
        assert http.get("/viewer/").status_code == 200
        assert http.get("/viewer/time/charts.js").status_code == 200
        assert http.get("/viewer").status_code == 307
        assert http.get("/", headers=asked).status_code == 307
        for path in ("/", "/health", "/runs", "/manifest/frames", "/viewers", "/viewer.js"):
            assert http.get(path).status_code == 401
            assert path == "/" or http.get(path, headers=asked).status_code == 401


def test_a_browser_decoder_of_the_package_is_served_to_any_page(tmp_path: Path) -> None:
    packaged = resources.files("marketcam.server") / "viewer" / "columns.js"
    with fed_server(tmp_path) as (server, _), server.http() as http:
        answer = http.get("/viewer/columns.js", headers={"origin": "http://elsewhere"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.content == uncommented(packaged.read_bytes())


def test_every_file_of_the_page_is_packaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    distribution = Distribution()
    distribution.parse_config_files()
    build: Any = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    build.manifest_files = {}  # what package-data names alone: no list of files is made here
    packed = {
        os.path.relpath(path, ROOT) for path in build.find_data_files("marketcam.server", "server")
    }
    there = {os.path.relpath(path, ROOT) for path in PACKAGED.rglob("*") if path.is_file()}
    assert there
    assert there <= packed
