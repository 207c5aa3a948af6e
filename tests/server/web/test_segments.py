"""Segment files over HTTP: the whole, parts, conditions, and nothing beyond the store."""

from __future__ import annotations

import asyncio
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import zstandard
from starlette.exceptions import HTTPException

from marketcam.io.store import Store, ZstdSegmentWriter
from marketcam.io.store.files import lock_if_free
from marketcam.server.web.segments import SegmentFiles
from tests.server_helpers import fed_server, receive_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from tests.server_helpers import Running


class Served(NamedTuple):
    """A closed segment of frames and the server that has it."""

    server: Running
    http: httpx.Client
    path: Path

    @property
    def url(self) -> str:
        return f"/segment/frames/{self.path.name}"

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with fed_server(folder, segment_bytes=8000) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, 100)
            receive_until(stream, "frame", 100)
        server.rig.recorder.flush()
        (folder / "store" / "secret.txt").write_text("secret")
        (folder / "secret.txt").write_text("secret")
        entry = http.get("/manifest/frames").json()[0]
        assert entry["pending"] is False
        yield Served(server, http, folder / "store" / entry["path"])


def test_is_the_file_itself(served: Served) -> None:
    answer = served.http.get(served.url)
    assert answer.status_code == 200
    assert answer.content == served.data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(len(served.data))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-range" not in answer.headers
    assert zstandard.decompress(answer.content).startswith(b'{"type":"frame","t":4,')


def test_may_be_asked_for_by_its_path_in_the_manifest(served: Served) -> None:
    assert served.http.get(f"/segment/frames/frames/{served.path.name}").content == served.data
    assert served.http.get(f"/segment/frames/frames%2F{served.path.name}").content == served.data


def test_every_entry_of_a_manifest_can_be_fetched(served: Served) -> None:
    for kind in ("frames", "metrics"):
        entries = served.http.get(f"/manifest/{kind}").json()
        assert len(entries) >= 2
        for entry in entries:
            answer = served.http.get(f"/segment/{kind}/{entry['path']}")
            assert answer.status_code == 200
            assert len(answer.content) == entry["bytes"]


def test_head_has_the_headers_and_no_body(served: Served) -> None:
    head, get = served.http.head(served.url), served.http.get(served.url)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "accept-ranges", "content-type", "cache-control"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=0-9", slice(0, 10)),
        ("bytes=5-20", slice(5, 21)),
        ("bytes=13-14", slice(13, 15)),
        ("bytes=14-99", slice(14, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=0-", slice(0, None)),
        ("bytes=-99999999", slice(0, None)),
        ("bytes=10-99999999", slice(10, None)),
        ("BYTES= 3 - 4", slice(3, 5)),
    ],
)
def test_parts(served: Served, asked: str, part: slice) -> None:
    answer = served.http.get(served.url, headers={"range": asked})
    expected = served.data[part]
    start, stop, _ = part.indices(len(served.data))
    assert answer.status_code == 206
    assert answer.content == expected
    assert answer.headers["content-length"] == str(len(expected))
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(served.data)}"


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=99999999-", "bytes=5-2"])
def test_head_knows_no_parts(served: Served, asked: str) -> None:
    head = served.http.head(served.url, headers={"range": asked})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(served.data))
    assert "content-range" not in head.headers


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=99999999-100000000"])
def test_a_part_outside_is_416(served: Served, asked: str) -> None:
    answer = served.http.get(served.url, headers={"range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(served.data)}"
    assert answer.json() == {"error": f"range lies outside of the {len(served.data)} bytes"}


@pytest.mark.parametrize(
    "asked",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "lines=0-5", "bytes=0-1,5-6",
     "bytes=-5-", "bytes=1e3-", "bytes=0x1-", "bytes=" + "9" * 400 + "-"],
)  # fmt: skip
def test_a_range_that_cannot_be_read_is_ignored(served: Served, asked: str) -> None:
    answer = served.http.get(served.url, headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, served.data)


def test_what_the_client_has_is_not_sent_again(served: Served) -> None:
    etag = served.http.get(served.url).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        for method in ("GET", "HEAD"):
            headers = {"if-none-match": known, "range": "bytes=0-5"}
            answer = served.http.request(method, served.url, headers=headers)
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == etag
            assert "content-length" not in answer.headers
    for known in ('"other"', etag[1:-1], ""):
        answer = served.http.get(served.url, headers={"if-none-match": known})
        assert answer.status_code == 200


def test_a_part_is_sent_only_of_what_the_client_has_a_part_of(served: Served) -> None:
    etag = served.http.get(served.url).headers["etag"]
    resumed = served.http.get(served.url, headers={"range": "bytes=9-", "if-range": etag})
    assert (resumed.status_code, resumed.content) == (206, served.data[9:])
    for other in ('"other"', f"W/{etag}", "Wed, 21 Oct 2026 07:28:00 GMT"):
        answer = served.http.get(served.url, headers={"range": "bytes=9-", "if-range": other})
        assert (answer.status_code, answer.content) == (200, served.data)


TRAVERSALS = [
    "../secret.txt",
    "..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    "%252e%252e%252fsecret.txt",
    "..%5csecret.txt",
    "..\\secret.txt",
    "....//secret.txt",
    "/secret.txt",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "../../../../../../etc/passwd",
    "..%c0%afsecret.txt",
    "%ff%fe",
    "manifest.json",
    "../frames/manifest.json",
    "frames/manifest.json",
    "frames/../frames/{name}",
    "../frames/{name}",
    "metrics/{name}",
    "frames/frames/{name}",
    "./{name}",
    "{name}/",
    "{name}/.",
    "{name}%00",
    "{name}%00.txt",
    "{name}%0a",
    "{name}%20",
    "%20{name}",
    "{name}?/../../secret.txt#",
    "{name};",
    "segment_20260124_120000_1000.jsonl.zst",
    "segment_20260124_120000_1000_pending.jsonl.zst",
    "segment_20260124_120000_../../secret.txt",
    "segment_*.jsonl.zst",
    "SEGMENT_20260124_120000_1000.JSONL.ZST",
    "segment_\uff12\uff10\uff12\uff160124_120000_1000.jsonl.zst",
    "",
    ".",
    "..",
    "%2e",
    "x" * 5000,
]


@pytest.mark.parametrize("name", TRAVERSALS)
@pytest.mark.parametrize("kind", ["frames", "metrics", "ticks", "..", "%2e%2e", "secret"])
def test_nothing_beyond_the_segments_can_be_reached(served: Served, kind: str, name: str) -> None:
    name = name.format(name=served.path.name)
    request = f"GET /segment/{kind}/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head, _, body = served.server.ask_raw(request.encode()).partition(b"\r\n\r\n")
    if kind == "frames" and name == f"{served.path.name}?/../../secret.txt#":
        assert body == served.data  # a query is no part of the path
        return
    status = head.split(b" ", 2)[1]
    assert status in {b"404", b"400"}
    assert status == b"404" or not name.isascii()
    assert b"secret" not in body
    assert b"root:" not in body
    if status == b"404":
        assert b"content-type: application/json" in head
        assert body.startswith(b'{"error":"no such ')


def test_links_and_folders_are_not_followed(served: Served) -> None:
    folder = served.path.parent
    for place, stamp in ((folder.parent / "secret.txt", "000001"), (served.path, "000002")):
        (folder / f"segment_20200101_{stamp}_0.jsonl.zst").symlink_to(place)
    (folder / "segment_20200101_000003_0.jsonl.zst").mkdir()
    for stamp in ("000001", "000002", "000003"):
        answer = served.http.get(f"/segment/frames/segment_20200101_{stamp}_0.jsonl.zst")
        assert answer.status_code == 404


@contextmanager
def pending(folder: Path) -> Iterator[tuple[Running, httpx.Client, str]]:
    """Run a server that is writing a segment of metrics; give its URL."""
    with fed_server(folder, flush_seconds=0.01) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, 20)
            receive_until(stream, "metric", 20)
        server.rig.recorder.flush()
        (entry,) = http.get("/manifest/metrics").json()
        yield server, http, f"/segment/metrics/{entry['path']}"


def test_a_segment_being_written_can_be_read(tmp_path: Path) -> None:
    with pending(tmp_path) as (_, http, url):
        answer = http.get(url)
    assert "_pending." in url
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    decoder = zstandard.ZstdDecompressor().decompressobj()
    assert decoder.decompress(answer.content).count(b"\n") == 21


def test_the_name_of_a_pending_segment_stays_good_once_it_is_closed(tmp_path: Path) -> None:
    with pending(tmp_path) as (server, http, url):
        before = http.get(url)
        server.rig.pipeline.stop()
        server.rig.recorder.close()
        after = http.get(url, headers={"if-none-match": before.headers["etag"]})
        closed = http.get(url.replace("_pending", ""))
        assert (after.status_code, after.content) == (200, closed.content)
        assert after.headers["etag"] == closed.headers["etag"]
        assert after.headers["cache-control"] == "no-cache"
        assert closed.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert zstandard.decompress(closed.content).count(b"\n") == 21
        (tmp_path / "store" / "metrics" / url.rpartition("/")[2].replace("_pending", "")).unlink()
        assert http.get(url).status_code == 404


def test_a_segment_that_is_closed_while_it_is_looked_up_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ZstdSegmentWriter("frames", tmp_path)
    writer.write_line(b'{"t":0}', 0)
    writer.flush()
    (path,) = (tmp_path / "frames").glob("*_pending*")
    find = Store.file

    def close_meanwhile(store: Store, kind: str, name: str) -> Path:
        found = find(store, kind, name)
        writer.close()
        return found

    monkeypatch.setattr(Store, "file", close_meanwhile)
    sent = Wire(path).ask(tmp_path)
    assert not path.exists()
    assert zstandard.decompress(sent) == b'{"t":0}\n'


class Wire:
    """The server's side of one request: what is sent, and what happens in between."""

    def __init__(self, path: Path) -> None:
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": str(path),
            "path_params": {"kind": path.parent.name, "name": path.name},
            "headers": [],
        }
        name = path.name.replace("_pending", "").replace(".jsonl", "_pending.jsonl")
        self.current: dict[str, Any] | None = {"path": f"{path.parent.name}/{name}"}
        self.start: dict[str, Any] = {}
        self.chunks: list[bytes] = []
        self.at_the_first_chunk: Callable[[], object] = lambda: None
        self.at_the_start: Callable[[], object] = lambda: None
        self.connected = True

    async def send(self, event: Any) -> None:
        if event["type"] == "http.response.start":
            self.start = event
            self.at_the_start()
            return
        self.chunks.append(event.get("body", b""))
        if len(self.chunks) == 1:
            self.at_the_first_chunk()

    async def receive(self) -> Any:
        if self.connected:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    def ask(self, store: Path) -> bytes:
        files = SegmentFiles(store, lambda _: self.current)
        asyncio.run(files(self.scope, self.receive, self.send))
        return b"".join(self.chunks)

    @property
    def length(self) -> int:
        return int(dict(self.start["headers"])[b"content-length"])


def incompressible(lines: int) -> list[bytes]:
    rng = random.Random(0)
    return [b'{"t":%d,"x":"%s"}' % (t, rng.randbytes(5000).hex().encode()) for t in range(lines)]


@pytest.mark.parametrize("moment", ["at_the_start", "at_the_first_chunk"])
def test_a_segment_that_grows_and_is_closed_meanwhile_is_sent_as_it_was(
    tmp_path: Path, moment: str
) -> None:
    lines = incompressible(300)
    with ZstdSegmentWriter("frames", tmp_path, flush_seconds=0.001) as writer:
        for t in range(200):
            writer.write_line(lines[t], t)
        writer.flush()
        (path,) = (tmp_path / "frames").glob("*_pending*")
        before = path.read_bytes()
        wire = Wire(path)

        def go_on() -> None:
            for t in range(200, 300):
                writer.write_line(lines[t], t)
            writer.close()
            assert not path.exists()

        setattr(wire, moment, go_on)
        sent = wire.ask(tmp_path)
    assert len(before) > 3 * 256 * 1024
    assert wire.length == len(sent)
    assert sent == before
    decoder = zstandard.ZstdDecompressor().decompressobj()
    assert decoder.decompress(sent).split(b"\n")[:-1] == lines[:200]
    closed = path.with_name(path.name.replace("_pending", ""))
    assert Wire(closed).ask(tmp_path) == closed.read_bytes()


def test_what_is_in_no_manifest_and_not_being_written_is_not_sent(tmp_path: Path) -> None:
    with ZstdSegmentWriter("frames", tmp_path) as writer:
        writer.write_line(b"{}", 0)
    (path,) = (tmp_path / "frames").glob("*.zst")
    stranger = path.with_name("segment_20260124_120000_0.jsonl.zst")
    dead = path.with_name("segment_20260124_120000_1_pending.jsonl.zst")
    for copy in (stranger, dead):
        copy.write_bytes(path.read_bytes())
    wire = Wire(path)
    wire.current = {"path": "frames/segment_20260124_120000_2_pending.jsonl.zst"}
    assert wire.ask(tmp_path) == path.read_bytes()
    for unlisted in (stranger, dead):
        for current in (None, wire.current):
            refused = Wire(unlisted)
            refused.current = current
            with pytest.raises(HTTPException, match="404: no such segment"):
                refused.ask(tmp_path)


def test_a_segment_is_held_against_retention_until_it_is_sent(tmp_path: Path) -> None:
    with ZstdSegmentWriter("frames", tmp_path) as writer:
        for t, line in enumerate(incompressible(100)):
            writer.write_line(line, t)
    (path,) = (tmp_path / "frames").glob("*.zst")
    free: list[bool] = []

    def look() -> None:
        with path.open("rb") as file:
            free.append(lock_if_free(file))

    wire = Wire(path)
    wire.at_the_start = wire.at_the_first_chunk = look
    wire.ask(tmp_path)
    look()
    assert free == [False, False, True]


def test_a_segment_that_is_removed_meanwhile_is_sent_to_its_end(tmp_path: Path) -> None:
    with ZstdSegmentWriter("frames", tmp_path) as writer:
        for t, line in enumerate(incompressible(100)):
            writer.write_line(line, t)
    (path,) = (tmp_path / "frames").glob("*.zst")
    data = path.read_bytes()
    wire = Wire(path)
    wire.at_the_first_chunk = path.unlink
    assert wire.ask(tmp_path) == data


def test_an_empty_file_is_sent_as_such(tmp_path: Path) -> None:
    path = tmp_path / "frames" / "segment_20260124_120000_0_pending.jsonl.zst"
    path.parent.mkdir()
    path.touch()
    wire = Wire(path)
    assert wire.ask(tmp_path) == b""
    assert (wire.start["status"], wire.length) == (200, 0)


def test_a_client_that_has_gone_ends_the_sending(tmp_path: Path) -> None:
    with ZstdSegmentWriter("frames", tmp_path) as writer:
        for t, line in enumerate(incompressible(200)):
            writer.write_line(line, t)
    (path,) = (tmp_path / "frames").glob("*.zst")
    wire = Wire(path)
    wire.at_the_first_chunk = lambda: setattr(wire, "connected", False)
    assert len(wire.ask(tmp_path)) == 256 * 1024 < path.stat().st_size


def test_a_file_that_became_shorter_is_an_error_and_no_endless_loop(tmp_path: Path) -> None:
    path = tmp_path / "frames" / "segment_20260124_120000_0.jsonl.zst"
    path.parent.mkdir()
    path.write_bytes(b"x" * 300_000)
    wire = Wire(path)
    wire.at_the_first_chunk = lambda: path.write_bytes(b"x")
    with pytest.raises(RuntimeError, match="became shorter than 300000 bytes"):
        wire.ask(tmp_path)


def test_the_tag_of_a_segment_changes_with_it(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.http() as http, server.stream() as stream:
        tags = []
        for t in range(3):
            feed.send_ticks(t, t)
            receive_until(stream, "metric", t)
            server.rig.recorder.flush()
            url = "/segment/metrics/" + http.get("/manifest/metrics").json()[0]["path"]
            tags.append(http.get(url).headers["etag"])
        assert http.get(url, headers={"if-none-match": tags[-1]}).status_code == 304
        server.rig.pipeline.stop()
        server.rig.recorder.close()
        tags.append(http.get(url.replace("_pending", "")).headers["etag"])
    assert len(set(tags)) == 4
