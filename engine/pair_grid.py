"""Counts of pairs of few slots, in a square table: a pair's place is known, not looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PairGrid", "slide_grid"]


class PairGrid:
    """How often each pair of slots below `capacity` occurs.

    Attributes:
        capacity: slots.
        cells: int32[capacity * capacity], the count of slots a < b at ``a * capacity + b``.
        histogram: int64[W + 1], the number of pairs by count, counts capped at W; entry 0
            means nothing.
    """

    def __init__(self, W: int, capacity: int) -> None:
        self.capacity = capacity
        self.cells = np.zeros(capacity * capacity, dtype=np.int32)
        self.histogram = np.zeros(W + 1, dtype=np.int64)

    def clear(self) -> None:
        """Forget all counts."""
        self.cells.fill(0)
        self.histogram.fill(0)

    def slide(
        self,
        ring: NDArray[np.int64],
        spans: tuple[int, int, int, int],
        *,
        alone: bool,
    ) -> None:
        """Uncount some pairs of a ring and count others.

        `spans` says where those that leave begin and how many they are, and the same of those
        that enter. There is never enough to do for more than one thread, so `alone` does not
        matter. Cost: O(pairs).
        """
        slide_grid(ring, spans, self.capacity, self.cells, self.histogram)


@kernel
def slide_grid(
    ring: NDArray[np.int64],
    spans: tuple[int, int, int, int],
    capacity: int,
    cells: NDArray[np.int32],
    histogram: NDArray[np.int64],
) -> None:
    """Take 1 from the cells of the pairs that leave and add 1 to those that enter."""
    top = histogram.size - 1
    out, leaving, into, entering = spans
    for _ in range(leaving):
        place = (ring[out] >> 32) * capacity + (ring[out] & 0xFFFFFFFF)
        out = out + 1 if out + 1 < ring.size else 0
        count = np.int64(cells[place])
        cells[place] = count - 1
        if count <= top:
            histogram[count] -= 1
            histogram[count - 1] += 1
    for _ in range(entering):
        place = (ring[into] >> 32) * capacity + (ring[into] & 0xFFFFFFFF)
        into = into + 1 if into + 1 < ring.size else 0
        count = np.int64(cells[place])
        cells[place] = count + 1
        if count < top:
            histogram[count] -= 1
            histogram[count + 1] += 1
