"""Which measures there are, of which graphs: one entry a measure, from which columns are made."""

from __future__ import annotations

from typing import Final, NamedTuple

from marketcam.engine.frame import EDGE_TYPES

__all__ = ["BOTH", "FOLLOWED", "GRAPHS", "MEASURES", "PERCENTILES", "Measure", "column"]

BOTH: Final = "both"
"""The graph in which two agents are joined by an edge of either type; its weights add up."""

GRAPHS: Final = (*EDGE_TYPES, BOTH)
"""The graphs of a frame that are measured, each by itself."""

PERCENTILES: Final = (25, 50, 75, 90)
"""Percentiles of the distributions, interpolated linearly between ranks."""

FOLLOWED: Final = "followed"
"""The group of what is known from frame to frame only."""


class Measure(NamedTuple):
    """One measure of a graph.

    Attributes:
        name: its name; a column puts the graph's before it.
        group: what is computed together with it.
        unit: its unit, or range.
        is_count: whether it is a whole number.
    """

    name: str
    group: str
    unit: str
    is_count: bool = False


def _distribution(of: str, unit: str) -> tuple[Measure, ...]:
    percentiles = (Measure(f"{of}_p{percent}", of, unit) for percent in PERCENTILES)
    return (
        Measure(f"{of}_mean", of, unit),
        Measure(f"{of}_max", of, unit, is_count=of == "degree"),
        *percentiles,
        Measure(f"{of}_gini", of, "0..1"),
    )


_ALL: Final = (
    Measure("edges", "connection", "edges", is_count=True),
    Measure("weight", "connection", "sum of weights"),
    Measure("density", "connection", "0..1"),
    Measure("isolates", "connection", "agents", is_count=True),
    Measure("components", "connection", "components", is_count=True),
    Measure("largest_component", "connection", "agents", is_count=True),
    *_distribution("degree", "edges"),
    *_distribution("strength", "sum of weights"),
    Measure("transitivity", "clustering", "0..1"),
    Measure("local_clustering", "clustering", "0..1"),
    Measure("local_clustering_all", "clustering", "0..1"),
    Measure("weighted_clustering", "clustering", "0..1"),
    Measure("degree_assortativity", "mixing", "-1..1"),
    Measure("side_assortativity", "mixing", "-1..1"),
    Measure("experience_assortativity", "mixing", "-1..1"),
    Measure("degree_centralization", "centralization", "0..1"),
    Measure("betweenness_centralization", "betweenness", "0..1"),
    Measure("modularity", "communities", "-0.5..1 at resolution 1"),
    Measure("communities", "communities", "communities", is_count=True),
    Measure("largest_community", "communities", "agents", is_count=True),
    Measure("communities_born", FOLLOWED, "communities", is_count=True),
    Measure("communities_died", FOLLOWED, "communities", is_count=True),
    Measure("communities_kept", FOLLOWED, "communities", is_count=True),
    Measure("communities_split", FOLLOWED, "communities", is_count=True),
    Measure("communities_overlap", FOLLOWED, "0..1"),
    Measure("communities_age", FOLLOWED, "ticks"),
)

MEASURES: Final = {measure.name: measure for measure in _ALL}
"""All measures by name, in the order of their columns."""


def column(graph: str, name: str) -> str:
    """Return the name under which a measure of a graph is published."""
    return f"{graph}_{name}"
