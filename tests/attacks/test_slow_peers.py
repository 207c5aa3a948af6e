"""Peers that are slow on purpose, at every step, and such as are gone without a word."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

import pytest

from tests.attacks.crowd import ROUNDS, Attacker, exchange, seeded
from tests.attacks.socket_junk import OPENING, handshake
from tests.attacks.target import running_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.target import Target

CROWD: Final = 64
GET: Final = b"GET /health HTTP/1.1\r\n"
TCP_REPAIR: Final = 19
QUICK: Final = ("--handshake-seconds", "1", "--idle-seconds", "1", "--client-slow-seconds", "2")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with running_target(tmp_path_factory.mktemp("impatient"), *QUICK) as target:
        yield target


BEGUN = {
    "silence": (b"", b""),
    "a head that stops": (GET + b"Host: x\r\n", b""),
    "a head byte by byte": (GET, b"X"),
    "a head line by line": (GET, b"X: y\r\n"),
    "line ends only": (b"", b"\r\n"),
    "a handshake line by line": (OPENING[:-2], b"X: y\r\n"),
    "a second request": (GET + b"Host: x\r\n\r\n" + GET, b"X: y\r\n"),
    "nothing after a first request": (GET + b"Host: x\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", BEGUN)
def test_a_request_that_never_ends_is_not_waited_for(impatient: Target, name: str) -> None:
    begin, more = BEGUN[name]
    with impatient.under_attack():
        answers = asyncio.run(dawdle(impatient, begin, more))
    impatient.check_discretion(answers)


async def dawdle(
    target: Target, begin: bytes, more: bytes, tls: ssl.SSLContext | None = None
) -> list[bytes]:
    """Begin on many connections, go on slowly, and wait until the server ends each of them."""

    async def one() -> bytes:
        attacker = await Attacker.connect(target, tls)
        try:
            attacker.push(begin)
            drip = asyncio.create_task(drip_on(attacker))
            answer = await attacker.read_to_the_end(None)
            drip.cancel()
            return answer
        finally:
            attacker.cut()

    async def drip_on(attacker: Attacker) -> None:
        while more:
            attacker.push(more)
            await asyncio.sleep(0.05)  # the attack itself

    return await asyncio.gather(*(one() for _ in range(CROWD * ROUNDS)))


def test_an_answer_that_is_not_read_is_not_kept(impatient: Target) -> None:
    """Answers that fill all buffers on their way, on connections that stay as they are."""
    never_read(impatient, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 60)


@pytest.mark.parametrize("path", ["/ws/stream", "/ws/stream?from_t=0", "/ws/replay?speed=0"])
def test_a_viewer_that_never_reads_is_ended(impatient: Target, path: str) -> None:
    never_read(impatient, handshake(path))


def never_read(target: Target, said: bytes) -> None:
    """Say something and read nothing until the server has let go of each of the connections.

    They stay open here until then; of an end they learn nothing, since they do not read.
    """
    before = target.figures()
    with ExitStack() as stack, target.under_attack():
        for _ in range(8):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(target.address)
            deaf.sendall(said)
        assert target.figures().descriptors > before.descriptors


@pytest.mark.parametrize("path", ["/ws/stream", "/ws/replay?speed=1"])
def test_viewers_that_are_gone_without_a_word_are_found_out(impatient: Target, path: str) -> None:
    """Half-open: the peer's side forgets the connection, and its kernel says nothing of it.

    Where the kernel does not let us, the peer stays, and is mute: to the server it is the same.
    """
    with ExitStack() as stack, impatient.under_attack():
        for _ in range(16):
            gone = stack.enter_context(socket.socket())
            gone.connect(impatient.address)
            gone.sendall(handshake(path))
            assert gone.recv(12) == b"HTTP/1.1 101"
            with suppress(PermissionError):
                gone.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
                gone.close()


@pytest.fixture(scope="module")
def tls_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
        f" -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    flags = (*QUICK, "--tls-cert", str(cert), "--tls-key", str(key))
    with running_target(folder / "target", *flags, trust=cert) as target:
        yield target


HELLO: Final = bytes.fromhex("16030100f8010000f40303") + bytes(200)
TLS_BEGUN = {
    "silence": (b"", b""),
    "a hello that stops": (HELLO[:60], b""),
    "a hello byte by byte": (HELLO[:5], b"\x01"),
    "a record that never fills": (b"\x16\x03\x01\x40\x00", b"\x00" * 8),
}


@pytest.mark.parametrize("name", TLS_BEGUN)
def test_a_tls_handshake_that_never_ends_is_not_waited_for(tls_target: Target, name: str) -> None:
    with tls_target.under_attack():
        asyncio.run(dawdle(tls_target, *TLS_BEGUN[name]))


def test_bytes_that_are_no_tls_end_their_connection(tls_target: Target) -> None:
    dice = seeded("tls")
    junk = [dice.randbytes(dice.randrange(1, 500)) for _ in range(100 * ROUNDS)]
    cut_hellos = [HELLO[: dice.randrange(1, 200)] + dice.randbytes(50) for _ in range(100 * ROUNDS)]
    with tls_target.under_attack():
        answers = exchange(tls_target, [*junk, *cut_hellos, GET + b"Host: x\r\n\r\n"])
    tls_target.check_discretion(answers)


def test_a_request_under_tls_that_never_ends_is_not_waited_for(tls_target: Target) -> None:
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with tls_target.under_attack():
        asyncio.run(dawdle(tls_target, GET, b"X: y\r\n", anyone))
