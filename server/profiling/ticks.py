"""The ticks of a point, in blocks that are made before the clock runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from marketcam.engine.scenarios import market_of
from marketcam.io.sources import fail_on_bad_line, open_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.engine import Tick
    from marketcam.io.sources import BadLine, Source
    from marketcam.server.profiling.points import Point

__all__ = ["BLOCK_BYTES", "Supply", "open_supply"]

BLOCK_BYTES: Final = 16 * 2**20
"""Arrays of ticks that wait at once at most, so that they do not pass for the camera's memory."""


class Supply:
    """Ticks that can be had from the start once: those of the embedded market, or of a file.

    Attributes:
        skipped: lines of the file that held no tick.
    """

    def __init__(self, point: Point) -> None:
        self.skipped = 0
        self._stride = point.stride
        self._source = self._open(point)

    def blocks(self) -> Iterator[list[Tick]]:
        """Yield consecutive ticks; one at which a frame may be due is the last of its block."""
        block: list[Tick] = []
        size = 0
        for tick in self._source:
            block.append(tick)
            size += _tick_bytes(tick)
            if tick.t % self._stride == 0 or size >= BLOCK_BYTES:
                yield block
                block, size = [], 0
        if block:
            yield block

    def close(self) -> None:
        """Release the source."""
        self._source.close()

    def _open(self, point: Point) -> Source:
        if point.ticks is not None:
            point.ticks.check()
            fails = point.bad_tick == "fail"
            return open_ticks(point.ticks.path, fail_on_bad_line if fails else self._skip)
        assert point.agents is not None  # noqa: S101 - a point has agents or a file
        assert point.scenario is not None  # noqa: S101 - likewise
        return market_of(
            point.scenario,
            agents=point.agents,
            seed=point.seed,
            adjust_interval=point.adjust_interval,
            max_agents=point.max_agents or None,
            pool_only=point.pool_only,
        )

    def _skip(self, _: BadLine) -> None:
        self.skipped += 1


@contextmanager
def open_supply(point: Point) -> Iterator[Supply]:
    """Open the ticks of a point, and close them at the end.

    Raises:
        SourceError: the ticks cannot be opened.
        PointError: the tick file is another than that of the grid.
        LimitError: the embedded market refuses a setting.
    """
    supply = Supply(point)
    try:
        yield supply
    finally:
        supply.close()


def _tick_bytes(tick: Tick) -> int:
    arrays = (tick.agent_id, tick.experience, tick.side, tick.price, tick.matches)
    return sum(array.nbytes for array in arrays)
