"""File descriptors: as many as the connections need that are let in."""

from __future__ import annotations

import resource
from typing import Final

from marketcam.server.logs import get_logger

__all__ = ["RESERVED", "room_for"]

RESERVED: Final = 256
"""What the camera opens besides connections: segments, readers, the log."""

log = get_logger(__name__)


def room_for(connections: int) -> int:
    """Raise the limit of open files to what connections need; return for how many it is enough.

    Where the system does not let it be raised as far, that is logged, and fewer are let in: a
    connection that cannot be accepted for want of a descriptor would wait, and so would a segment.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        soft = max(soft, wanted)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    room = max(1, soft - RESERVED)
    log.warning("open_files_limited", limit=soft, needed=needed, connections=room)
    return room
