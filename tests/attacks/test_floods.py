"""Floods of connections: those that come and go, those that stay, and honest ones in between."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Final

import pytest

from tests.attacks.crowd import ROUNDS, Attacker, exchange
from tests.attacks.socket_junk import handshake
from tests.attacks.target import running_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.target import Target

SEATS: Final = 64
GET: Final = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with few seats, for one address as for all."""
    flags = ("--max-connections", str(SEATS), "--handshake-seconds", "5")
    with running_target(tmp_path_factory.mktemp("small"), *flags) as target:
        yield target


def test_thousands_of_connections_come_and_go(target: Target) -> None:
    """Half of them are reset as soon as they are open, so that nobody says goodbye."""

    def come_and_go() -> None:
        for number in range(2000 * ROUNDS):
            with socket.create_connection(target.address) as sock:
                if number % 2:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if number % 3:
                    sock.send(GET[: number % len(GET)])

    with target.under_attack(log_lines=100):
        come_and_go()


@pytest.mark.parametrize("said", [b"", b"GET /", GET], ids=["silent", "begun", "between requests"])
def test_a_flood_that_stays_locks_nobody_out(small: Target, said: bytes) -> None:
    async def flood() -> None:
        attackers = []
        try:
            for _ in range(3 * SEATS):
                attackers.append(await Attacker.connect(small))
                await attackers[-1].send(said)
            for _ in range(10 * ROUNDS):
                honest = await Attacker.connect(small)
                await honest.send(handshake("/ws/stream"))
                assert (await honest.read_head()).startswith(b"HTTP/1.1 101 ")
                honest.cut()
                small.check_honest_viewer()
        finally:
            for attacker in attackers:
                attacker.cut()

    with small.under_attack(log_lines=100):
        asyncio.run(flood())


def test_more_viewers_than_there_are_seats_are_refused_and_the_others_stay(small: Target) -> None:
    with small.under_attack():
        answers = exchange(small, [handshake("/ws/stream")] * 4 * SEATS)
    assert any(answer.startswith(b"HTTP/1.1 101 ") for answer in answers)
