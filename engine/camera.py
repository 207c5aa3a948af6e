"""`SlidingWindowCamera`: the public face of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from marketcam.engine.tick import Tick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from marketcam.engine.frame import Frame


class SlidingWindowCamera:
    """Interface draft; the engine's author is filling this in."""

    def __init__(
        self,
        W: int = 300,
        stride: int = 10,
        eps_pct: float = 0.003,
        edge_cap: int = 2000,
        *,
        proximity: Literal["pairs", "neighbors"] = "pairs",
        match_share: float = 0.5,
        burst_z: float = 4.0,
        shock_z: float = 4.0,
        pair_budget_bytes: int = 2**31,
    ) -> None:
        self.W, self.stride = W, stride

    def ingest(self, raw_tick: Mapping[str, Any]) -> None:
        self.ingest_tick(Tick.from_dict(raw_tick))

    def ingest_tick(self, tick: Tick) -> None:
        raise RuntimeError("draft")

    def ingest_arrays(
        self,
        t: int,
        mid: float | None,
        agent_id: ArrayLike,
        experience: ArrayLike,
        side: ArrayLike,
        price: ArrayLike,
        matches: ArrayLike,
    ) -> None:
        raise RuntimeError("draft")

    def maybe_frame(self, t: int) -> Frame | None:
        raise RuntimeError("draft")

    def maybe_build_frame(self, t: int) -> dict[str, Any] | None:
        frame = self.maybe_frame(t)
        return None if frame is None else frame.to_dict()
