"""The clients of one selection, who are sent the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.server.stream.sieve import Sieve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marketcam.server.stream.client import Client
    from marketcam.server.stream.messages import Entry, Kind
    from marketcam.server.stream.selection import Selection

__all__ = ["Audience"]


class Audience:
    """The clients of one selection: what is published is sifted once for all of them."""

    def __init__(self, selection: Selection, steps: Mapping[Kind, int]) -> None:
        self._sieve = Sieve(selection, steps)
        self._clients: set[Client] = set()

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, client: Client) -> None:
        """Offer a client what is published from now on."""
        self._clients.add(client)

    def remove(self, client: Client) -> None:
        """Forget a client."""
        self._clients.remove(client)

    def offer(self, batch: list[Entry]) -> None:
        """Let a batch wait for every client, as far as it is wanted."""
        wanted = self._sieve.sift(batch)
        for client in self._clients:
            for entry in wanted:
                client.offer(entry)
