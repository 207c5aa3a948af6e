"""Slow twins of all measures: NetworkX, and formulas word for word where it has none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import networkx as nx

from marketcam.io import frame_graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from marketcam.engine import Frame

SIDES = ("none", "buy", "sell")


def simple_graph(frame: Frame, name: str) -> nx.Graph:
    """Return the graph that is called `name`, with `weight` on its edges."""
    multi = frame_graph(frame)
    graph = nx.Graph()
    graph.add_nodes_from(multi.nodes(data=True))
    for a, b, kind, data in multi.edges(keys=True, data=True):
        if name in (kind, "both"):
            before = graph.get_edge_data(a, b, {"weight": 0.0})["weight"]
            graph.add_edge(a, b, weight=before + data["w"])
    return graph


def twin_measures(frame: Frame, name: str) -> dict[str, Any]:
    """Return all measures of one graph of a frame, but for those of its communities."""
    graph = simple_graph(frame, name)
    n = graph.number_of_nodes()
    experience = nx.get_node_attributes(graph, "experience_end")
    return {
        **_connection(graph, n),
        **_distribution("degree", [degree for _, degree in graph.degree]),
        **_distribution("strength", [s for _, s in graph.degree(weight="weight")]),
        **_clustering(graph, n),
        "degree_assortativity": _numeric(graph, dict(graph.degree)),
        "side_assortativity": _nominal(graph),
        "experience_assortativity": _numeric(graph, experience),
        "degree_centralization": _centralization(nx.degree_centrality(graph), n, n - 2),
        "betweenness_centralization": _centralization(nx.betweenness_centrality(graph), n, n - 1),
    }


def _connection(graph: nx.Graph, n: int) -> dict[str, Any]:
    sizes = [len(component) for component in nx.connected_components(graph)]
    return {
        "edges": graph.number_of_edges(),
        "weight": graph.size(weight="weight"),
        "density": nx.density(graph) if n > 1 else None,
        "isolates": nx.number_of_isolates(graph),
        "components": len(sizes),
        "largest_component": max(sizes, default=0),
    }


def _distribution(name: str, values: Sequence[float]) -> dict[str, Any]:
    shares = {f"{name}_p{percent}": percent / 100 for percent in (25, 50, 75, 90)}
    names = (f"{name}_mean", f"{name}_max", *shares, f"{name}_gini")
    if not values:
        return dict.fromkeys(names)
    ordered = sorted(values)
    return {
        f"{name}_mean": sum(values) / len(values),
        f"{name}_max": max(values),
        **{each: _between_ranks(ordered, share) for each, share in shares.items()},
        f"{name}_gini": _gini(values),
    }


def _between_ranks(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (above - below) * (place - math.floor(place))


def _gini(values: Sequence[float]) -> float | None:
    n, mean = len(values), sum(values) / len(values)
    differences = sum(abs(a - b) for a in values for b in values)
    return differences / (2 * n * n * mean) if mean else None


def _clustering(graph: nx.Graph, n: int) -> dict[str, Any]:
    defined = [node for node, degree in graph.degree if degree >= 2]
    local = nx.clustering(graph)
    return {
        "transitivity": nx.transitivity(graph) if defined else None,
        "local_clustering": _mean(local[node] for node in defined),
        "local_clustering_all": nx.average_clustering(graph) if n else None,
        "weighted_clustering": _mean(barrat(graph, node) for node in defined),
    }


def barrat(graph: nx.Graph, node: int) -> float:
    """Return equation (5) of Barrat et al. (2004), over ordered pairs of neighbours."""
    strength, degree = graph.degree(node, weight="weight"), graph.degree(node)
    closed = sum(
        (graph[node][a]["weight"] + graph[node][b]["weight"]) / 2
        for a in graph[node]
        for b in graph[node]
        if a != b and graph.has_edge(a, b)
    )
    return closed / (strength * (degree - 1))


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def _nominal(graph: nx.Graph) -> float | None:
    sides = {graph.nodes[end]["dominant_side"] for edge in graph.edges for end in edge}
    if len(sides) < 2:
        return None
    return nx.attribute_assortativity_coefficient(graph, "dominant_side")


def _numeric(graph: nx.Graph, values: dict[int, float | None]) -> float | None:
    """Return Pearson's correlation over both directions of every edge, in two passes."""
    edges = [
        (values[a], values[b])
        for a, b in graph.edges
        if values[a] is not None and values[b] is not None
    ]
    ends = [*edges, *((b, a) for a, b in edges)]
    if len({x for x, _ in ends}) < 2:
        return None
    mean = math.fsum(x for x, _ in ends) / len(ends)
    shared = math.fsum((x - mean) * (y - mean) for x, y in ends)
    return shared / math.fsum((x - mean) ** 2 for x, _ in ends)


def _centralization(centrality: dict[int, float], n: int, most: int) -> float | None:
    if n < 3:
        return None
    top = max(centrality.values())
    return sum(top - value for value in centrality.values()) / most


def twin_modularity(
    graph: nx.Graph, groups: Iterable[Iterable[int]], resolution: float = 1.0
) -> float | None:
    """Return the weighted modularity of groups; who is in none is a group of its own."""
    if not graph.number_of_edges():
        return None
    listed = [set(group) for group in groups]
    alone = set(graph) - set().union(*listed)
    listed += [{node} for node in alone]
    return nx.community.modularity(graph, listed, weight="weight", resolution=resolution)


def moves(graph: nx.Graph, groups: Sequence[set[int]]) -> Iterable[list[set[int]]]:
    """Yield what the groups become when one agent goes to another group, or on its own."""
    listed = [set(group) for group in groups]
    listed += [{node} for node in set(graph) - set().union(*listed)]
    for node in graph:
        without = [group - {node} for group in listed]
        yield [*without, {node}]
        for place in range(len(without)):
            moved = list(without)
            moved[place] = moved[place] | {node}
            yield moved


class TwinFollower:
    """`Follower`, by looking at every front and every community."""

    def __init__(self, overlap: float, absence: int) -> None:
        self.overlap, self.absence = overlap, absence
        self.fronts: dict[int, dict[str, Any]] = {}
        self.births = 0

    def follow(self, t: int, groups: Sequence[set[int]]) -> tuple[list[tuple[Any, ...]], int]:
        """Return (id, size, born_t, overlap, split_from) of each group, and how many died."""
        scores = {
            (front, place): len(group & self.fronts[front]["members"])
            / len(group | self.fronts[front]["members"])
            for front in self.fronts
            for place, group in enumerate(groups)
        }
        enough = {key: score for key, score in scores.items() if score >= self.overlap}
        chosen: dict[int, int] = {}
        for front, place in sorted(enough, key=lambda key: (-enough[key], key)):
            if front not in chosen.values() and place not in chosen:
                chosen[place] = front
        told = []
        for front in self.fronts.values():
            front["missed"] += 1
        died = 0
        for front in list(self.fronts):
            if front not in chosen.values() and self.fronts[front]["missed"] > self.absence:
                del self.fronts[front]
                died += 1
        for place, group in enumerate(groups):
            if place in chosen:
                front = chosen[place]
                score, parent = enough[front, place], None
            else:
                candidates = [key for key in enough if key[1] == place]
                best = min(candidates, key=lambda key: (-enough[key], key), default=(None, place))
                front, score, parent = self.births, None, best[0]
                self.births += 1
                self.fronts[front] = {"born": t}
            self.fronts[front] |= {"members": group, "missed": 0}
            told.append((front, len(group), self.fronts[front]["born"], score, parent))
        return told, died
