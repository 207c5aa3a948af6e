"""What a publisher raises, and what it tells of a tick that was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from marketcam.engine import MarketCameraError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PublishError", "Refusal", "TickRefusedError"]


class Refusal(NamedTuple):
    """A tick that is not in the run: a hole, at which the camera's window starts anew.

    Attributes:
        t: its number, or None where it could not be read.
        error: what was wrong with it; names tick, agent, field and value.
    """

    t: int | None
    error: str


class PublishError(MarketCameraError):
    """Ticks cannot be published, or were not all taken; names the address and what happened."""


class TickRefusedError(PublishError):
    """The camera refused ticks that had been published; the publisher itself goes on.

    Attributes:
        refusals: what was refused since the last such error, in order.
    """

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        super().__init__(f"refused: {refusals[0].error}{more}")
