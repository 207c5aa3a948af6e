"""What the start sees to: descriptors, and that openness is said; and addresses behind proxies."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus, WebSocketException

from marketcam.server.security.descriptors import RESERVED, room_for
from marketcam.server.settings import Settings
from tests.server_helpers import fed_server, running_server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(name="limits")
def _limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Stand in for the process's limits, which could not be raised again; the last one counts."""
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    return limits


def test_files_may_be_opened_for_all_connections(limits: list[tuple[int, int]]) -> None:
    assert room_for(500) == 500
    assert len(limits) == 1
    assert room_for(2000) == 2000
    assert limits[-1] == (2000 + RESERVED, 4096)


def test_where_the_system_has_fewer_there_are_fewer_seats(
    limits: list[tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    assert room_for(12_288) == 4096 - RESERVED
    assert limits[-1] == (4096, 4096)
    assert "open_files_limited" in caplog.text
    assert str(12_288 + RESERVED) in caplog.text
    limits.append((100, resource.RLIM_INFINITY))
    assert room_for(12_288) == 12_288
    limits.append((resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert room_for(10**6) == 10**6
    limits.append((RESERVED, RESERVED))
    assert room_for(10) == 1


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        ({"host": "127.0.0.1"}, None),
        ({"host": "0.0.0.0"}, "open_to_all"),
        ({"host": "0.0.0.0", "read_token": "a-token-of-sixteen"}, "tokens_in_the_clear"),
    ],
)
def test_an_open_port_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: dict[str, str], warned: str | None
) -> None:
    with running_server(Settings(port=0, store_dir=tmp_path, **given)):
        pass
    for event in ("open_to_all", "tokens_in_the_clear"):
        assert (event in caplog.text) == (event == warned)


def test_those_behind_a_proxy_are_counted_one_by_one(tmp_path: Path) -> None:
    def of(address: str) -> dict[str, str]:
        return {"X-Forwarded-For": address}

    with (
        fed_server(tmp_path, max_connections_per_address=2) as (server, _),
        server.stream(additional_headers=of("192.0.2.1")),
        server.http() as http,
        server.stream(additional_headers=of("192.0.2.1")),
    ):
        with pytest.raises(InvalidStatus) as refused:
            server.stream(additional_headers=of("192.0.2.1"))
        assert refused.value.response.status_code == 429
        assert http.get("/health", headers=of("192.0.2.1")).status_code == 429
        with server.stream(additional_headers=of("192.0.2.2")):
            pass
        for _ in range(5):  # between two requests a connection of the proxy counts for nobody
            assert http.get("/health", headers=of("192.0.2.2")).status_code == 200


def test_who_is_no_proxy_cannot_speak_for_others(tmp_path: Path) -> None:
    options = {"max_connections_per_address": 1, "trusted_proxies": "192.0.2.9"}
    with (
        fed_server(tmp_path, **options) as (server, _),
        server.stream(additional_headers={"X-Forwarded-For": "192.0.2.1"}),
        pytest.raises((WebSocketException, OSError)),  # cut without an answer
    ):
        server.stream(additional_headers={"X-Forwarded-For": "192.0.2.2"})
