"""TLS: what is spoken, how connections are counted before they speak it, and new certificates."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from marketcam.server.ingest.link import IngestProtocol
from marketcam.server.security.bounds import ReadingWatch, reset
from tests.certificates import make_certificate
from tests.conforming import CheckedClient
from tests.raw_streams import is_cut
from tests.server_helpers import PATIENCE, fed_server, receive, server_process

if TYPE_CHECKING:
    from pathlib import Path


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def name_of(port: int) -> bytes:
    """Return the certificate that a server shows."""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as raw,
        trusting().wrap_socket(raw) as secured,
    ):
        found = secured.getpeercert(binary_form=True)
        assert found is not None
        return found


def test_only_modern_tls_is_spoken(tmp_path: Path) -> None:
    with fed_server(tmp_path, **make_certificate(tmp_path)) as (server, _):
        spoken: dict[str, Any] = {}
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting()
            context.minimum_version = context.maximum_version = version
            with (
                socket.create_connection(server.address, PATIENCE) as raw,
                context.wrap_socket(raw) as secured,
            ):
                cipher = secured.cipher()
                assert cipher is not None
                spoken[cipher[1]] = cipher[0]
                assert secured.compression() is None
        assert spoken.keys() == {"TLSv1.2", "TLSv1.3"}
        assert spoken["TLSv1.2"].startswith("ECDHE-")
        for version, ciphers in (
            (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
            (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256"),
            (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA"),
        ):
            context = trusting()
            context.set_ciphers(ciphers)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of the old version
                context.minimum_version = context.maximum_version = version
            with (
                socket.create_connection(server.address, PATIENCE) as raw,
                pytest.raises(OSError, match=r"SSL|reset"),
            ):
                context.wrap_socket(raw)


def test_connections_are_counted_before_they_speak_tls(tmp_path: Path) -> None:
    options = make_certificate(tmp_path) | {"max_connections": 3}
    with fed_server(tmp_path, **options) as (server, _), ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(server.address, PATIENCE))
            for _ in range(8)
        ]
        assert all(is_cut(each) for each in silent[:5])
        with server.stream(ssl=trusting()) as stream:
            stream.send("ping")
            assert receive(stream) == [{"type": "pong"}]


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_handshake_that_does_not_come_ends_its_connection(tmp_path: Path, begun: bytes) -> None:
    options = make_certificate(tmp_path) | {"handshake_seconds": 0.1}
    with (
        fed_server(tmp_path, **options) as (server, _),
        socket.create_connection(server.address, PATIENCE) as sock,
    ):
        sock.sendall(begun)
        assert len(sock.makefile("rb").read()) < 100  # an alert at most


def test_a_server_with_handshakes_under_way_stops(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with fed_server(tmp_path, **make_certificate(tmp_path)) as (server, _):
            sock = stack.enter_context(socket.create_connection(server.address, PATIENCE))
            assert name_of(server.listening.port)
        assert is_cut(sock)


def test_sighup_reads_the_certificate_again(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    flags = ("--tls-cert", str(files["tls_cert"]), "--tls-key", str(files["tls_key"]))
    with server_process(tmp_path, *flags) as server:
        before = name_of(server.port)
        make_certificate(tmp_path, "another")
        assert name_of(server.port) == before
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("certificate_reloaded")
        after = name_of(server.port)
        assert after != before
        key_before = files["tls_key"].read_bytes()
        files["tls_key"].write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("certificate_not_reloaded")
        assert name_of(server.port) == after
        files["tls_key"].write_bytes(key_before)
        other = tmp_path / "other"
        other.mkdir()
        files["tls_cert"].write_bytes(make_certificate(other)["tls_cert"].read_bytes())
        server.process.send_signal(signal.SIGHUP)  # renewed, but for the key: half a renewal
        server.wait_for_log("key values mismatch")
        assert name_of(server.port) == after
        with CheckedClient(verify=trusting()) as http:
            assert http.get(f"https://127.0.0.1:{server.port}/health").json()["ok"] is True
        assert server.stop(signal.SIGTERM) == 0


class Gone:
    """What is left of a connection under TLS that has ended: uvloop's transport has no socket."""

    def __init__(self) -> None:
        self.aborted = False

    def get_extra_info(self, _: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 10

    def is_closing(self) -> bool:
        return True

    def abort(self) -> None:
        self.aborted = True


async def _watch(gone: Any) -> None:
    watch = ReadingWatch(gone, 0.01)
    watch.begin()
    while not gone.aborted:
        await asyncio.sleep(0)
    watch.end()


def test_of_a_connection_that_has_ended_nothing_is_asked() -> None:
    gone: Any = Gone()
    asyncio.run(_watch(gone))
    gone.aborted = False
    reset(gone)
    assert gone.aborted
    link = IngestProtocol.__new__(IngestProtocol)
    link.transport, link.read_paused, link._written, link._by_others = gone, True, 30, None
    assert link.taken == 20
    assert not link.lives_since(1.0)
