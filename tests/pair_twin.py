"""The plain twin of the rule `pairs` by slot: whole tables, one comparison a pair and tick.

Beside `oracle.py`, which does without numpy and is too slow for populations of several tiles.
It imports nothing of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def within_reach(price: NDArray[np.float64], eps: float) -> NDArray[np.bool_]:
    """Who is within eps of whom: bool[n, n] for float64[n] prices, NaN where there is no quote."""
    return np.abs(price[:, None] - price[None, :]) <= eps


def best_pairs(
    counts: NDArray[np.int64], node_of: Sequence[int], most: int
) -> list[tuple[int, int, int]]:
    """The best of int64[n, n] counts as (count, src, dst), by count, then smaller rows."""
    i, j = np.nonzero(np.triu(counts, 1))
    a, b = np.asarray(node_of)[i], np.asarray(node_of)[j]
    src, dst, count = np.minimum(a, b), np.maximum(a, b), counts[i, j]
    order = np.lexsort((dst, src, -count))[:most]
    return list(zip(count[order].tolist(), src[order].tolist(), dst[order].tolist(), strict=True))
