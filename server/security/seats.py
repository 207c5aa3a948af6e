"""Seats: each connection has one from its first byte to its last, and there are so many.

A connection waits until it has sent a whole request, or shown its token; and again between two
requests. Where there is no seat for one more, the connection that has waited longest gives up its
own. So a flood of connections that only sit there takes the seats of its own kind, and whoever
speaks up at once finds one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marketcam.server.logs import get_logger
from marketcam.server.security.addresses import counted_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.server.security.addresses import Proxies

__all__ = ["Seat", "Seats"]

log = get_logger(__name__)


class Seats:
    """All seats. Taking and leaving one costs the same however many there are.

    Attributes:
        evicted: connections that had to go for others.
        refused: connections that found no seat.
    """

    def __init__(self, most: int, most_per_address: int, proxies: Proxies) -> None:
        """Have so many seats, in all and for each address.

        Args:
            most: connections at most.
            most_per_address: of these from one address; 0: no limit of its own.
            proxies: addresses that speak for many, which have no limit of their own.
        """
        self.evicted = 0
        self.refused = 0
        self._most = most
        self._most_per_address = most_per_address
        self._proxies = proxies
        self._waiting: dict[Seat, None] = {}  # that have waited longest first, as everywhere here
        self._addresses: dict[str, _Address] = {}
        self._taken = 0

    def __len__(self) -> int:
        return self._taken

    @property
    def most(self) -> int:
        """Connections that there may be."""
        return self._most

    @property
    def waiting(self) -> int:
        """Connections that have sent no whole request yet, or are between two."""
        return len(self._waiting)

    def take(self, address: str | None, cut: Callable[[], object]) -> Seat | None:
        """Return a seat for a new connection, which waits; None if there is no room for it.

        Args:
            address: where it comes from; None where the server does not know.
            cut: ends the connection at once.
        """
        name = None if address is None or address in self._proxies else counted_as(address)
        if not (self._has_room_for(name) and self._has_room()):
            self.refused += 1
            log.debug("connection_refused", address=address)
            return None
        self._taken += 1
        seat = Seat(self, cut)
        if name is not None:
            self._count(seat, name)
        self.wait(seat)
        return seat

    def wait(self, seat: Seat) -> None:
        """Put a seat behind all that wait already."""
        self.stop_waiting(seat)
        self._waiting[seat] = None
        if seat.address is not None:
            self._addresses[seat.address].waiting[seat] = None

    def stop_waiting(self, seat: Seat) -> None:
        """Keep a seat from being given to another."""
        self._waiting.pop(seat, None)
        if seat.address is not None:
            self._addresses[seat.address].waiting.pop(seat, None)

    def count_under(self, seat: Seat, address: str) -> bool:
        """Count a seat under an address; return False where that has as many as it may."""
        if address in self._proxies:
            return True
        name = counted_as(address)
        known = self._addresses.get(name)
        if known is not None and 0 < self._most_per_address <= known.count:
            self.refused += 1
            return False
        self._count(seat, name)
        if seat in self._waiting:
            self._addresses[name].waiting[seat] = None
        return True

    def count_no_longer(self, seat: Seat) -> None:
        """Take a seat out of the count of its address."""
        if seat.address is None:
            return
        known = self._addresses[seat.address]
        known.waiting.pop(seat, None)
        known.count -= 1
        if not known.count:
            del self._addresses[seat.address]
        seat.address = None

    def give_back(self, seat: Seat) -> None:
        """Have one seat more."""
        self.stop_waiting(seat)
        self.count_no_longer(seat)
        self._taken -= 1

    def _count(self, seat: Seat, name: str) -> None:
        seat.address = name
        self._addresses.setdefault(name, _Address({})).count += 1

    def _has_room_for(self, name: str | None) -> bool:
        known = self._addresses.get(name) if name is not None else None
        if known is None or not self._most_per_address or known.count < self._most_per_address:
            return True
        return self._evict_oldest(known.waiting)

    def _has_room(self) -> bool:
        return self._taken < self._most or self._evict_oldest(self._waiting)

    def _evict_oldest(self, waiting: dict[Seat, None]) -> bool:
        oldest = next(iter(waiting), None)
        if oldest is None:
            return False
        self.evicted += 1
        oldest.leave()
        oldest.cut()
        return True


@dataclass(slots=True)
class _Address:
    waiting: dict[Seat, None]
    count: int = 0


class Seat:
    """The seat of one connection.

    Attributes:
        address: under which it is counted; None: none, as that of a proxy.
        cut: ends the connection at once.
    """

    __slots__ = ("_is_left", "_seats", "_speaks_for_another", "address", "cut")

    def __init__(self, seats: Seats, cut: Callable[[], object]) -> None:
        self.address: str | None = None
        self.cut = cut
        self._seats = seats
        self._is_left = False
        self._speaks_for_another = False

    def admit(self) -> None:
        """Wait no longer: from now on the connection is not cut for another."""
        if not self._is_left:
            self._seats.stop_waiting(self)

    def rest(self) -> None:
        """Wait, from now on, and speak for nobody else."""
        if self._is_left:
            return
        if self._speaks_for_another:
            self._speaks_for_another = False
            self._seats.count_no_longer(self)
        self._seats.wait(self)

    def speak_for(self, address: str) -> bool:
        """Count the connection of a proxy under the address that it speaks for, until it rests.

        Returns False where that address has as many as it may. The connection of one who speaks
        for himself is counted already.
        """
        if self.address is not None or self._is_left:
            return True
        has_room = self._seats.count_under(self, address)
        self._speaks_for_another = self.address is not None
        return has_room

    def leave(self) -> None:
        """Give the seat up; more than once is fine."""
        if not self._is_left:
            self._is_left = True
            self._seats.give_back(self)
