"""A frame's edges of one type, or of both, as a simple graph of igraph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from marketcam.engine import FrameError
from marketcam.engine.frame import EDGE_TYPES
from marketcam.io.extras import of_extra
from marketcam.io.measuring.names import BOTH

if TYPE_CHECKING:
    import igraph
    from numpy.typing import NDArray

    from marketcam.engine import Edges, Frame

__all__ = ["AgentGraph", "agent_graph", "check_edges"]


@dataclass(frozen=True, eq=False)
class AgentGraph:
    """A simple, undirected, weighted graph over all agents of a frame, isolated ones included.

    Attributes:
        frame: what it is of; its nodes are numbered as there.
        ends: int64[m, 2], the numbers of the nodes that each edge joins, the smaller first; by
            ascending ends.
        weights: float64[m], above 0.
    """

    frame: Frame
    ends: NDArray[np.int64]
    weights: NDArray[np.float64]

    @property
    def n(self) -> int:
        """How many agents there are."""
        return len(self.frame.nodes)

    @property
    def m(self) -> int:
        """How many edges there are."""
        return len(self.ends)

    @cached_property
    def graph(self) -> igraph.Graph:
        """The same as igraph has it.

        Raises:
            MissingExtraError: igraph is not installed.
        """
        return graph_of(self.n, self.ends)

    @cached_property
    def degree(self) -> NDArray[np.int64]:
        """int64[n], the edges of each agent."""
        return np.bincount(self.ends.ravel(), minlength=self.n)

    @cached_property
    def strength(self) -> NDArray[np.float64]:
        """float64[n], the weights of each agent's edges, added up."""
        return _added_up(self.ends.ravel(), np.repeat(self.weights, 2), self.n)

    @cached_property
    def component(self) -> NDArray[np.int64]:
        """int64[n], the number of the component that each agent is in."""
        return np.array(self.graph.connected_components().membership, dtype=np.int64)


def graph_of(n: int, ends: NDArray[np.int64]) -> igraph.Graph:
    """Return nodes 0 to n − 1 and edges as igraph has them.

    Raises:
        MissingExtraError: igraph is not installed.
    """
    with of_extra("measures"):
        import igraph  # noqa: PLC0415 - of the extra `measures`

    graph: Any = igraph.Graph(n)
    graph.add_edges(ends)
    return graph


def check_edges(frame: Frame) -> None:
    """Refuse a frame with an edge that no graph here can have, and no camera makes.

    Raises:
        FrameError: an edge joins an agent with itself, or weighs nothing.
    """
    edges = frame.edges
    loops, weightless = edges.src == edges.dst, ~(edges.w > 0)
    for wrong, field, problem, values in (
        (loops, "dst", "must be another agent than src", edges.dst),
        (weightless, "w", "must be more than 0", edges.w),
    ):
        if wrong.any():
            place = int(np.flatnonzero(wrong)[0])
            raise FrameError(
                problem, t=frame.t, field=f"edges[{place}].{field}", value=values[place].item()
            )


def agent_graph(frame: Frame, name: str) -> AgentGraph:
    """Return the graph of a frame that is called `name`, one of `GRAPHS`.

    Two agents that several edges join, of both types or in a frame from elsewhere, have one edge,
    with the sum of the weights.
    """
    edges = frame.edges
    chosen = (
        np.arange(len(edges))
        if name == BOTH
        else np.flatnonzero(edges.kind == EDGE_TYPES.index(name))
    )
    n = max(1, len(frame.nodes))
    pairs, which = np.unique(_pairs(frame, edges, chosen, n), return_inverse=True)
    weights = _added_up(which, edges.w[chosen], pairs.size)
    return AgentGraph(frame, np.stack(np.divmod(pairs, n), axis=1), weights)


def _pairs(frame: Frame, edges: Edges, chosen: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return each edge as one number, the same for the same two agents."""
    one = np.searchsorted(frame.nodes.agent_id, edges.src[chosen])
    other = np.searchsorted(frame.nodes.agent_id, edges.dst[chosen])
    return np.minimum(one, other) * n + np.maximum(one, other)


def _added_up(
    places: NDArray[np.int64], values: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    return np.bincount(places, weights=values, minlength=size).astype(np.float64)
