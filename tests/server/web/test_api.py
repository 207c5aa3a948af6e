"""The read-only HTTP, on a real port."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.io.store import Recorder, RetentionPolicy
from marketcam.server.web import answers
from tests.server_helpers import fed_server, receive_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.server_helpers import Running

TOKEN = "a-token-of-readers-for-tests"


@contextmanager
def api(folder: Path, last_t: int = 5) -> Iterator[tuple[httpx.Client, Running]]:
    """Run a server that has taken in and recorded the ticks 0 to `last_t`."""
    with fed_server(folder) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, last_t)
            receive_until(stream, "metric", last_t)
        server.rig.recorder.flush()
        yield http, server


def test_index_says_what_there_is(tmp_path: Path) -> None:
    with api(tmp_path) as (http, _):
        answer = http.get("/")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "message": "Infinite Game API",
        "version": "2.0",
        "cam_store": str(tmp_path / "store"),
        "endpoints": {
            "health": "/health",
            "manifest_frames": "/manifest/frames",
            "manifest_metrics": "/manifest/metrics",
            "manifest_ticks": "/manifest/ticks",
            "manifest_events": "/manifest/events",
            "segment_frames": "/segment/frames/{name}",
            "segment_metrics": "/segment/metrics/{name}",
            "segment_ticks": "/segment/ticks/{name}",
            "segment_events": "/segment/events/{name}",
            "runs": "/runs",
            "range_frames": "/range/frames",
            "range_metrics": "/range/metrics",
            "range_ticks": "/range/ticks",
            "range_events": "/range/events",
            "measures": "/measures",
            "events": "/events",
            "overview_metrics": "/overview/metrics",
            "websocket": "/ws/stream",
            "replay": "/ws/replay",
            "metrics": "/metrics",
            "viewer": "/viewer/",
            "columns_decoder": "/viewer/columns.js",
            "schemas": "/schemas/{name}.json",
            "openapi": "/openapi.json",
        },
    }


def test_health_of_a_running_camera(tmp_path: Path) -> None:
    with api(tmp_path) as (http, server):
        health = http.get("/health").json()
        assert health["current_segment"] == server.rig.recorder.current("frames")
    assert health["ok"] is True
    meta = {"running": True, "start_ts": server.rig.started_at, "ticks": 6, "seed": 0}
    assert health["meta"] == meta
    assert health["current_segment"]["start_t"] == 4
    assert health["current_segment"]["pending"] is True
    assert "version" not in health  # nobody had to show a token
    assert health["recording"] is True
    assert health["run"] == server.rig.recorder.run == health["current_segment"]["run"]
    assert (health["recorder"]["holes"], health["recorder"]["last_hole"]) == (0, None)
    assert health["recorder"]["retention"] == {
        "policy": asdict(RetentionPolicy()),
        "last": None,
    }
    assert health["recorder"]["total_bytes"] >= 0
    assert health["recorder"]["written"]["metrics"]["lines"] == 6
    assert health["clients"] >= 0
    assert health["camera"]["token_needed"] is False
    assert {stage: figures["count"] for stage, figures in health["stages"].items()} == {
        "source": 6,
        "ingest": 6,
        "frame": 6,
        "encode": 7,
        "record": 7,
    }
    assert all(figures["waiting"] == 0 for figures in health["stages"].values())
    assert health["loop"]["waiting"] == 0
    assert health["loop"]["lag"] >= 0
    assert health["error"] is None


def test_health_tells_what_the_run_is_filmed_with(tmp_path: Path) -> None:
    options = {"edge_cap": 50, "burst_z": 3.0, "read_token": TOKEN, "proximity": "neighbors"}
    with fed_server(tmp_path, **options) as (server, _), server.http() as http:
        http.headers["authorization"] = f"Bearer {TOKEN}"
        health = http.get("/health").json()
        (run,) = http.get("/runs").json()
    camera = health["camera"]
    assert run["about"]["camera"].items() <= camera.items()
    assert (camera["W"], camera["stride"], camera["edge_cap"]) == (4, 2, 50)
    assert (camera["burst_z"], camera["shock_z"], camera["proximity"]) == (3.0, 4.0, "neighbors")
    assert camera["tick_rate"] == run["about"]["tick_rate"] == 0
    assert camera["token_needed"] is True


def test_health_before_the_first_frame(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        health = http.get("/health").json()
    assert health["meta"]["ticks"] == 0
    assert health["current_segment"] is None


def test_health_once_the_source_has_ended(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, 5)
            receive_until(stream, "metric", 5)
        server.rig.pipeline.stop()
        health = http.get("/health").json()
        with server.stream() as stream:
            assert receive_until(stream, "frame", 4)[0]["t"] == 0
    assert (health["ok"], health["meta"]["running"], health["meta"]["ticks"]) == (True, False, 6)


def test_health_when_the_camera_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fed_server(tmp_path) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, 2)
            receive_until(stream, "metric", 2)
            monkeypatch.setattr(server.rig.pipeline._camera, "ingest_tick", None)
            feed.send_ticks(3, 3)
            assert server.rig.pipeline._thread is not None
            server.rig.pipeline._thread.join()
        health = http.get("/health").json()
        assert http.get("/manifest/metrics").status_code == 200
    assert (health["ok"], health["meta"]["running"]) == (False, False)
    assert health["error"] == "TypeError: 'NoneType' object is not callable"


def test_manifest_lists_what_can_be_fetched(tmp_path: Path) -> None:
    with api(tmp_path) as (http, _):
        (metrics,) = http.get("/manifest/metrics").json()
        (frames,) = http.get("/manifest/frames").json()
        assert http.get("/manifest/ticks").json() == []
    with api(tmp_path / "store", last_t=7) as (http, _):
        assert len(http.get("/manifest/metrics").json()) == 1
    assert list(metrics) == [
        "path",
        "start_t",
        "end_t",
        "lines",
        "bytes",
        "created_at",
        "pending",
        "run",
        "format",
    ]
    assert (metrics["start_t"], metrics["end_t"], metrics["lines"]) == (0, 5, 6)
    assert (frames["start_t"], frames["end_t"], frames["lines"]) == (4, 4, 1)
    assert frames["pending"] is True


def test_a_manifest_is_not_made_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def entries_watched(recorder: Recorder, kind: str) -> list[dict[str, Any]]:
        threads.append(threading.get_ident())
        return entries(recorder, kind)

    def dumps_watched(value: object) -> bytes:
        threads.append(threading.get_ident())
        return orjson.dumps(value)

    entries = Recorder.entries
    with api(tmp_path) as (http, _):
        monkeypatch.setattr(Recorder, "entries", entries_watched)
        monkeypatch.setattr(answers, "orjson", SimpleNamespace(dumps=dumps_watched))
        http.get("/")  # is made on the loop
        assert len(http.get("/manifest/metrics").json()) == 1
    loop_thread, *others = threads
    assert len(others) == 2
    assert loop_thread not in others


def test_manifest_lists_earlier_runs_too(tmp_path: Path) -> None:
    for run in range(2):
        folder = tmp_path / f"run{run}"
        folder.mkdir()
        with (
            fed_server(folder, store_dir=tmp_path / "store") as (server, feed),
            server.http() as http,
        ):
            with server.stream() as stream:
                feed.send_ticks(0, 5)
                receive_until(stream, "frame", 4)
            server.rig.recorder.flush()
            entries = http.get("/manifest/frames").json()
        assert [entry["pending"] for entry in entries] == [False] * run + [True]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/health/",
        "/Health",
        "//health",
        "/manifest",
        "/manifest/",
        "/manifest/nothing",
        "/manifest/frames/",
        "/segment",
        "/segment/frames",
        "/static/index.html",
        "/../etc/passwd",
        "/%2e%2e/etc/passwd",
        "/ws/stream/x",
    ],
)
def test_unknown_paths_are_404_in_json(tmp_path: Path, path: str) -> None:
    with fed_server(tmp_path) as (server, _):
        head, _, body = server.ask_raw(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        ).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"\r\ncontent-type: application/json\r\n" in head + b"\r\n"
    assert body.startswith(b'{"error":"no such ')
    assert b"server:" not in head.lower()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/health", "/segment/frames/x", "/manifest/frames"])
def test_nothing_can_be_written(tmp_path: Path, method: str, path: str) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        answer = http.request(method, path)
    assert answer.status_code == 405
    assert answer.json() == {"error": "method not allowed"}
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/", "/health", "/metrics", "/manifest/frames"])
def test_head_has_the_headers_of_get_and_no_body(tmp_path: Path, path: str) -> None:
    with api(tmp_path) as (http, _):
        head = http.head(path)
        get = http.get(path)
    assert head.status_code == 200
    assert head.content == b""
    assert int(head.headers["content-length"]) == pytest.approx(len(get.content), abs=99)
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["cache-control"] == "no-cache"


def test_the_stream_over_plain_http_asks_for_an_upgrade(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        answer = http.get("/ws/stream")
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    assert answer.json() == {"error": "this is a websocket"}


def test_pages_of_any_origin_may_read(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        for path in ("/", "/health", "/manifest/frames", "/segment/frames/unknown", "/unknown"):
            answer = http.get(path, headers={"origin": "https://example.org"})
            assert answer.headers["access-control-allow-origin"] == "*"
            exposed = answer.headers["access-control-expose-headers"]
            assert exposed == (
                "Accept-Ranges, Camera-Run, Content-Length, Content-Range, ETag, Retry-After, "
                "WWW-Authenticate"
            )
            assert "access-control-allow-credentials" not in answer.headers


def test_preflight_allows_reading(tmp_path: Path) -> None:
    asked = {
        "origin": "https://example.org",
        "access-control-request-method": "GET",
        "access-control-request-headers": "range, if-none-match, if-range",
    }
    with fed_server(tmp_path) as (server, _), server.http() as http:
        allowed = http.options("/segment/frames/x", headers=asked)
        denied = http.options("/health", headers=asked | {"access-control-request-method": "PUT"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "*"
    assert allowed.headers["access-control-allow-methods"] == "GET, HEAD"
    assert "Range" in allowed.headers["access-control-allow-headers"]
    assert denied.status_code == 400


def test_a_fault_is_500_in_json_and_gives_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        monkeypatch.setattr(server.rig.recorder, "status", None)
        for _ in range(2):
            answer = http.get("/health", headers={"origin": "https://example.org"})
            assert answer.status_code == 500
            assert answer.json() == {"error": "internal server error"}
            assert answer.headers["access-control-allow-origin"] == "*"
        assert http.get("/").status_code == 200
    assert "request_failed" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 10**6,
        b"GET /" + b"a" * 10**6 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10**5 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=[
        "binary",
        "no path",
        "version",
        "header",
        "length",
        "endless header",
        "endless path",
        "many headers",
        "tls",
        "chunk",
    ],
)
def test_malformed_requests_are_refused_and_harm_nobody(
    tmp_path: Path, request_bytes: bytes
) -> None:
    with fed_server(tmp_path) as (server, _), server.http() as http:
        try:
            answer = server.ask_raw(request_bytes)
        except ConnectionError:
            answer = b""  # closed while we still sent
        refused = (b"HTTP/1.1 400 ", b"HTTP/1.1 413 ", b"HTTP/1.1 431 ")
        assert not answer or answer.startswith((*refused, b"HTTP/1.1 200 "))
        assert b"Traceback" not in answer
        assert http.get("/health").status_code == 200
