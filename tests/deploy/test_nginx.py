"""The shipped nginx site, run by the real nginx over TLS before a real camera."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import zstandard
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from tests.conforming import CheckedClient
from tests.ingest_helpers import BEARER, Producer, ingest_server
from tests.nginx import NAME, has_ipv6, nginx_before
from tests.raw_ticks import crowd
from tests.server_helpers import (
    PATIENCE,
    fed_server,
    named,
    receive,
    receive_until,
    recorded,
    state_tick,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nginx import Front
    from tests.server_helpers import Running, TickFeed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def fed(folder: Path) -> Iterator[tuple[Running, TickFeed]]:
    with fed_server(folder, heartbeat_seconds=0.3, segment_bytes=2000) as (server, feed):
        with server.stream() as stream:
            feed.send_ticks(0, 40)
            receive_until(stream, "frame", 40)
        server.rig.recorder.flush()
        yield server, feed


@pytest.fixture(scope="module")
def front(folder: Path, fed: tuple[Running, TickFeed]) -> Iterator[Front]:
    with nginx_before(folder / "front", fed[0].listening.port) as running:
        yield running


def test_plain_http_is_sent_to_https(front: Front) -> None:
    url = f"http://127.0.0.1:{front.plain_port}/runs?x=1"
    answer = httpx.get(url, headers={"Host": NAME}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (301, f"https://{NAME}/runs?x=1")


@pytest.mark.parametrize("path", ["/", "/health", "/viewer/columns.js", "/viewer/", "/runs", "/no"])
def test_answers_are_those_of_the_camera(
    front: Front, fed: tuple[Running, TickFeed], path: str
) -> None:
    with front.http() as through, fed[0].http() as direct:
        ours, theirs = through.get(path), direct.get(path)
        assert ours.status_code == theirs.status_code
        for name in ("content-type", "content-security-policy", "x-content-type-options"):
            assert ours.headers.get(name) == theirs.headers.get(name)
        if path != "/health":  # which counts
            assert ours.content == theirs.content


def test_metrics_are_not_for_the_world(front: Front) -> None:
    with front.http() as http:
        assert http.get("/metrics").status_code == 404


def test_the_stream_and_a_replay_come_through(front: Front) -> None:
    with front.stream("/ws/stream") as stream:
        kept = named(receive_until(stream, "frame", 40))
    assert kept == [*(("metric", t) for t in range(41)), ("frame", 40)]
    with front.stream("/ws/replay?kinds=frame&speed=0") as replay:
        replay.send('{"type":"seek","t":10}')
        assert ("frame", 10) in named(receive_until(replay, "frame", 10))
    with front.stream("/ws/stream?from_t=0&kinds=frame") as late:
        frames = [m for m in named(receive_until(late, "frame", 40)) if m[0] == "frame"]
    assert frames == [("frame", t) for t in range(4, 41, 2)]


def test_segments_come_whole_and_in_ranges(front: Front, fed: tuple[Running, TickFeed]) -> None:
    with front.http() as http:
        name = http.get("/manifest/metrics").json()[0]["path"].removeprefix("metrics/")
        url = f"/segment/metrics/{name}"
        whole = http.get(url)
        assert whole.headers["content-type"] == "application/octet-stream"
        lines = zstandard.decompress(whole.content).splitlines()
        assert lines == recorded(fed[0].rig.settings.store_dir, "metrics")[: len(lines)]
        part = http.get(url, headers={"Range": "bytes=4-99"})
        assert (part.status_code, part.content) == (206, whole.content[4:100])
        assert part.headers["content-range"] == f"bytes 4-99/{len(whole.content)}"
        known = {"Range": "bytes=100-", "If-Range": whole.headers["etag"]}
        assert http.get(url, headers=known).content == whole.content[100:]
        unchanged = {"If-None-Match": whole.headers["etag"]}
        assert http.get(url, headers=unchanged).status_code == 304
        got = http.get("/range/metrics?from_t=3&limit=4", headers={"Accept-Encoding": "gzip"})
        assert [orjson.loads(line)["t"] for line in got.content.splitlines()] == [3, 4, 5, 6]


def test_heartbeats_keep_a_silent_stream_open(
    folder: Path, front: Front, fed: tuple[Running, TickFeed]
) -> None:
    """Ticks are silent for longer than the timeout; heartbeats are not."""
    port = fed[0].listening.port
    short = {"proxy_read_timeout 90s;": "proxy_read_timeout 1s;"}
    with nginx_before(folder / "short", port, short) as impatient, impatient.stream() as stream:
        receive_until(stream, "frame", 40)
        silent = [receive(stream)[0]["type"] for _ in range(6)]
        assert silent == ["heartbeat"] * 6


def test_a_timeout_below_the_heartbeat_would_cut_a_silent_stream(tmp_path: Path) -> None:
    short = {"proxy_read_timeout 90s;": "proxy_read_timeout 1s;"}
    with (
        fed_server(tmp_path) as (server, _),
        nginx_before(tmp_path / "front", server.listening.port, short) as impatient,
        impatient.stream() as stream,
        pytest.raises(ConnectionClosedError),
    ):
        stream.recv(timeout=PATIENCE)


def test_large_frames_come_through(tmp_path: Path) -> None:
    ticks = list(crowd(7, 8, agents=3000, lifetime=100))
    with fed_server(tmp_path, edge_cap=20_000, window=2) as (server, feed):
        with (
            nginx_before(tmp_path / "front", server.listening.port) as front,
            front.stream("/ws/stream?kinds=frame") as stream,
        ):
            feed.send(*ticks)
            text: Any = ""
            while not isinstance(text, str) or '"type":"frame","t":6,' not in text:
                text = stream.recv(timeout=PATIENCE)
        server.rig.recorder.flush()
        assert len(text) > 1_000_000
        assert text.encode() == recorded(server.rig.settings.store_dir, "frames")[-1]


def test_a_producer_elsewhere_comes_through(tmp_path: Path) -> None:
    with (
        ingest_server(tmp_path) as server,
        nginx_before(tmp_path / "front", server.listening.port) as front,
        front.stream("/ws/ingest?source=sim", additional_headers=BEARER) as connection,
    ):
        producer = Producer(connection)
        producer.greet()
        producer.send(*(state_tick(t) for t in range(500)))
        producer.settle()
        assert server.rig.pipeline.last_t == 499


def test_clients_are_counted_by_their_own_addresses(tmp_path: Path) -> None:
    """nginx says 127.0.0.2 where a client comes from there; what the client says is not heard."""
    other = {"source_address": ("127.0.0.2", 0)}
    lie = {"additional_headers": {"X-Forwarded-For": "203.0.113.9"}}
    with ExitStack() as stack:
        server, _ = stack.enter_context(fed_server(tmp_path, max_connections_per_address=2))
        front = stack.enter_context(nginx_before(tmp_path / "front", server.listening.port))
        for _ in range(2):
            stack.enter_context(front.stream(**other, **lie))
        with pytest.raises(InvalidStatus) as refused:
            front.stream(**other, **lie)
        assert refused.value.response.status_code == 429
        stack.enter_context(front.stream())  # from 127.0.0.1, which has places left


def test_it_listens_over_ipv6_too(front: Front) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    answer = httpx.get(f"http://[::1]:{front.plain_port}/runs", headers={"Host": NAME})
    assert (answer.status_code, answer.headers["location"]) == (301, f"https://{NAME}/runs")
    base = f"https://[::1]:{front.port}"
    with CheckedClient(base_url=base, verify=front.trust(), timeout=PATIENCE) as http:
        extensions = {"sni_hostname": "127.0.0.1"}  # which the certificate is for
        assert http.get("/runs", extensions=extensions).status_code == 200


@pytest.mark.parametrize("path", ["/measures", "/overview/metrics"])
def test_what_is_computed_has_longer_to_begin(tmp_path: Path, path: str) -> None:
    """An answer that comes after another request has been given up for slowness still comes."""
    others_given_up = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            others_given_up.wait(PATIENCE)
            if self.path == path:
                self.send_response(404)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(b'{"error":"no such run"}')

    short = {"proxy_connect_timeout 5s;": "proxy_connect_timeout 5s; proxy_read_timeout 1s;"}
    with ExitStack() as stack:
        camera = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Slow))
        stack.enter_context(ThreadPoolExecutor()).submit(camera.serve_forever)
        stack.callback(camera.shutdown)
        front = stack.enter_context(nginx_before(tmp_path / "front", camera.server_port, short))
        http = stack.enter_context(front.http())
        asked = stack.enter_context(ThreadPoolExecutor()).submit(http.get, path)
        stack.callback(others_given_up.set)
        assert http.get("/health").status_code == 504
        others_given_up.set()
        assert asked.result(PATIENCE).json() == {"error": "no such run"}


def test_a_camera_that_is_not_there_is_a_502(tmp_path: Path) -> None:
    with nginx_before(tmp_path / "front", 1) as front, front.http() as http:
        assert http.get("/health").status_code == 502
