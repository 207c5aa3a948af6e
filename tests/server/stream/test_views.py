"""What a client may ask for, end to end: kinds, every n-th, fewer edges, encodings, compression.

What comes live, what is caught up with and what is replayed is held against one camera a query,
which was told of the edge cap itself.
"""

from __future__ import annotations

import itertools
import time
import zlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from marketcam.engine import Metric, Tick, film
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_frame, encode_frame_columns, encode_metric, encode_tick
from marketcam.io.store import ZstdSegmentWriter
from marketcam.server.stream.deflate import deflated
from marketcam.server.stream.selection import Form
from tests.raw_streams import (
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXT,
    connected_socket,
    frame,
    next_message,
    read_head,
    read_to_the_end,
    upgrade,
)
from tests.raw_ticks import STATE
from tests.server_helpers import (
    PATIENCE,
    fed_server,
    named,
    open_stream,
    receive,
    receive_until,
    state_tick,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from websockets.sync.client import ClientConnection


W, STRIDE, DOWNSAMPLE, EDGE_CAP, SHARE, EPS = 6, 3, 2, 60, 0.29, 0.05
SETTINGS: dict[str, Any] = {
    "window": W,
    "stride": STRIDE,
    "metric_downsample": DOWNSAMPLE,
    "edge_cap": EDGE_CAP,
    "match_share": SHARE,
    "prox_eps_pct": EPS,
}

QUERIES = (
    "",
    "kinds=frame,metric&every=1&edges=60&deflate=0&encoding=json",
    "edges=0",
    "edges=7",
    "edges=1000000",
    "edges=59&encoding=columns",
    "edges=25&deflate=1",
    "deflate=1",
    "kinds=frame&every=2&edges=10",
    "kinds=metric&every=3",
    "kinds=metric&deflate=1",
    "kinds=metric&encoding=columns",
    "every=4",
    "every=5&encoding=columns",
    "every=1000000",
)


def market_ticks(count: int) -> list[Tick]:
    return list(itertools.islice(InfiniteGameMarket(agents=20, seed=3), count))


def expected(ticks: list[Tick], query: str) -> list[bytes]:
    """Return what a camera would send that makes nothing but what is asked for."""
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    kinds, every = asked.get("kinds", "metric,frame"), int(asked.get("every", "1"))
    cap = min(EDGE_CAP, int(asked.get("edges", EDGE_CAP)))
    encode = encode_frame_columns if asked.get("encoding") == "columns" else encode_frame
    sent: list[tuple[int, int, bytes]] = []
    for tick in ticks:
        metric = Metric.of(tick)
        assert metric is not None
        if "metric" in kinds and tick.t % (every * DOWNSAMPLE) == 0:
            sent.append((tick.t, 0, encode_metric(metric)))
    for made in film(ticks, W, STRIDE, eps_pct=EPS, edge_cap=cap, match_share=SHARE):
        if "frame" in kinds and made.t % (every * STRIDE) == 0:
            sent += [(made.t, 1, encode(made))]
    return [message for _, _, message in sorted(sent)]


def received(stream: ClientConnection, count: int) -> list[bytes]:
    return [stream.recv(timeout=PATIENCE, decode=False) for _ in range(count)]


@pytest.fixture(scope="module")
def ticks() -> list[Tick]:
    return market_ticks(40)


def test_a_client_is_sent_what_it_asks_for(tmp_path: Path, ticks: list[Tick]) -> None:
    """To the byte, live, catching up and in a replay, of everything and of nothing but that."""
    wanted = {query: expected(ticks, query) for query in QUERIES}
    assert len(set(map(tuple, wanted.values()))) > 9  # they do differ
    with ExitStack() as stack:
        server, feed = stack.enter_context(fed_server(tmp_path, **SETTINGS))
        url = server.listening.stream_url
        live = {query: stack.enter_context(open_stream(f"{url}?{query}")) for query in QUERIES}
        feed.send_text(b"".join(encode_tick(tick) + b"\n" for tick in ticks))
        for query, messages in wanted.items():
            assert received(live[query], len(messages)) == messages, f"live {query}"
        for query, messages in wanted.items():
            with open_stream(f"{url}?from_t=0&{query}") as stream:
                assert received(stream, len(messages)) == messages, f"caught up {query}"
        feed.close()  # the source ends
        replay_url = url.replace("/ws/stream", "/ws/replay")
        for query, messages in wanted.items():
            with open_stream(f"{replay_url}?speed=0&{query}") as stream:
                first, *rest = received(stream, len(messages) + 2)
                assert orjson.loads(first)["type"] == "replay"
                assert rest[:-1] == messages, f"replayed {query}"
                assert orjson.loads(rest[-1])["state"] == "ended"


def test_what_was_recorded_meets_live_in_every_form(tmp_path: Path, ticks: list[Tick]) -> None:
    query = "edges=12&every=2&deflate=1"
    lines = [encode_tick(tick) + b"\n" for tick in ticks]
    with fed_server(tmp_path, **SETTINGS) as (server, feed), server.stream() as early:
        feed.send_text(b"".join(lines[:20]))
        receive_until(early, "metric", 18)
        with open_stream(f"{server.listening.stream_url}?from_t=4&{query}") as stream:
            before = [m for m in expected(ticks[:20], query) if orjson.loads(m)["t"] >= 4]
            assert received(stream, len(before)) == before
            feed.send_text(b"".join(lines[20:]))
            rest = [m for m in expected(ticks, query) if orjson.loads(m)["t"] >= 20]
            assert received(stream, len(rest)) == rest


def test_of_raw_ticks_each_so_many_th_is_replayed(tmp_path: Path, ticks: list[Tick]) -> None:
    settings = SETTINGS | {"record_ticks": True}
    with fed_server(tmp_path, **settings) as (server, feed), server.stream() as early:
        feed.send_text(b"".join(encode_tick(tick) + b"\n" for tick in ticks))
        receive_until(early, "frame", 39)
        url = f"{server.listening.stream_url.replace('stream', 'replay')}?speed=0&kinds=tick"
        wanted = [encode_tick(tick) for tick in ticks if tick.t % 7 == 0]
        with open_stream(f"{url}&every=7&edges=3") as stream:
            assert received(stream, len(wanted) + 1)[1:] == wanted


# ---- compression ---------------------------------------------------------------------------------

NO_CONTEXT = b"server_no_context_takeover; client_no_context_takeover"


@pytest.mark.parametrize("path", ["/ws/stream", "/ws/replay"])
@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        "other, permessage-deflate; server_no_context_takeover",
    ],
)
def test_compression_is_agreed_on_without_context(tmp_path: Path, path: str, offer: str) -> None:
    with fed_server(tmp_path) as (server, _), connected_socket(server) as sock:
        sock.sendall(upgrade(f"{path}?deflate=1", offer))
        with sock.makefile("rb") as reader:
            head = read_head(reader)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-extensions: permessage-deflate; " + NO_CONTEXT in head.lower()


@pytest.mark.parametrize("path", ["/ws/stream", "/ws/replay"])
@pytest.mark.parametrize(
    "offer",
    ["", "permessage-deflate; server_max_window_bits=10", "permessage-deflate; other=1", "other"],
)
def test_compression_that_was_not_offered_is_refused(tmp_path: Path, path: str, offer: str) -> None:
    with fed_server(tmp_path) as (server, _), connected_socket(server) as sock:
        sock.sendall(upgrade(f"{path}?deflate=1", offer))
        answer = read_to_the_end(sock)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"deflate must be 0 where the connection has no permessage-deflate" in answer


@pytest.mark.parametrize("query", ["", "?deflate=0", "?deflate=1&deflate=0"])
def test_nobody_has_compression_who_did_not_ask(tmp_path: Path, query: str) -> None:
    with fed_server(tmp_path) as (server, _), connected_socket(server) as sock:
        sock.sendall(upgrade(f"/ws/stream{query}", "permessage-deflate"))
        with sock.makefile("rb") as reader:
            head = read_head(reader)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-extensions" not in head.lower()


def test_frames_are_compressed_and_nothing_else(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, feed), connected_socket(server) as sock:
        sock.sendall(upgrade("/ws/stream?deflate=1", "permessage-deflate"))
        with sock.makefile("rb") as reader:
            read_head(reader)
            feed.send_ticks(0, 4)
            messages = [next_message(reader) for _ in range(6)]
            assert [first for first, _ in messages] == [FIN | TEXT] * 5 + [FIN | RSV1 | TEXT]
            assert orjson.loads(inflated(messages[-1][1]))["t"] == 4
            sock.sendall(frame(TEXT, b"ping") + frame(TEXT | RSV1, deflated(b"ping")))
            sock.sendall(frame(PING, b"p"))
            answers = sorted(next_message(reader) for _ in range(3))
    pong = b'{"type":"pong"}'
    assert answers == [(FIN | TEXT, pong), (FIN | TEXT, pong), (FIN | PONG, b"p")]


def test_a_frame_is_compressed_once_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compressed: list[int] = []

    def counted(data: bytes) -> bytes:
        compressed.append(orjson.loads(data)["t"])
        return deflated(data)

    monkeypatch.setattr("marketcam.server.stream.messages.deflated", counted)
    with ExitStack() as stack:
        server, feed = stack.enter_context(fed_server(tmp_path))
        url = f"{server.listening.stream_url}?deflate=1"
        queries = ("", "&kinds=frame", "&every=2", "&edges=100000")
        streams = [stack.enter_context(open_stream(url + query)) for query in queries]
        feed.send_ticks(0, 8)
        for stream in streams:
            receive_until(stream, "frame", 8)
        late = stack.enter_context(open_stream(url))
        receive_until(late, "frame", 8)
    assert compressed == [4, 6, 8]


def inflated(data: bytes) -> bytes:
    return zlib.decompressobj(-15).decompress(data + b"\x00\x00\xff\xff")


@pytest.mark.parametrize("cuts", [(), (1,), (2000,), (10, 3990)])
def test_a_compression_bomb_ends_its_own_connection(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    bomb = deflated(b" " * 2**22)[:4000]  # within the limit, and a megabyte when inflated
    parts = [bomb[start:end] for start, end in itertools.pairwise((0, *cuts, len(bomb)))]
    with fed_server(tmp_path) as (server, feed), server.stream() as honest:
        with connected_socket(server) as sock:
            sock.sendall(upgrade("/ws/stream?deflate=1", "permessage-deflate"))
            with sock.makefile("rb") as reader:
                read_head(reader)
                sock.sendall(frame(TEXT | RSV1, parts[0], FIN * (len(parts) == 1)))
                for number, part in enumerate(parts[1:], 2):
                    sock.sendall(frame(CONTINUATION, part, FIN * (number == len(parts))))
                first, reason = next_message(reader)
                assert (first, int.from_bytes(reason[:2])) == (FIN | CLOSE, 1009)
        feed.send(state_tick(0))
        assert named(receive(honest)) == [("metric", 0)]


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["stream", "replay"])
@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("edges=-1", "edges must be an integer, 0 to 9007199254740991, got '-1'"),
        ("edges=all", "edges must be an integer, 0 to 9007199254740991, got 'all'"),
        ("every=0", "every must be an integer, 1 to 9007199254740991, got '0'"),
        ("every=1.5", "every must be an integer, 1 to 9007199254740991, got '1.5'"),
        ("deflate=yes", "deflate must be 0 or 1, got 'yes'"),
        (
            "deflate=1&encoding=columns",
            "deflate must be 0 with encoding=columns, which is binary, got 1",
        ),
        ("kinds=frames", "kinds must be some of {kinds}, joined by commas, got 'frames'"),
        ("kinds=metric,", "kinds must be some of {kinds}, joined by commas, got 'metric,'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, path: str, query: str, problem: str) -> None:
    kinds = "metric, frame" if path == "stream" else "metric, frame, tick"
    with fed_server(tmp_path) as (server, _):
        url = server.listening.stream_url.replace("stream", path)
        assert refusal(f"{url}?{query}") == (400, problem.format(kinds=kinds))


def test_the_stream_has_no_raw_ticks(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _):
        status, problem = refusal(f"{server.listening.stream_url}?kinds=tick")
    assert status == 400
    assert problem == "kinds must be some of metric, frame, joined by commas, got 'tick'"


def refusal(url: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused, open_stream(url):
        pass
    response = refused.value.response
    return response.status_code, orjson.loads(response.body or b"")["error"]


def test_forms_are_bounded_by_how_many_are_asked_for_at_the_same_time(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server, feed = stack.enter_context(fed_server(tmp_path, frame_forms=2, edge_cap=100))
        url = server.listening.stream_url
        one, two = (
            stack.enter_context(open_stream(f"{url}?{query}"))
            for query in ("edges=1", "encoding=columns&kinds=frame")
        )
        # What is asked for already, what is made anyway, and what makes no frames, has room.
        for query in ("edges=1&every=7", "edges=100", "kinds=metric&deflate=1", "from_t=0&edges=1"):
            stack.enter_context(open_stream(f"{url}?{query}"))
        for query in ("edges=2", "edges=1&deflate=1", "from_t=0&deflate=1"):
            status, problem = refusal(f"{url}?{query}")
            assert status == 503
            assert problem.endswith("are asked for at the same time, the limit is 2")
        assert server.rig.hub.wanted == {Form(), Form(edges=1), Form("columns")}
        feed.send_ticks(0, 4)
        receive_until(one, "frame", 4)
        two.close()
        until(lambda: Form("columns") not in server.rig.hub.wanted)
        stack.enter_context(open_stream(f"{url}?edges=2"))


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; asked again and again, since nothing tells."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline


def test_a_run_of_which_nothing_is_known_is_replayed_as_it_is_only(tmp_path: Path) -> None:
    with ZstdSegmentWriter("metrics", tmp_path / "store") as metrics:
        for t in range(3):
            figures = {"s": STATE, "N": 2, "avg_exp": 0.5, "matches_n": 1}
            metrics.write_jsonline({"type": "metric", "t": t, **figures}, t)
    with fed_server(tmp_path) as (server, _):
        with server.http() as http:
            run = http.get("/runs").json()[0]["run"]
        url = f"{server.listening.stream_url.replace('stream', 'replay')}?run={run}"
        for query in ("every=2", "edges=5"):
            status, problem = refusal(f"{url}&{query}")
            assert status == 400
            assert "of which it is not known with what it was filmed" in problem
        with open_stream(f"{url}&speed=0") as stream:
            assert named(receive(stream, 4)[1:]) == [("metric", t) for t in range(3)]
