"""How a graph is connected, how even it is, how clustered, and how centralized."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from marketcam.io.measuring.names import PERCENTILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketcam.io.measuring.agent_graph import AgentGraph

__all__ = [
    "Values",
    "betweenness",
    "centralization",
    "clustering",
    "connection",
    "degree",
    "gini",
    "strength",
]

Values = dict[str, "float | int | None"]
"""Measures by name; None where one is not defined."""


def connection(of: AgentGraph) -> Values:
    """Return how much of the graph is joined; isolated agents are components of their own."""
    pairs = of.n * (of.n - 1) // 2
    sizes = np.bincount(of.component, minlength=0)
    return {
        "edges": of.m,
        "weight": float(of.weights.sum()),
        "density": of.m / pairs if pairs else None,
        "isolates": int(np.count_nonzero(of.degree == 0)),
        "components": sizes.size,
        "largest_component": int(sizes.max(initial=0)),
    }


def degree(of: AgentGraph) -> Values:
    """Return the distribution of the degrees, over all agents."""
    values = _distribution("degree", of.degree)
    return values | {"degree_max": int(of.degree.max()) if of.n else None}


def strength(of: AgentGraph) -> Values:
    """Return the distribution of the strengths, over all agents (Barrat et al. 2004)."""
    return _distribution("strength", of.strength)


def _distribution(name: str, values: NDArray[Any]) -> Values:
    names = [f"p{percent}" for percent in PERCENTILES]
    if not values.size:
        return dict.fromkeys(f"{name}_{each}" for each in ("mean", "max", *names, "gini"))
    percentiles = np.percentile(values, PERCENTILES).tolist()
    return {
        f"{name}_mean": float(values.mean()),
        f"{name}_max": float(values.max()),
        **{f"{name}_{each}": value for each, value in zip(names, percentiles, strict=True)},
        f"{name}_gini": gini(values),
    }


def gini(values: NDArray[Any]) -> float | None:
    """Return Gini's coefficient of values that are not negative; None where all are 0.

    It is half the mean difference of any two values, itself with itself included, over their mean
    (Gini 1912): 0 where all are the same, 1 − 1/n where one has all. Cost: to sort them.
    """
    total, n = values.sum(), values.size
    if not total:
        return None
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return float(np.sum(ranks * np.sort(values)) / (n * total))


def clustering(of: AgentGraph) -> Values:
    """Return how often those that one agent is joined with are joined themselves.

    Global (Newman 2003), local (Watts & Strogatz 1998) and weighted by the edges to them (Barrat
    et al. 2004). The local ones are not defined for agents with fewer than two edges.
    """
    names = ("transitivity", "local_clustering", "local_clustering_all", "weighted_clustering")
    asked = of.degree >= 2
    if not asked.any():
        return {name: 0.0 if name == "local_clustering_all" and of.n else None for name in names}
    graph, places = of.graph, np.flatnonzero(asked).tolist()
    local = graph.transitivity_local_undirected(places)
    weighted = graph.transitivity_local_undirected(places, weights=of.weights.tolist())
    values = (graph.transitivity_undirected(), np.mean(local), sum(local) / of.n, np.mean(weighted))
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def centralization(of: AgentGraph) -> Values:
    """Return how far one agent's degree stands out (Freeman 1978): 1 in a star, 0 in a ring."""
    most = (of.n - 1) * (of.n - 2)
    value = _excess(of.degree) / most if of.n > 2 else None
    return {"degree_centralization": value}


def betweenness(of: AgentGraph, steps: int) -> Values:
    """Return how far one agent stands between all others (Freeman 1978), by Brandes (2001).

    Ways are counted in edges, whatever they weigh. None where it would take more than `steps`.
    """
    value = None
    if of.n > 2 and betweenness_steps(of) <= steps:
        between = np.array(of.graph.betweenness(directed=False))
        value = _excess(between) / ((of.n - 1) ** 2 * (of.n - 2) / 2)
    return {"betweenness_centralization": value}


def betweenness_steps(of: AgentGraph) -> int:
    """Return what betweenness takes: the agents times the edges of each component."""
    if not of.m:
        return 0
    agents = np.bincount(of.component)
    edges = np.bincount(of.component[of.ends[:, 0]], minlength=agents.size)
    return int(agents @ edges)


def _excess(values: NDArray[Any]) -> float:
    return float(np.sum(values.max() - values))
