"""Addresses: whose connections are counted together, and which proxies speak for others."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["Proxies", "counted_as"]

_HOME_BITS: Final = 64
"""What one customer of an IPv6 network has at least: all of it counts as one address."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies whose word on who is behind them is taken.

    Attributes:
        networks: their addresses.
    """

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Read addresses and networks, joined by commas.

        Raises:
            ValueError: one is none; names it.
        """
        names = [name.strip() for name in text.split(",")]
        return cls(tuple(ipaddress.ip_network(name) for name in names if name))

    def __contains__(self, address: str) -> bool:
        try:
            found = _plain(address)
        except ValueError:
            return False
        return any(found in network for network in self.networks)


def counted_as(address: str) -> str:
    """Return the name under which the connections of an address are counted."""
    try:
        found = _plain(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found), _HOME_BITS), strict=False))


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address; one of IPv4 that comes in the clothes of IPv6 is one of IPv4."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return (found.version == 6 and found.ipv4_mapped) or found
