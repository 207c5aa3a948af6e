"""A real nginx for tests, with a shipped site before a camera."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.conforming import CheckedClient
from tests.deploy_files import rendered
from tests.server.security.test_tls import make_certificate
from tests.server_helpers import PATIENCE, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from websockets.sync.client import ClientConnection

SITE = "nginx/marketcam.conf"
NAME = "camera.example.org"

_MAIN = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Front:
    """A running nginx.

    Attributes:
        port: where it speaks TLS.
        plain_port: where it does not.
        certificate: its own, which clients trust.
    """

    port: int
    plain_port: int
    certificate: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def http(self, **options: Any) -> httpx.Client:
        url = f"https://127.0.0.1:{self.port}"
        return CheckedClient(base_url=url, verify=self.trust(), timeout=PATIENCE, **options)

    def stream(self, path: str = "/ws/stream", **options: Any) -> ClientConnection:
        return open_stream(f"wss://127.0.0.1:{self.port}{path}", ssl=self.trust(), **options)


@contextmanager
def nginx_before(
    folder: Path, camera_port: int, replacements: dict[str, str] | None = None
) -> Iterator[Front]:
    """Run nginx with the shipped site, its ports and paths replaced, until the block ends."""
    folder.mkdir()
    certificate, key = make_certificate(folder, NAME).values()
    port, plain_port = _free_ports(2)
    own = {
        "server 127.0.0.1:8000;": f"server 127.0.0.1:{camera_port};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "listen [::]:443 ssl;": f"listen [::1]:{port} ssl;" if has_ipv6() else "",
        "listen [::]:80;": f"listen [::1]:{plain_port};" if has_ipv6() else "",
        "/etc/ssl/marketcam/fullchain.pem": str(certificate),
        "/etc/ssl/marketcam/privkey.pem": str(key),
    }
    (folder / "site.conf").write_text(rendered(SITE, own | (replacements or {})))
    user = "user root;" if os.geteuid() == 0 else ""  # a worker's own could not enter the folder
    (folder / "nginx.conf").write_text(_MAIN.format(user=user, folder=folder))
    with _running(folder):
        yield Front(port, plain_port, certificate)


def has_ipv6() -> bool:
    """Return whether this machine can listen at ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@contextmanager
def _running(folder: Path) -> Iterator[None]:
    """Run it from its first worker to its end."""
    command = (_program(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert process.stderr is not None
        said = b""
        for line in process.stderr:
            said += line
            if b"start worker process " in line:
                break
        else:
            pytest.fail(f"nginx ended with {process.wait()}:\n{said.decode()}")
        # What it says from now on must not fill the pipe.
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=log)
        process.stderr.close()
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0
            drain.wait(PATIENCE)


def _program() -> str:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("there is no nginx (Debian: nginx)")
    return program


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
