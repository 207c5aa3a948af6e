"""What can go wrong with a profile.

::

    ServerError
    ├── PointError     one point cannot be measured; the others can
    └── JournalError   the journal cannot be used; nothing is measured
"""

from __future__ import annotations

from marketcam.server.errors import ConfigurationError, ServerError

__all__ = ["JournalError", "PointError"]


class PointError(ServerError):
    """A point cannot be measured; the message says why.

    Attributes:
        lasting: whether another try would end the same way.
    """

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        self.lasting = lasting
        super().__init__(reason)


class JournalError(ConfigurationError):
    """A journal is in use, is damaged, or was made under other conditions."""
