"""What a client wants of a run's messages, and in which form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marketcam.server.stream.messages import Encoding, Kind

__all__ = ["COLUMNS_FORM", "PLAIN", "PLAIN_FORM", "FilmedWith", "Form", "Selection", "wanted_part"]


@dataclass(frozen=True, slots=True)
class Form:
    """How frames are written. What has the same form is made once, for all who want it.

    All else is JSON text under every form.

    Attributes:
        encoding: of frames.
        edges: edges of a frame at most; None: all it has. A frame with fewer is, to the byte, the
            one that a camera with this edge cap would have made.
        deflate: whether frames are compressed, each by itself (RFC 7692, no context takeover).
    """

    encoding: Encoding = "json"
    edges: int | None = None
    deflate: bool = False


PLAIN_FORM: Final = Form()
"""How messages are recorded: as text, with all there is."""

COLUMNS_FORM: Final = Form(encoding="columns")
"""How frames get to edges: with all there is, a ninth as long."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages a client is sent. Clients of the same selection are sent the same bytes.

    Attributes:
        form: how they are written.
        kinds: which kinds.
        every: of each kind, only each n-th: those whose tick is a multiple of n times the ticks
            between two of the kind, so that it does not depend on when a client came.
    """

    form: Form = PLAIN_FORM
    kinds: tuple[Kind, ...] = ("metric", "frame")
    every: int = 1

    def normal(self, edge_cap: int) -> Selection:
        """Return the one that asks the same of a camera with this edge cap, in the fewest words."""
        form = self.form if "frame" in self.kinds else PLAIN_FORM
        if form.edges is not None and form.edges >= edge_cap:
            form = replace(form, edges=None)
        return replace(self, form=PLAIN_FORM if form == PLAIN_FORM else form)  # found faster


PLAIN: Final = Selection()
"""What a client without options is sent."""


def wanted_part(from_t: int, to_t: int, step: int) -> tuple[int, int] | None:
    """Return the first and the last multiple of a step among some ticks; None if there is none."""
    first, last = -(-from_t // step) * step, to_t // step * step
    return (first, last) if first <= last else None


@dataclass(frozen=True, slots=True)
class FilmedWith:
    """With what a run is filmed, as far as it matters to what a client may ask for.

    Attributes:
        stride: ticks from one frame to the next.
        metric_downsample: ticks from one metric to the next.
        edge_cap: edges a frame at most.
        match_share: the share of them that is set aside for matches.
    """

    stride: int = 10
    metric_downsample: int = 1
    edge_cap: int = 2000
    match_share: float = 0.5

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> FilmedWith | None:
        """Read what a run's record says of it; None where that does not say."""
        try:
            camera = about["camera"]
            found = cls(
                camera["stride"],
                about["metric_downsample"],
                camera["edge_cap"],
                camera["match_share"],
            )
            known = found.stride >= 1 <= found.metric_downsample and 0 <= found.match_share <= 1
        except (KeyError, TypeError):
            return None
        return found if known else None

    @property
    def steps(self) -> dict[Kind, int]:
        """The ticks from one message to the next, by kind."""
        return {"metric": self.metric_downsample, "frame": self.stride}
