"""Tokens and origins: who is let in, and what the others are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.server_helpers import PATIENCE, fed_server, open_stream, receive, receive_until

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from websockets.sync.client import ClientConnection

TOKEN = "a-token-of-sixteen"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
PATHS = ("/", "/health", "/metrics", "/runs", "/manifest/frames", "/range/frames", "/measures")
PATHS += ("/no/such/path",)
WRONG = (
    "Bearer a-token-of-sixteem",
    "Bearer",
    TOKEN,
    f"Basic {TOKEN}",
    f"Bearer {TOKEN} {TOKEN}",
    "Bearer tökén-of-sixteen-x",
)


def say_token(stream: ClientConnection, token: Any = TOKEN) -> None:
    stream.send(orjson.dumps({"type": "auth", "token": token}).decode())


def close_of(stream: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        stream.recv(timeout=PATIENCE)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_without_a_token_http_is_refused_whatever_the_path(tmp_path: Path) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, _), server.http() as http:
        for path in PATHS:
            for ask in (http.get, http.head, http.post):
                answer = ask(path)
                assert (answer.status_code, path) == (401, path)
                assert answer.headers["www-authenticate"] == 'Bearer realm="marketcam"'
        assert http.get("/health").json() == {"error": "a token is needed"}


@pytest.mark.parametrize("shown", WRONG)
def test_with_a_wrong_token_too(tmp_path: Path, shown: str) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, _), server.http() as http:
        answer = http.get("/health", headers={"Authorization": shown.encode("latin-1")})
        assert (answer.status_code, answer.json()) == (401, {"error": "wrong token"})


def test_two_tokens_are_no_token(tmp_path: Path) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, _), server.http() as http:
        twice = [("Authorization", f"Bearer {TOKEN}")] * 2
        assert http.get("/health", headers=twice).status_code == 401


def test_with_the_token_http_answers(tmp_path: Path) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, _), server.http() as http:
        assert http.get("/health", headers=SHOWN).json()["ok"] is True
        shouted = {"Authorization": f"BEARER {TOKEN}"}
        assert http.get("/runs", headers=shouted).status_code == 200
        assert http.get("/viewer/columns.js").status_code == 200


def test_the_ingest_token_does_not_read(tmp_path: Path) -> None:
    other = "a-token-of-a-producer"
    with (
        fed_server(tmp_path, read_token=TOKEN) as (server, _),
        server.http() as http,
    ):
        shown = {"Authorization": f"Bearer {other}"}
        assert http.get("/health", headers=shown).status_code == 401


@pytest.mark.parametrize("path", ["/ws/stream", "/ws/replay"])
def test_a_wrong_token_refuses_a_websocket_before_the_handshake(tmp_path: Path, path: str) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, _):
        url = server.listening.stream_url.replace("/ws/stream", path)
        for shown in WRONG[:4]:
            with pytest.raises(InvalidStatus) as refused:
                open_stream(url, additional_headers={"Authorization": shown})
            assert refused.value.response.status_code == 401
            assert refused.value.response.headers["www-authenticate"].startswith("Bearer ")


def test_with_the_token_in_its_header_a_stream_is_as_without_any(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, read_token=TOKEN) as (server, feed),
        server.stream(additional_headers=SHOWN) as stream,
    ):
        feed.send_ticks(1, 4)
        assert [m["type"] for m in receive_until(stream, "frame", 4)] == ["metric"] * 4 + ["frame"]


def test_a_browser_shows_the_token_in_its_first_message(tmp_path: Path) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, feed), server.stream() as stream:
        say_token(stream)
        assert receive(stream) == [{"type": "auth", "ok": True}]
        feed.send_ticks(1, 4)
        assert [m["type"] for m in receive_until(stream, "frame", 4)] == ["metric"] * 4 + ["frame"]
        stream.send("ping")
        assert receive(stream) == [{"type": "pong"}]


@pytest.mark.parametrize(
    "first",
    [
        "{}",
        "[]",
        "{",
        "",
        "ping",
        '{"type":"auth"}',
        '{"type":"auth","token":null}',
        '{"type":"auth","token":["a-token-of-sixteen"]}',
        '{"type":"hello","token":"a-token-of-sixteen"}',
        b'{"type":"auth","token":"a-token-of-sixteen"}',
    ],
)
def test_any_other_first_message_ends_the_connection(tmp_path: Path, first: str | bytes) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, feed), server.stream() as stream:
        feed.send_ticks(1, 4)
        stream.send(first)
        assert close_of(stream) == (1008, "no token in the first message")


@pytest.mark.parametrize("shown", ["a-token-of-sixteem", "\\ud83d\\ude00"])
def test_so_does_a_wrong_token(tmp_path: Path, shown: str) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, feed), server.stream() as stream:
        feed.send_ticks(1, 4)
        stream.send(f'{{"type":"auth","token":"{shown}"}}')
        assert close_of(stream) == (1008, "wrong token")


def test_who_says_nothing_is_told_nothing_and_sent_away(tmp_path: Path) -> None:
    options = {"read_token": TOKEN, "handshake_seconds": 0.1}
    with fed_server(tmp_path, **options) as (server, feed), server.stream() as stream:
        feed.send_ticks(1, 4)
        assert close_of(stream) == (1008, "no token within 0.1 s")


def test_what_is_refused_after_the_token_is_told_in_the_close(tmp_path: Path) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, _):
        url = f"{server.listening.stream_url}?encoding=morse"
        with open_stream(url) as stream:
            say_token(stream)
            assert receive(stream) == [{"type": "auth", "ok": True}]
            code, reason = close_of(stream)
            assert code == 1008
            assert reason.startswith("encoding must be ")


def test_a_connection_that_goes_before_its_token_leaves_nothing(tmp_path: Path) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, _):
        with server.stream():
            pass
        with server.stream(additional_headers=SHOWN) as stream:
            stream.send("ping")
            assert receive(stream) == [{"type": "pong"}]


def test_pages_of_other_origins_cannot_connect(tmp_path: Path) -> None:
    allowed = "https://example.org, http://localhost:80"
    with fed_server(tmp_path, allowed_origins=allowed) as (server, _):
        for origin in ("https://example.org", "http://localhost", None):
            with server.stream(origin=origin) as stream:
                stream.send("ping")
                assert receive(stream) == [{"type": "pong"}]
        for origin in ("https://example.org.evil.org", "http://example.org", "null", "evil"):
            with pytest.raises(InvalidStatus) as refused:
                server.stream(origin=origin)
            assert refused.value.response.status_code == 403


def test_nor_read_over_http(tmp_path: Path) -> None:
    with (
        fed_server(tmp_path, allowed_origins="https://example.org") as (server, _),
        server.http() as http,
    ):
        named = "access-control-allow-origin"
        answer = http.get("/health", headers={"Origin": "https://example.org"})
        assert answer.headers[named] == "https://example.org"
        assert named not in http.get("/health", headers={"Origin": "https://evil.org"}).headers


def test_a_page_may_ask_whether_it_may_show_a_token(tmp_path: Path) -> None:
    with fed_server(tmp_path, read_token=TOKEN) as (server, _), server.http() as http:
        asked = {
            "Origin": "https://example.org",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        }
        assert http.options("/health", headers=asked).status_code == 200
        refused = http.get("/health", headers={"Origin": "https://example.org"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "*"
