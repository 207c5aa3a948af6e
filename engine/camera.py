"""`SlidingWindowCamera`: ticks in, a structure frame every stride."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal

from marketcam.engine.checks import are_ready, as_columns
from marketcam.engine.errors import LimitError
from marketcam.engine.limits import finite_number_in, whole_number
from marketcam.engine.tick import MAX_ID, Tick, finite_number, tick_number
from marketcam.engine.window import Window, WindowSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from marketcam.engine.frame import Frame

__all__ = ["PAIR_BUDGET", "SlidingWindowCamera"]

PAIR_BUDGET: Final = 2**31
"""Default for the memory that the rule `pairs` may take for its counts, in bytes."""


class SlidingWindowCamera:
    """Keeps the last W ticks and develops a structure frame every `stride` ticks.

    A frame is a function of its W ticks and of the mid carried into them: what came before
    leaves no trace, to the last bit. Not thread-safe; kernels release the GIL.

    Args:
        W: window in ticks, 1 to 65535.
        stride: ticks between frames, from 1; may exceed W.
        eps_pct: two quotes are close when their prices differ by at most this share of the mid.
        edge_cap: edges a frame at most.
        proximity: ``"pairs"`` counts every two agents within eps, ``"neighbors"`` per side only
            those adjacent in price order.
        match_share: share of the cap that is set aside for the best match edges, 0 to 1.
        burst_z: standard deviations above the mean at which a tick's matches are a burst.
        shock_z: standard deviations off the mean at which a log return is a shock.
        pair_budget_bytes: memory the rule `pairs` may take for its counts, about agents² bytes.

    Raises:
        LimitError: a setting is out of its range.

    Cost: a tick O(N log N); a frame O(N), and under `pairs` O(N² stride) in bytes, 64 to an
    instruction where registers have 512 bits; work on many agents is shared by as many threads as
    there are processors. Memory: 56 bytes an agent and pane, of which a window has ``W / stride``,
    or twice as many where the stride does not divide it; under `pairs` N² bytes besides
    (`pair_table_bytes`), under `neighbors` about 20 bytes a pair of the window.
    """

    def __init__(  # noqa: PLR0913 - the published settings
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
        pair_budget_bytes: int = PAIR_BUDGET,
    ) -> None:
        if proximity not in ("pairs", "neighbors"):
            raise LimitError(f"proximity must be 'pairs' or 'neighbors', got {proximity!r}")
        self._settings = WindowSettings(
            W=whole_number("W", W, 1, 65535),
            stride=whole_number("stride", stride, 1),
            eps_pct=finite_number_in("eps_pct", eps_pct, 0.0),
            edge_cap=whole_number("edge_cap", edge_cap, 0),
            proximity=proximity,
            match_share=finite_number_in("match_share", match_share, 0.0, 1.0),
            burst_z=finite_number_in("burst_z", burst_z, 0.0),
            shock_z=finite_number_in("shock_z", shock_z, 0.0),
            pair_budget_bytes=whole_number("pair_budget_bytes", pair_budget_bytes, 0),
        )
        self._stride = self._settings.stride
        self._window = Window(self._settings)
        self._frame: Frame | None = None

    def check_room(self, agents: int) -> None:
        """Raise `LimitError` if a window cannot hold `agents` agents; says what they would need."""
        self._window.check_room(agents)

    def ingest(self, raw_tick: Mapping[str, Any]) -> None:
        """Take in a raw tick in the dict form.

        Raises:
            TickError: the tick is not well formed or its `t` does not increase; the window is as
                it was before.
            LimitError: more agents than the pair budget allows; the tick is not taken in.
        """
        self.ingest_tick(Tick.from_dict(raw_tick))

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
        """Take in a raw tick in the array form.

        Args:
            t: tick number.
            mid: the mid price, or None.
            agent_id: int64[N], each agent once.
            experience: float64[N], NaN where unknown.
            side: int8[N], 0 none, 1 buy, 2 sell.
            price: float64[N], finite for buys and sells, ignored elsewhere.
            matches: int64[M, 2], pairs of agent ids, the second -1 for the pool.

        Raises:
            TickError, LimitError: as `ingest`.
        """
        columns = (agent_id, experience, side, price, matches)
        if type(t) is not int or not -MAX_ID <= t <= MAX_ID:
            t = tick_number(t)
        if mid is not None and (type(mid) is not float or not isfinite(mid)):
            mid = finite_number(mid, "mid", t=t)
        self._window.take(t, mid, columns if are_ready(columns) else as_columns(t, columns))

    def ingest_tick(self, tick: Tick) -> None:
        """Take in a tick; errors as in `ingest`."""
        self.ingest_arrays(tick.t, tick.mid, *tick.columns)

    def maybe_frame(self, t: int) -> Frame | None:
        """Return the frame of tick `t` as columns, or None where none is due.

        None unless `t` is the last tick taken in, ``t >= W``, ``t % stride == 0`` and the
        window holds W consecutive ticks. Asking twice gives the same frame.
        """
        window = self._window
        if t % self._stride or t != window.last_t or t < self._settings.W or not window.full:
            return None
        if self._frame is None or self._frame.t != t:
            self._frame = window.develop()
        return self._frame

    def maybe_build_frame(self, t: int) -> dict[str, Any] | None:
        """Return the frame of tick `t` as the dict of a `frame` message, or None."""
        frame = self.maybe_frame(t)
        return None if frame is None else frame.to_dict()
