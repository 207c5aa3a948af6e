"""What a client wants of the stream, and in which form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from marketcam.server.stream.messages import Encoding, Kind

__all__ = ["PLAIN", "Form", "Selection"]


@dataclass(frozen=True, slots=True)
class Form:
    """How messages are written. What has the same form is made once, for all who want it.

    Attributes:
        encoding: of frames; all else is JSON text.
        edges: edges of a frame at most; None: all it has. A frame with fewer is, to the byte, the
            one that a camera with this edge cap would have made.
        deflate: whether messages are compressed, each by itself (RFC 7692, no context takeover).
    """

    encoding: Encoding = "json"
    edges: int | None = None
    deflate: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages a client is sent. Clients of the same selection are sent the same bytes.

    Attributes:
        form: how they are written.
        kinds: which kinds.
        every: of each kind, only each n-th: those whose tick is a multiple of n times the ticks
            between two of the kind, so that it does not depend on when a client came.
    """

    form: Form
    kinds: tuple[Kind, ...] = ("metric", "frame")
    every: int = 1


PLAIN: Final = Selection(Form())
"""What a client without options is sent."""
