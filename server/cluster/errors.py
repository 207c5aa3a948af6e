"""What can go wrong with a cluster.

::

    ServerError
    └── ClusterError          the scheduler or its workers are not there, not alike, or are lost
        ├── NoWorkerError     there has been no worker for too long
        └── PieceError        one piece cannot be done
"""

from __future__ import annotations

from marketcam.server.errors import ServerError

__all__ = ["ClusterError", "NoWorkerError", "PieceError"]


class ClusterError(ServerError):
    """A cluster cannot be reached or used, or was lost; the message is one line."""


class NoWorkerError(ClusterError):
    """A scheduler has had no worker for too long, or too few to begin with."""


class PieceError(ClusterError):
    """A piece cannot be done: the function raised, its workers died, or its result was lost."""
