"""The port: what is bound when, what cannot be listened at, TLS, and what is said about it."""

from __future__ import annotations

import socket
import ssl
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from marketcam.server import serve
from marketcam.server.errors import ConfigurationError, ServerError
from marketcam.server.running.rig import Rig
from marketcam.server.settings import Settings
from tests.conforming import CheckedClient
from tests.server_helpers import (
    PATIENCE,
    fed_server,
    open_stream,
    receive,
    receive_until,
    running_server,
    state_tick,
    tick_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def never(_: serve.Listening) -> None:
    raise AssertionError("it must not come to listening")


def settings(folder: Path, **given: Any) -> Settings:
    return Settings(**({"store_dir": folder / "store", "port": 0} | given))


@contextmanager
def taken_port(host: str = "127.0.0.1") -> Iterator[int]:
    with socket.create_server((host, 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_told_before_anything_is_touched(tmp_path: Path) -> None:
    with (
        taken_port() as port,
        pytest.raises(ServerError) as refused,
    ):
        serve.run(settings(tmp_path, port=port), never)
    assert str(refused.value) == f"cannot listen at 127.0.0.1:{port}: address already in use"
    assert list(tmp_path.iterdir()) == []


def test_a_port_taken_while_starting_is_told_and_all_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two processes can bind a port; the first to listen has it.
    first = socket.socket()
    rigs: list[Rig] = []
    start = Rig.start

    async def start_slowly(rig: Rig, *args: Any) -> None:
        await start(rig, *args)
        rigs.append(rig)
        first.listen()

    monkeypatch.setattr(Rig, "start", start_slowly)
    with first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        with pytest.raises(ServerError, match="address already in use"):
            serve.run(settings(tmp_path, port=first.getsockname()[1]), never)
    assert not rigs[0].pipeline.running
    assert not list((tmp_path / "store").glob("*/*_pending*"))


@pytest.mark.parametrize(
    "host", ["203.0.113.7", "no such host", "nowhere.invalid", "\x00", "a" * 70]
)
def test_a_host_that_is_not_ours_is_told(tmp_path: Path, host: str) -> None:
    with pytest.raises(ServerError, match="cannot listen at "):
        serve.run(settings(tmp_path, host=host), never)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_listened_at_before_the_rig_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    with taken_port() as port:
        pass  # a port that is free now
    start = Rig.start

    async def start_watched(rig: Rig, *args: Any) -> None:
        with socket.socket() as client:
            tried.append(client.connect_ex(("127.0.0.1", port)))
        await start(rig, *args)

    monkeypatch.setattr(Rig, "start", start_watched)
    with running_server(settings(tmp_path, port=port)) as server, server.http() as http:
        assert http.get("/health").json()["meta"]["running"] is True
    assert tried != [0]


def test_every_address_of_a_host_is_listened_at(tmp_path: Path) -> None:
    found = socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)
    with running_server(settings(tmp_path, host="localhost")) as server:
        for address in {address[0] for *_, address in found}:
            with socket.create_connection((address, server.listening.port), PATIENCE):
                pass
        with server.http() as http:
            assert http.get("/health").status_code == 200


def test_addresses_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "marketcam")
    with running_server(settings(tmp_path)) as server:
        serve.announce(server.listening)
        port = server.listening.port
    assert capsys.readouterr().out.splitlines() == [
        f"listening on http://127.0.0.1:{port}",
        f"  viewer   http://127.0.0.1:{port}/viewer/",
        f"  stream   ws://127.0.0.1:{port}/ws/stream",
        f"  health   http://127.0.0.1:{port}/health",
        f"  history  http://127.0.0.1:{port}/manifest/frames",
    ]
    assert f"'url': 'http://127.0.0.1:{port}'" in caplog.text
    any_address = replace(server.listening, host="0.0.0.0", port=80, tls=True)
    assert any_address.url == "https://127.0.0.1:80"
    assert replace(any_address, host="::").stream_url == "wss://[::1]:80/ws/stream"
    assert replace(any_address, host="fe80::1").url == "https://[fe80::1]:80"
    assert replace(any_address, host="cam.example").url == "https://cam.example:80"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
        f" -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def test_tls(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    trust = ssl.create_default_context(cafile=cert)
    with running_server(settings(tmp_path, tls_cert=cert, tls_key=key)) as server:
        assert server.listening.url.startswith("https://")
        with CheckedClient(base_url=server.listening.url, verify=trust) as http:
            assert http.get("/health").json()["ok"] is True
        with open_stream(server.listening.stream_url, ssl=trust) as stream:
            assert receive(stream)[0]["type"] == "metric"
        with httpx.Client() as plain, pytest.raises(httpx.TransportError):
            plain.get(server.listening.url.replace("https", "http"))


def test_large_frames_over_tls(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    trust = ssl.create_default_context(cafile=cert)
    options = {"connect_metrics": 0, "window": 1, "stride": 1, "proximity": "neighbors"}
    crowd = dict.fromkeys(range(10_000), 0.5)  # more than all buffers in between
    with (
        fed_server(tmp_path, tls_cert=cert, tls_key=key, **options) as (server, feed),
        open_stream(server.listening.stream_url, ssl=trust) as stream,
    ):
        for t in range(4):
            feed.send(state_tick(t, agents=crowd))
        frames = [m for m in receive_until(stream, "frame", 3) if m["type"] == "frame"]
    assert [len(frame["nodes"]) for frame in frames] == [10_000] * len(frames)


def test_a_certificate_that_cannot_be_used_is_told(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    for given in (
        {"tls_cert": tmp_path / "nothing.pem", "tls_key": key},
        {"tls_cert": cert, "tls_key": cert},
    ):
        with pytest.raises(ConfigurationError, match=r"IG_TLS_CERT .* IG_TLS_KEY"):
            serve.run(settings(tmp_path, **given), never)
    assert list(tmp_path.iterdir()) == []


def test_bad_ticks_that_are_fatal_end_the_run(tmp_path: Path) -> None:
    ticks = tmp_path / "ticks.jsonl"
    ticks.write_bytes(tick_lines([state_tick(0), state_tick(1)]) + b"nonsense\n")
    given = settings(tmp_path, ticks=str(ticks), bad_tick="fail", tick_rate=0)
    with pytest.raises(ServerError, match=r"the run has failed: .*ticks\.jsonl: line 3: "):
        serve.run(given, lambda _: None)
    assert not list((tmp_path / "store").glob("*/*_pending*"))


def test_a_source_that_has_ended_leaves_the_server_up(tmp_path: Path) -> None:
    ticks = tmp_path / "ticks.jsonl"
    ticks.write_bytes(tick_lines(state_tick(t) for t in range(10)))
    given = settings(tmp_path, ticks=str(ticks), tick_rate=0, window=4, stride=2)
    with running_server(given) as server, server.http() as http:
        assert server.rig.pipeline._thread is not None
        server.rig.pipeline._thread.join(PATIENCE)
        with server.stream() as stream:
            assert receive_until(stream, "frame", 8)[0]["t"] == 0
        assert http.get("/health").json()["meta"] == {
            "running": False,
            "start_ts": server.rig.started_at,
            "ticks": 10,
            "seed": 0,
        }
