"""Many attackers at a time, each with its own bytes, from one loop in this process."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from tests.attacks.target import Target

__all__ = ["ROUNDS", "SEED", "Attacker", "exchange", "seeded"]

ROUNDS: Final = int(os.environ.get("MARKETCAM_ATTACK_ROUNDS", "1"))
SEED: Final = int(os.environ.get("MARKETCAM_ATTACK_SEED", "20261122"))

AT_ONCE: Final = 128
LULL: Final = 0.2
"""Seconds that an attacker waits for a first answer before it says that it will say no more."""


def seeded(what: str) -> random.Random:
    """Return the generator of one attack; the seed is that of the whole suite."""
    return random.Random(f"{SEED} {what}")


class Attacker:
    """One connection. It is cut at the end, whatever has become of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, target: Target, tls: ssl.SSLContext | None = None) -> Attacker:
        """Connect."""
        return cls(*await asyncio.open_connection(*target.address, ssl=tls, limit=2**20))

    async def send(self, data: bytes) -> None:
        """Send, so far as the server takes it."""
        with suppress(ConnectionError):
            self._writer.write(data)
            async with asyncio.timeout(PATIENCE):
                await self._writer.drain()

    def push(self, data: bytes) -> None:
        """Send as much as the server takes at once."""
        self._writer.write(data)

    async def read_head(self) -> bytes:
        """Read the head of an answer, and no more."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def read_some(self) -> bytes:
        """Read what is there, if it comes soon."""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(LULL):
                return await self._reader.read(65_536)
        return b""

    async def read_to_the_end(self, lull: float | None = LULL) -> bytes:
        """Read until the server ends it; say that no more will come once it has said something.

        Args:
            lull: seconds to wait for that; None to wait until the server ends it of itself.
        """
        data = b""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(lull):
                data = await self._reader.read(65_536)
        if lull is not None and not self._writer.transport.is_closing():
            with suppress(OSError):
                self._writer.write_eof()
        return data + await self._rest()

    async def _rest(self) -> bytes:
        parts = []
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while part := await self._reader.read(65_536):
                    parts.append(part)
        return b"".join(parts)

    def cut(self) -> None:
        """End it at once."""
        self._writer.transport.abort()


def exchange(
    target: Target, payloads: Iterable[bytes | tuple[bytes, bytes]], lull: float | None = LULL
) -> list[bytes]:
    """Send each payload over a connection of its own; return all that came back on each.

    Args:
        target: what is attacked.
        payloads: what to send; of two parts, the second once there is an answer to the first.
        lull: as `Attacker.read_to_the_end` has it.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def one(payload: bytes | tuple[bytes, bytes]) -> bytes:
        async with places:
            attacker = await Attacker.connect(target)
            head = b""
            try:
                if isinstance(payload, tuple):
                    begun, payload = payload
                    await attacker.send(begun)
                    head = await attacker.read_head()
                _, answer = await asyncio.gather(
                    attacker.send(payload), attacker.read_to_the_end(lull)
                )
                return head + answer
            finally:
                attacker.cut()

    async def all_of_them() -> list[bytes]:
        return await asyncio.gather(*(one(payload) for payload in payloads))

    return asyncio.run(all_of_them())
