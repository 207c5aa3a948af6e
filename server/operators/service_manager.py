"""What a service manager such as systemd is told: datagrams of ``NAME=value`` lines, to its socket.

The protocol of `sd_notify(3)`, as far as a server needs it. It is a few lines, and stable: a
library for it would be one more thing to install.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from marketcam.server.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ServiceManager"]

_MICROSECONDS: Final = 10**6
_LONGEST_STATUS: Final = 400

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """Who started this process and wants to hear of it.

    Attributes:
        address: its socket, as `socket.sendto` takes it.
        watchdog_seconds: time without a sign of life after which it ends the process; 0: never.
    """

    address: str
    watchdog_seconds: float = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """Return the one that these variables name; None where there is none.

        `NOTIFY_SOCKET` is a path, or ``@name`` for a socket of the abstract namespace.
        `WATCHDOG_USEC` counts where `WATCHDOG_PID` is this process, or not given. What cannot be
        understood is logged, and counts as not given.
        """
        given = environment.get("NOTIFY_SOCKET", "")
        if not given:
            return None
        if given[0] not in "/@":
            log.warning("notify_socket_unknown", address=given)
            return None
        address = "\0" + given[1:] if given[0] == "@" else given
        return cls(address, _watchdog_seconds(environment))

    def tell(self, *lines: str, status: str) -> None:
        """Send some lines and a status, at once or not at all: it is never waited for.

        Where there is no room the datagram is lost. Each says all there is to say, so that the
        next one makes up for it.
        """
        text = " ".join(status.split())[:_LONGEST_STATUS]
        datagram = "\n".join([*lines, f"STATUS={text}"]).encode(errors="replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(datagram, self.address)
        except OSError as error:
            log.warning("service_manager_not_told", error=str(error))


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    given = environment.get("WATCHDOG_USEC", "")
    if not given or environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    if not (given.isascii() and given.isdigit() and len(given) < 20):
        log.warning("watchdog_unknown", WATCHDOG_USEC=given)
        return 0.0
    return int(given) / _MICROSECONDS
