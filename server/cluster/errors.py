"""What can go wrong with a cluster.

::

    ServerError
    └── ClusterError     the scheduler or its workers are not there, not alike, or are lost
        └── PieceError   one piece cannot be done
"""

from __future__ import annotations

from marketcam.server.errors import ServerError

__all__ = ["ClusterError", "PieceError"]


class ClusterError(ServerError):
    """A cluster cannot be reached or used, or was lost; the message is one line."""


class PieceError(ClusterError):
    """A piece cannot be done: the function raised, or every worker that tried it has died."""
