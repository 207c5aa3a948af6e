"""Communities of one graph: Leiden's search for the best modularity, the same at every call."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.io.extras import of_extra
from marketcam.io.measuring.agent_graph import graph_of

if TYPE_CHECKING:
    import igraph
    from numpy.typing import NDArray

    from marketcam.io.measuring.agent_graph import AgentGraph
    from marketcam.io.measuring.options import MeasureOptions
    from marketcam.io.measuring.shape import Values

__all__ = ["Partition", "communities_of", "find_communities"]

_UNTIL_STABLE: Final = -1

Partition = tuple["NDArray[np.int64]", ...]
"""The agents' ids of each community, ascending; the largest first, then that of the smallest id."""

_drawing = threading.Lock()
"""igraph has one random generator a process."""


def communities_of(of: AgentGraph, partition: Partition, resolution: float) -> Values:
    """Return how well the graph falls apart into its communities (Newman 2004, weighted)."""
    return {
        "modularity": _modularity(of, partition, resolution) if of.m else None,
        "communities": len(partition),
        "largest_community": max((each.size for each in partition), default=0),
    }


def find_communities(of: AgentGraph, options: MeasureOptions) -> Partition:
    """Return the communities of two agents and more (Traag, Waltman & van Eck 2019).

    The search draws from a generator of its own, with the seed that is given: the same graph has
    the same communities wherever and whenever it is asked.
    """
    with of_extra("measures"):
        import igraph  # noqa: PLC0415 - of the extra `measures`

    if not of.m:
        return ()
    joined = _without_isolates(of)
    with _drawing:
        igraph.set_random_number_generator(random.Random(options.seed))  # noqa: S311 - no secret
        try:
            found = joined.community_leiden(
                "modularity",
                weights=of.weights.tolist(),
                resolution=options.resolution,
                n_iterations=_UNTIL_STABLE,
            )
        finally:
            igraph.set_random_number_generator(random)  # as igraph has it at its import
    return _partition(_joined_agents(of), np.array(found.membership))


def _joined_agents(of: AgentGraph) -> NDArray[np.int64]:
    return of.frame.nodes.agent_id[of.degree > 0]


def _without_isolates(of: AgentGraph) -> igraph.Graph:
    """Return the agents that have an edge: a search would look at all others as well."""
    numbers = np.cumsum(of.degree > 0) - 1
    return graph_of(int(numbers[-1]) + 1, numbers[of.ends])


def _partition(agents: NDArray[np.int64], membership: NDArray[np.int64]) -> Partition:
    order = np.argsort(membership, kind="stable")
    parts = np.split(agents[order], np.cumsum(np.bincount(membership))[:-1])
    return tuple(sorted((p for p in parts if p.size > 1), key=lambda p: (-p.size, p[0])))


def _modularity(of: AgentGraph, partition: Partition, resolution: float) -> float:
    agents = _joined_agents(of)
    membership = np.arange(agents.size) + len(partition)  # who is in none is each their own
    for number, members in enumerate(partition):
        membership[np.searchsorted(agents, members)] = number
    _, numbers = np.unique(membership, return_inverse=True)
    value: float = _without_isolates(of).modularity(
        numbers.tolist(), weights=of.weights.tolist(), resolution=resolution
    )
    return value
