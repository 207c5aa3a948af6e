"""Do those who are joined resemble each other? Newman's assortativity (2002, 2003)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from marketcam.io.measuring.agent_graph import graph_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.io.measuring.agent_graph import AgentGraph
    from marketcam.io.measuring.shape import Values

__all__ = ["mixing"]


def mixing(of: AgentGraph) -> Values:
    """Return the assortativity by degree, by dominant side, and by experience at the end.

    Every edge counts once, whatever it weighs. None where there are no edges, or all ends have the
    same value; by experience, edges of agents whose experience is not known do not count.
    """
    return {
        "degree_assortativity": _of_numbers(of, of.degree.astype(np.float64)),
        "side_assortativity": _of_sides(of),
        "experience_assortativity": _of_numbers(of, of.frame.nodes.experience_end),
    }


def _of_sides(of: AgentGraph) -> float | None:
    sides = of.frame.nodes.dominant_side
    if np.unique(sides[of.ends]).size < 2:
        return None
    value: float = of.graph.assortativity_nominal(sides.tolist(), directed=False)
    return value


def _of_numbers(of: AgentGraph, values: NDArray[np.float64]) -> float | None:
    """Return the correlation of the values at both ends of an edge; NaN values are unknown."""
    at_ends = values[of.ends]
    known = ~np.isnan(at_ends).any(axis=1)
    at_ends = at_ends[known]
    if not at_ends.size or at_ends.min() == at_ends.max():
        return None
    graph = of.graph if known.all() else graph_of(of.n, of.ends[known])
    value: float = graph.assortativity(_around_0(values, of.ends[known]).tolist(), directed=False)
    return value if math.isfinite(value) else None


def _around_0(values: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the values of these ends shifted to a mean of 0 and scaled to 1 at most; else 0.

    igraph takes a difference of squares: around the mean it keeps its digits. The correlation is
    the same. To halve values until the largest is below 1 changes no digit, and before anything is
    added up it keeps sums from overflowing.
    """
    agents = np.unique(ends)
    _, halvings = np.frexp(np.abs(values[agents]).max())
    small = np.zeros_like(values)
    small[agents] = np.ldexp(values[agents], -halvings)
    small[agents] -= small[ends].mean()
    scaled: NDArray[np.float64] = small / np.abs(small).max()
    return scaled
