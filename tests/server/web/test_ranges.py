"""Recorded lines over HTTP: `/range/{kind}`, from real stores, over real sockets."""

from __future__ import annotations

import gzip
import socket
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import zstandard

from marketcam.server.web.content_coding import acceptable_coding
from tests.server_helpers import (
    PATIENCE,
    fed_server,
    open_stream,
    receive,
    receive_until,
    recorded,
    state_tick,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.server_helpers import Running

LAST_T = 40


@contextmanager
def server_with_history(
    folder: Path, last_t: int = LAST_T, **options: Any
) -> Iterator[tuple[Running, httpx.Client]]:
    """Run a server that has recorded the ticks 0 to `last_t`, some in closed segments."""
    given = {"segment_bytes": 4000, "record_ticks": True} | options
    with fed_server(folder, **given) as (server, feed), server.http() as http:
        with server.stream() as stream:
            feed.send_ticks(0, last_t)
            receive_until(stream, "metric", last_t)
        server.rig.recorder.flush()
        yield server, http


def ticks_of(body: bytes) -> list[int]:
    return [orjson.loads(line)["t"] for line in body.splitlines()]


def test_lines_come_across_closed_and_pending_segments(tmp_path: Path) -> None:
    with server_with_history(tmp_path) as (_, http):
        for kind in ("frames", "metrics", "ticks"):
            segments = http.get(f"/manifest/{kind}").json()
            assert [segment["pending"] for segment in segments[-2:]] == [False, True]
            answer = http.get(f"/range/{kind}")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/x-ndjson"
            assert answer.headers["camera-run"] == http.get("/runs").json()[-1]["run"]
            assert "Accept-Encoding" in answer.headers["vary"]
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.content.splitlines() == recorded(tmp_path / "store", kind)
            assert answer.content.endswith(b"\n")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("from_t=38", [38, 39, 40]),
        ("to_t=2", [0, 1, 2]),
        ("from_t=7&to_t=7", [7]),
        ("from_t=-5&to_t=0", [0]),
        ("from_t=41", []),
        ("limit=3", [0, 1, 2]),
        ("from_t=10&to_t=30&limit=1", [10]),
        ("every=15", [0, 15, 30]),
        ("from_t=3&every=10&limit=3", [3, 13, 23]),
        ("from_t=&to_t=1&run=&limit=&every=", [0, 1]),
        ("from_t=99&from_t=39&other=1", [39, 40]),
        ("to_t=1&run=all", [0, 1]),
    ],
)
def test_a_range_is_cut_and_thinned(tmp_path: Path, query: str, expected: list[int]) -> None:
    with server_with_history(tmp_path) as (_, http):
        assert ticks_of(http.get(f"/range/metrics?{query}").content) == expected


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("from_t=x", "from_t must be an integer, -9007199254740991 to 9007199254740991, got 'x'"),
        ("to_t=1e3", "to_t must be an integer, -9007199254740991 to 9007199254740991, got '1e3'"),
        ("from_t=9007199254740992", "from_t must be an integer, -9007199254740991 to"),
        ("from_t=5&to_t=4", "from_t must be at most to_t=4, got 5"),
        ("limit=0", "limit must be an integer, 1 to 9007199254740991, got '0'"),
        ("limit=-1", "limit must be an integer, 1 to 9007199254740991, got '-1'"),
        ("every=0", "every must be an integer, 1 to 9007199254740991, got '0'"),
        ("every=%D9%A1", "every must be an integer, 1 to"),
    ],
)
def test_a_bad_value_is_refused_by_name(tmp_path: Path, query: str, problem: str) -> None:
    with fed_server(tmp_path) as (_server, _), _server.http() as http:
        answer = http.get(f"/range/metrics?{query}")
        assert answer.status_code == 400
        assert answer.json()["error"].startswith(problem)
        assert http.head(f"/range/metrics?{query}").status_code == 400


def test_unknown_kinds_and_runs_are_not_found(tmp_path: Path) -> None:
    with server_with_history(tmp_path, record_ticks=False) as (_, http):
        answer = http.get("/range/quotes")
        assert (answer.status_code, answer.json()["error"][:13]) == (404, "no such kind,")
        answer = http.get("/range/frames?run=nobody")
        assert answer.status_code == 404
        assert "nobody" in answer.json()["error"]
        assert http.get("/range/ticks").status_code == 404
        assert http.get("/range/frames/").status_code == 404
        assert http.post("/range/frames").status_code == 405


@pytest.mark.parametrize("coding", ["zstd", "gzip", "identity"])
def test_an_answer_is_compressed_for_who_can_take_it(tmp_path: Path, coding: str) -> None:
    decode = {"zstd": decoded_zstd, "gzip": gzip.decompress, "identity": bytes}[coding]
    with server_with_history(tmp_path) as (server, http):
        lines = recorded(tmp_path / "store", "frames")
        headers = {"accept-encoding": coding}
        with http.stream("GET", "/range/frames", headers=headers) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding", "identity") == coding
        assert decode(raw).splitlines() == lines
        assert coding == "identity" or len(raw) < len(decode(raw)) / 2
        with http.stream("GET", "/range/frames?from_t=99", headers=headers) as answer:
            assert decode(b"".join(answer.iter_raw())) == b""
        assert server.listening.app.history.readers.taken == 0


def decoded_zstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP;Q=0.5", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.9", "gzip"),
        ("zstd;q=0, gzip;q=0.001", "gzip"),
        ("zstd ; q=0.3 ,\tgzip;q=0.300", "zstd"),
        ("br", "identity"),
        ("identity, gzip;q=0.5", "identity"),
        ("*", "zstd"),
        ("*;q=0.5, gzip", "gzip"),
        ("zstd;q=0, *;q=0.1", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("br, *;q=0", None),
        ("zstd;q=2, gzip;q=nan, ;;", "identity"),
        ("gzip;level=9", "identity"),
    ],
)
def test_the_accepted_coding(accepted: str | None, coding: str | None) -> None:
    assert acceptable_coding(accepted) == coding


def test_runs_are_thinned_one_by_one_and_the_latest_has_a_name(tmp_path: Path) -> None:
    with server_with_history(tmp_path, 4):
        pass
    next(path for path in tmp_path.iterdir() if path.is_fifo()).unlink()
    with server_with_history(tmp_path, 6) as (server, http):
        every = http.get("/range/metrics?run=all&every=3")
        latest = http.get("/range/metrics?run=latest")
        manifest = http.get("/manifest/metrics?run=latest").json()
        runs = [run["run"] for run in http.get("/runs").json()]
        of_all = http.get("/manifest/metrics?run=all").json()
        assert of_all == http.get("/manifest/metrics").json()
        path = f"ws://127.0.0.1:{server.listening.port}/ws/replay?run=latest"
        with open_stream(path) as stream:
            assert receive(stream)[0]["run"] == runs[-1]
    assert ticks_of(every.content) == [0, 3, 0, 3, 6]
    assert ticks_of(latest.content) == list(range(7))
    assert latest.headers["camera-run"] == runs[-1]
    assert {entry["run"] for entry in manifest} == {runs[-1]}
    assert {entry["run"] for entry in of_all} == set(runs)


def test_no_coding_at_all_is_not_acceptable(tmp_path: Path) -> None:
    with server_with_history(tmp_path) as (_, http):
        answer = http.get("/range/frames", headers={"accept-encoding": "br, *;q=0"})
    assert answer.status_code == 406
    assert "Accept-Encoding" in answer.headers["vary"]
    assert answer.json() == {"error": "no acceptable coding, there are zstd, gzip, identity"}


def test_head_says_what_get_would(tmp_path: Path) -> None:
    with server_with_history(tmp_path) as (_, http):
        headers = {"origin": "http://elsewhere"}
        head, get = (http.request(way, "/range/frames", headers=headers) for way in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) | {"date": ""} == dict(get.headers) | {"date": ""}
    assert get.headers["access-control-allow-origin"] == "*"
    assert "Camera-Run" in get.headers["access-control-expose-headers"]


def test_one_too_many_is_told_to_come_again(tmp_path: Path) -> None:
    options = {"history_clients": 1, "window": 1, "stride": 1, "segment_bytes": 10**8}
    with server_with_history(tmp_path, **options) as (server, http):
        seats = server.listening.app.history.readers
        with seats.seat():
            answer = http.get("/range/frames")
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            problem = "too many clients that read history, the limit is 1"
            assert answer.json() == {"error": problem}
            assert http.get("/range/frames?limit=x").status_code == 400
        assert http.get("/range/frames").status_code == 200
        assert (seats.taken, seats.served, seats.refused) == (0, 2, 1)


def big_ticks(count: int) -> list[dict[str, Any]]:
    """Return ticks whose frames are some 300 KB each, beyond what sockets hold between them."""
    crowded = dict.fromkeys(range(800), 0.5)
    return [state_tick(t, agents=crowded) for t in range(count)]


@contextmanager
def server_with_much(folder: Path, **options: Any) -> Iterator[tuple[Running, httpx.Client]]:
    """Run a server with 60 MB of frames."""
    given = {"window": 1, "stride": 1, "edge_cap": 0, "connect_metrics": 0} | options
    with fed_server(folder, **given) as (server, feed), server.http() as http:
        with server.stream() as stream:
            for tick in big_ticks(200):
                feed.send(tick)
            receive_until(stream, "metric", 199)
        server.rig.recorder.flush()
        yield server, http


def test_a_slow_client_holds_up_only_itself_and_little_memory(tmp_path: Path) -> None:
    with server_with_much(tmp_path) as (server, http):
        expected = recorded(tmp_path / "store", "frames")
        with http.stream("GET", "/range/frames", headers={"accept-encoding": ""}) as slow:
            chunks = slow.iter_raw(1000)
            next(chunks)
            assert http.get("/range/frames?limit=2").content.splitlines() == expected[:2]
            assert server.listening.app.history.readers.taken == 1
            rest = b"".join(chunks)
    assert rest.splitlines()[1:] == expected[1:]


def open_segments() -> list[str]:
    """Return the segments that this process has open to read."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
            flags = Path(f"/proc/self/fdinfo/{link.name}").read_text()
        except FileNotFoundError:
            continue
        is_read_only = int(flags.split("flags:")[1].split()[0], 8) & 3 == 0
        if target.endswith(".zst") and is_read_only:
            found.append(target)
    return found


def test_a_client_that_leaves_ends_the_reading(tmp_path: Path) -> None:
    with server_with_much(tmp_path) as (server, http):
        with socket.create_connection(server.address, PATIENCE) as gone:
            gone.sendall(b"GET /range/frames HTTP/1.1\r\nHost: x\r\n\r\n")
            gone.recv(1000)
            assert len(open_segments()) == 1
        seats = server.listening.app.history.readers
        while seats.taken:
            assert http.get("/health").status_code == 200
        assert open_segments() == []


def test_a_client_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    options: dict[str, Any] = {"window": 1, "stride": 1, "edge_cap": 0, "client_slow_seconds": 0.2}
    with fed_server(tmp_path, **options) as (server, feed), server.http() as http:
        for tick in big_ticks(100):  # no viewer here: it might be found too slow
            feed.send(tick)
        while http.get("/health").json()["meta"]["ticks"] < 100:
            pass
        server.rig.recorder.flush()
        with socket.create_connection(server.address, PATIENCE) as deaf:
            deaf.sendall(b"GET /range/frames HTTP/1.0\r\n\r\n")
            seats = server.listening.app.history.readers
            while seats.taken or not seats.served:
                assert http.get("/health").status_code == 200
            assert open_segments() == []
            assert was_reset(deaf)


def was_reset(sock: socket.socket) -> bool:
    """Read to the end; return whether that was a cut."""
    try:
        while sock.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    return False


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_damage_in_the_middle_breaks_the_answer_off(
    tmp_path: Path, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    with server_with_much(tmp_path, segment_bytes=10**7) as (server, http):
        lines = recorded(tmp_path / "store", "frames")
        closed = sorted((tmp_path / "store" / "frames").glob("segment_*[0-9].jsonl.zst"))
        data = bytearray(closed[1].read_bytes())
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        closed[1].write_bytes(data)
        with socket.create_connection(server.address, PATIENCE) as sock:
            sock.sendall(f"GET /range/frames HTTP/{version}\r\nHost: x\r\n\r\n".encode())
            received = bytearray()
            with pytest.raises(ConnectionResetError) if version == "1.0" else nullcontext():
                while data_now := sock.recv(65_536):
                    received += data_now
        while server.listening.app.history.readers.taken:
            assert http.get("/health").status_code == 200
    assert lines[0] in received
    assert version == "1.0" or lines[40] in received
    assert lines[-1] not in received
    assert not received.endswith(b"0\r\n\r\n")
    assert caplog.text.count("range_broken_off") == 1
    assert str(closed[1]) in caplog.text


def test_damage_at_the_start_is_an_error_and_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with server_with_history(tmp_path) as (_, http):
        first = min((tmp_path / "store" / "metrics").glob("segment_*[0-9].jsonl.zst"))
        first.write_bytes(b"nonsense")
        for answer in (http.get("/range/metrics"), http.head("/range/metrics")):
            assert answer.status_code == 500
        problem = "the recording cannot be read, see the server's log"
        assert http.get("/range/metrics").json() == {"error": problem}
        assert ticks_of(http.get("/range/metrics?from_t=39").content) == [39, 40]
    assert "history_unreadable" in caplog.text
