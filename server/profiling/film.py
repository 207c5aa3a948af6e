"""The timed run of a point: ticks in, encoded frames out, as `serve` does it in one thread.

What is timed is the camera: `ingest_tick` and `maybe_frame` at every tick, `encode_frame` at every
frame. The ticks of a stride are made, and what comes out is looked at and compressed, while the
clock stands. The ticks up to and including the first frame fill the window and are not timed.

Sizes and edges are those of the first `Effort.frames` frames, so that they do not depend on how
many more the machine could make in `Effort.seconds`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np
import zstandard

from marketcam.engine import EDGE_TYPES, SlidingWindowCamera, TickError
from marketcam.io import encode_frame
from marketcam.server.profiling.errors import PointError
from marketcam.server.profiling.ticks import open_supply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marketcam.engine import Edges, Frame, Tick
    from marketcam.server.profiling.points import Point

__all__ = ["MATCH", "Film", "Kept", "Shot", "film", "weights_of"]

MATCH: Final = EDGE_TYPES.index("match")


@dataclass(frozen=True, slots=True)
class Kept:
    """The edges that one frame has kept; weights are whole counts, `w` times W.

    Attributes:
        edges: how many.
        weight: sum of all weights.
        match_weight: sum of the weights of match edges.
        least: the smallest weight, 0 where there is no edge.
    """

    edges: int
    weight: int
    match_weight: int
    least: int

    @classmethod
    def of(cls, edges: Edges, W: int) -> Kept:
        """Sum up the edges of a frame."""
        weights = weights_of(edges, W)
        return cls(
            edges=len(edges),
            weight=int(weights.sum()),
            match_weight=int(weights[edges.kind == MATCH].sum()),
            least=int(weights.min(initial=W)) if len(edges) else 0,
        )


@dataclass(frozen=True, slots=True)
class Shot:
    """What came out at one frame.

    Attributes:
        t: its tick.
        nodes: agents in it.
        size: bytes of its JSON text.
        kept: its edges.
    """

    t: int
    nodes: int
    size: int
    kept: Kept


@dataclass(slots=True)
class Film:
    """A timed run.

    Attributes:
        shots: the first frames, in order.
        latencies: of all frames, the seconds from handing in a frame's tick to its bytes.
        ticks: ticks taken in between the first frame, which is not timed, and the last.
        seconds: what they and their frames took.
        compressed: bytes of `shots` in one zstd stream.
        refused: ticks and lines that were not taken in, over the whole run.
    """

    shots: list[Shot] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    ticks: int = 0
    seconds: float = 0.0
    compressed: int = 0
    refused: int = 0


def film(point: Point) -> Film:
    """Film the ticks of a point until its effort is made, or the ticks end.

    Raises:
        PointError: the ticks end before the second frame.
        SourceError, TickError: the ticks cannot be read, or one is refused and that is to end it.
        LimitError: there is no room for so many agents.
    """
    run = _Run(point)
    with open_supply(point) as supply:
        for block in supply.blocks():
            run.take(block)
            if run.made:
                break
        run.film.refused += supply.skipped
    return run.end()


def weights_of(edges: Edges, W: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the weights of edges as whole counts, int64[e]: their 6 decimals carry them."""
    return np.rint(edges.w * W).astype(np.int64)


class _Run:
    """A camera at work, and its film so far."""

    def __init__(self, point: Point) -> None:
        self.film = Film()
        self._W = point.W
        self._stride = point.stride
        self._effort = point.effort
        self._skips = point.bad_tick == "skip"
        self._camera = SlidingWindowCamera(**point.camera_arguments())
        self._zstd = zstandard.ZstdCompressor(level=point.zstd_level).compressobj()
        self._framed: int | None = None
        self._pending_ticks = 0
        self._pending_seconds = 0.0
        self._seen = 0
        if point.agents is not None:
            self._camera.check_room(point.agents)

    @property
    def made(self) -> bool:
        """Whether the effort is made."""
        frames, seconds = len(self.film.latencies), self.film.seconds
        return frames >= self._effort.frames and seconds >= self._effort.seconds

    def take(self, block: Sequence[Tick]) -> None:
        """Take in the ticks up to the next that may have a frame, timed as one."""
        *others, last = block
        begin = perf_counter()
        for tick in others:
            self._ingest(tick)
            self._camera.maybe_frame(tick.t)
        handed_in = perf_counter()
        self._ingest(last)
        frame = self._camera.maybe_frame(last.t)
        text = None if frame is None else encode_frame(frame)
        end = perf_counter()
        self._seen += len(block)
        self._pending_ticks += len(block)
        self._pending_seconds += end - begin
        if frame is not None and text is not None:
            self._note(frame, text, end - handed_in)

    def end(self) -> Film:
        """Return the film; it has to have a frame."""
        if not self.film.shots:
            raise PointError(
                f"the ticks end after {self._seen}, before the second frame: W {self._W} and "
                f"stride {self._stride} need {self._W + 2 * self._stride} in a row"
            )
        self.film.compressed += len(self._zstd.flush())
        return self.film

    def _ingest(self, tick: Tick) -> None:
        try:
            self._camera.ingest_tick(tick)
        except TickError:
            if not self._skips:
                raise
            self.film.refused += 1

    def _note(self, frame: Frame, text: bytes, seconds: float) -> None:
        """Note a frame, unless the window has filled anew since the last: that is not the rule."""
        if self._framed == frame.t - self._stride:
            self.film.ticks += self._pending_ticks
            self.film.seconds += self._pending_seconds
            self.film.latencies.append(seconds)
            if len(self.film.shots) < self._effort.frames:
                self._look_at(frame, text)
        self._framed = frame.t
        self._pending_ticks, self._pending_seconds = 0, 0.0

    def _look_at(self, frame: Frame, text: bytes) -> None:
        kept = Kept.of(frame.edges, self._W)
        self.film.shots.append(Shot(frame.t, len(frame.nodes), len(text), kept))
        for piece in (text, b"\n"):
            self.film.compressed += len(self._zstd.compress(piece))
