"""Refusals are counted, all of them, and logged, a few of them."""

from __future__ import annotations

import logging
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus

from marketcam.server.security.refusals import REASONS, Refusals
from tests.server_helpers import PATIENCE, fed_server, open_stream, server_process

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "a-token-of-sixteen"
ELSEWHERE = ("192.0.2.1", 5)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_flood_is_counted_and_logged_a_little(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    refusals = Refusals(clock)
    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            refusals.tell("token", ELSEWHERE, path="/")
        assert caplog.text.count("token_refused") == 10
        refusals.tell("origin", ELSEWHERE)
        assert caplog.text.count("origin_refused") == 1
        clock.now = 2.0
        for _ in range(1000):
            refusals.tell("token", ELSEWHERE, path="/")
        assert caplog.text.count("token_refused") == 12
        assert "'not_logged_before': 990" in caplog.text
        clock.now = 3600.0
        for _ in range(1000):
            refusals.tell("token", ELSEWHERE, path="/")
        assert caplog.text.count("token_refused") == 22
        assert "'not_logged_before': 998" in caplog.text
    assert refusals.counts == {**dict.fromkeys(REASONS, 0), "token": 3000, "origin": 1}


def test_long_words_of_a_peer_are_not_repeated_whole(caplog: pytest.LogCaptureFixture) -> None:
    Refusals().tell("token", ELSEWHERE, path="/" + "x" * 16_000)
    assert len(caplog.text) < 500


def test_a_server_counts_those_it_refuses(tmp_path: Path) -> None:
    options = {"read_token": TOKEN, "allowed_origins": "https://example.org"}
    shown = {"Authorization": f"Bearer {TOKEN}"}
    with fed_server(tmp_path, **options) as (server, _), server.http() as http:
        assert http.get("/", headers={"Authorization": "Bearer nonsense"}).status_code == 401
        assert server.ask_raw(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        for _ in range(2):
            with pytest.raises(InvalidStatus):
                open_stream(server.listening.stream_url, origin="https://example.com")
        figures = http.get("/metrics", headers=shown).text
    for reason, count in (("token", 1), ("request", 1), ("origin", 2), ("talkative", 0)):
        assert f'marketcam_refusals_total{{reason="{reason}"}} {count}.0' in figures


def test_what_stands_in_an_address_is_not_logged(tmp_path: Path) -> None:
    """Where a page puts a token into the address all the same, it does not go further."""
    with server_process(tmp_path, IG_READ_TOKEN=TOKEN) as server, server.http() as http:
        assert http.get(f"/health?token={TOKEN}").status_code == 401
        address = f"{server.stream_url}?token={TOKEN}"
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
            sock.sendall(f"GET /?token={TOKEN}\r\n\r\n".encode())  # no request: told as one
            assert sock.recv(100).startswith(b"HTTP/1.1 400 ")
        with open_stream(address) as stream:  # of a page: it is let to say the token still
            stream.send("nonsense")
        with pytest.raises(InvalidStatus):
            open_stream(address, additional_headers={"Authorization": "Bearer nonsense"})
        server.wait_for_log("token_refused")
        server.wait_for_log("request_refused")
        assert server.stop(signal.SIGTERM) == 0
        assert TOKEN not in server.log
