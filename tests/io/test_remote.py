"""History over HTTP when it goes wrong: breaks, refusals, nonsense; each said, none a hole."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections import deque
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import zstandard

from marketcam.io import RemoteStore, RemoteStoreError
from marketcam.io.remote_http import HttpStatusError
from marketcam.io.store import NewerFormatError, StoreError, UnknownSegmentError

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = [b'{"t":%d,"type":"metric"}' % t for t in range(100)]
RUN = {"run": "r", "started_at": "", "continued_at": [], "ended_at": None, "holes": [], "about": {}}
NDJSON = "application/x-ndjson"


class Camera:
    """A server that answers /runs, and everything else by the next of its scripts."""

    def __init__(self, *scripts: Any, runs: Any = (RUN,), tls: ssl.SSLContext | None = None):
        camera = self
        self.scripts = deque(scripts)
        self.asked: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.waited: list[float] = []
        self.ended = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                url = urlsplit(self.path)
                camera.headers.append(dict(self.headers))
                if url.path.endswith("/runs"):
                    whole(orjson.dumps(runs), Content_Type="application/json")(self)
                    return
                options = {name: values[0] for name, values in parse_qs(url.query).items()}
                camera.asked.append(options)
                camera.scripts.popleft()(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "http" if tls is None else "https"
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}"

    def store(self, **options: Any) -> RemoteStore:
        given = {"wait": self.waited.append, "timeout": 60.0} | options
        return RemoteStore(self.url, **given)


@contextmanager
def camera(*scripts: Any, **options: Any) -> Iterator[Camera]:
    it = Camera(*scripts, **options)
    thread = threading.Thread(target=it.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield it
    finally:
        it.server.shutdown()
        thread.join()
        it.server.server_close()


def whole(body: bytes, status: int = 200, **headers: str) -> Any:
    def script(handler):
        handler.send_response(status)
        given = {"Content_Type": NDJSON, "Content_Length": str(len(body)), **headers}
        for name, value in given.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return script


def chunked(*pieces: bytes, end: bool = True, **headers: str) -> Any:
    """Answer in chunks; without an end the connection is cut behind them."""

    def script(handler):
        handler.send_response(200)
        given = {"Content_Type": NDJSON, "Transfer_Encoding": "chunked", **headers}
        for name, value in given.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        for piece in pieces:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if end:
            handler.wfile.write(b"0\r\n\r\n")
        else:
            handler.close_connection = True

    return script


def cut() -> Any:
    def script(handler):
        handler.close_connection = True

    return script


def text(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def test_a_broken_transfer_is_resumed_after_its_last_whole_line():
    with camera(
        chunked(text(LINES[:40]), LINES[40][:9], end=False),
        chunked(text(LINES[39:41]), end=False),
        chunked(text(LINES[40:])),
    ) as it:
        assert list(it.store().lines("metrics", to_t=99)) == LINES
        assert it.asked == [
            {"to_t": "99", "run": "r"},
            {"from_t": "39", "to_t": "99", "run": "r"},
            {"from_t": "40", "to_t": "99", "run": "r"},
        ]
        assert it.waited == [0.5, 0.5]


def test_thinning_keeps_its_step_over_a_break():
    thinned = LINES[2::3]
    with camera(chunked(text(thinned[:10]), end=False), chunked(text(thinned[9:]), end=True)) as it:
        assert list(it.store().lines("metrics", 2, every=3)) == thinned
        assert it.asked[1] == {"from_t": "29", "every": "3", "run": "r"}


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_compressed_transfer_may_break_anywhere(size):
    coder = zstandard.ZstdCompressor().compressobj()
    data = b"".join(
        coder.compress(line + b"\n") + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        for line in LINES[:50]
    )
    pieces = [data[at : at + size] for at in range(0, len(data) - 5, size)]
    zstd = {"Content_Encoding": "zstd"}
    with camera(chunked(*pieces, end=False, **zstd), compressed_rest()) as it:
        assert list(it.store().lines("metrics")) == LINES
        assert len(it.asked) == 2


def compressed_rest() -> Any:
    """Answer what is asked for, compressed."""

    def script(handler):
        first = int(parse_qs(urlsplit(handler.path).query)["from_t"][0])
        data = zstandard.ZstdCompressor().compress(text(LINES[first:]))
        chunked(data, Content_Encoding="zstd")(handler)

    return script


def test_a_cut_answer_of_known_length_is_no_end():
    def script(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", NDJSON)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(text(LINES[:3]))
        handler.close_connection = True

    with camera(script, whole(text(LINES[2:]))) as it:
        assert list(it.store().lines("metrics")) == LINES


def test_resuming_is_given_up_after_a_while():
    with camera(chunked(text(LINES[:4]), end=False), *[cut() for _ in range(3)]) as it:
        lines = it.store(delays=(1.0, 2.0, 3.0)).lines("metrics")
        with pytest.raises(RemoteStoreError, match=r"/range/metrics\?from_t=3&run=r: "):
            list(lines)
        assert it.waited == [1.0, 2.0, 3.0]


def test_a_server_that_is_being_restarted_is_waited_for():
    busy = whole(b'{"error":"too many clients"}', 503)
    with camera(chunked(text(LINES[:4]), end=False), busy, whole(text(LINES[3:]))) as it:
        assert list(it.store().lines("metrics")) == LINES
        assert it.waited == [0.5, 1.0]


def test_what_is_gone_by_then_is_no_hole():
    with camera(chunked(text(LINES[:4]), end=False), whole(text(LINES[9:]))) as it:
        lines = it.store().lines("metrics")
        with pytest.raises(RemoteStoreError, match="cannot be resumed: expected"):
            list(lines)


def test_ticks_that_may_begin_anew_cannot_be_resumed():
    unnamed = RUN | {"run": "unnamed"}
    with camera(chunked(text(LINES[:4]), end=False), runs=[unnamed]) as it:
        lines = it.store().lines("metrics")
        assert [next(lines) for _ in range(4)] == LINES[:4]
        with pytest.raises(RemoteStoreError, match="cannot be resumed"):
            next(lines)


def test_a_line_without_an_end_is_a_break():
    with camera(whole(text(LINES[:4]) + b'{"t":4'), whole(text(LINES[3:]))) as it:
        assert list(it.store().lines("metrics")) == LINES


def test_nobody_there_is_said_at_once():
    with camera() as it:
        url = it.url
    with pytest.raises(RemoteStoreError, match=f"{url}/runs: connection refused"):
        RemoteStore(url).runs()


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (404, b'{"error":"the store has no ticks"}', UnknownSegmentError, "the store has no ticks"),
        (500, b'{"error":"cannot be read"}', HttpStatusError, "status 500: cannot be read"),
        (503, b"<html>", HttpStatusError, "status 503: Service Unavailable"),
    ],
)
def test_a_refusal_says_what_the_server_said(status, body, error, said):
    with camera(whole(body, status)) as it:
        with pytest.raises(error, match=said) as caught:
            list(it.store().lines("ticks"))
        assert str(caught.value).startswith(f"{it.url}/range/ticks?run=r: ")
        assert it.waited == []


def test_where_it_has_moved_is_said():
    with camera(whole(b"", 301, Location="https://elsewhere/")) as it:
        lines = it.store().lines("ticks")
        with pytest.raises(RemoteStoreError, match="status 301: https://elsewhere/"):
            list(lines)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (whole(b"x", Content_Encoding="br"), "asked for zstd, answered 'br'"),
        (whole(b"nonsense", Content_Encoding="zstd"), "damaged: "),
        (whole(b"<html>", Content_Type="text/html"), "answered 'text/html', not application/x-"),
    ],
)
def test_nonsense_is_said(script, said):
    with camera(script) as it, pytest.raises(RemoteStoreError, match=said):
        list(it.store().metrics())


def test_an_answer_without_a_length_is_not_believed():
    def script(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", NDJSON)
        handler.end_headers()
        handler.wfile.write(text(LINES))
        handler.close_connection = True

    with camera(script) as it, pytest.raises(RemoteStoreError, match="has no length"):
        list(it.store().lines("metrics"))


@pytest.mark.parametrize(
    ("runs", "error", "said"),
    [
        ({"runs": []}, RemoteStoreError, "not a list of runs: got {'runs'"),
        ([1], RemoteStoreError, "not a list of runs"),
        ([{"run": "r"}], RemoteStoreError, "not a list of runs: 'started_at'"),
        ([RUN | {"run": 5}], RemoteStoreError, "run must be a text, got 5"),
        ([RUN | {"holes": [{}]}], RemoteStoreError, "not a list of runs: 'kind'"),
        ([RUN | {"format": 99}], NewerFormatError, "a newer marketcam"),
    ],
)
def test_runs_that_are_none(runs, error, said):
    with camera(runs=runs) as it, pytest.raises(error, match=said):
        it.store().runs()


def test_segments_that_are_none():
    for record in ({"path": 5, "pending": True}, {"path": "metrics/x"}):
        with camera(whole(orjson.dumps([record]), Content_Type="application/json")) as it:
            store = it.store()
            with pytest.raises(RemoteStoreError, match="not a list of segments: path must be"):
                store.segments("metrics")


def test_headers_and_a_path_before_the_cameras_own():
    with camera(whole(text(LINES))) as it:
        store = RemoteStore(f"{it.url}/desk/3/", headers={"Authorization": "Bearer x"})
        assert list(store.lines("metrics")) == LINES
        assert {headers["Authorization"] for headers in it.headers} == {"Bearer x"}
        assert {headers["Accept-Encoding"] for headers in it.headers} == {"zstd"}


def test_closing_a_half_read_iterator_ends_the_transfer():
    ended = threading.Event()

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", NDJSON)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        piece = text(LINES)
        try:
            while True:
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        except OSError:
            handler.close_connection = True
            ended.set()

    with camera(endless) as it, closing(it.store().lines("metrics")) as lines:
        assert next(lines) == LINES[0]
        lines.close()
        assert ended.wait(60)
    ended.clear()
    with camera(endless) as it:
        with it.store() as store:
            lines = store.lines("metrics")
            assert next(lines) == LINES[0]
        assert ended.wait(60)
        with pytest.raises(RemoteStoreError, match="was closed before its end"):
            list(lines)


@pytest.mark.parametrize(
    "url",
    [
        "camera:8000",
        "ftp://camera",
        "http://",
        "http://camera:port",
        "http://camera?run=1",
        "http://camera#x",
        "http://me:secret@camera",
        "http://camera/desk 3",
    ],
)
def test_what_is_no_address(url):
    with pytest.raises(StoreError, match="address") as caught:
        RemoteStore(url)
    assert "secret" not in str(caught.value)


def test_a_certificate_is_checked(tmp_path):
    if (command := shutil.which("openssl")) is None:
        pytest.skip("needs openssl to make a certificate")
    openssl = [command, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=camera", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*openssl, *names, *files], check=True, capture_output=True)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with camera(whole(text(LINES)), tls=served) as it:
        with pytest.raises(RemoteStoreError, match="certificate"):
            it.store().runs()
        trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        assert list(it.store(tls=trusted).lines("metrics")) == LINES
