"""A structure frame as a graph of NetworkX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marketcam.engine import Frame
from marketcam.io.extras import of_extra

if TYPE_CHECKING:
    from collections.abc import Mapping

    import networkx as nx

__all__ = ["frame_graph"]


def frame_graph(frame: Frame | Mapping[str, Any]) -> nx.MultiGraph[int]:
    """Return a frame as a multigraph of agents: two may have traded and quoted close, too.

    Nodes are agent ids, in ascending order, with the features as attributes under their published
    names; an unknown experience is None. Edges have the frame's types as their keys, in the
    frame's order, and the attributes `type` and `w` (0..1; `weight="w"` for the measures that take
    one). The graph has the attributes `t`, `t0`, `t1`, `W`, `stride`, `bursts` and `shocks`.

    One kind of relation alone, as a plain `networkx.Graph`, is

    >>> graph = frame_graph(frame)
    >>> trades = nx.Graph(graph.edge_subgraph(e for e in graph.edges if e[2] == "match"))

    Args:
        frame: a `Frame`, or the dict of a frame message.

    Raises:
        FrameError: the message is not well formed.
        MissingExtraError: NetworkX is not installed.

    Cost: 10 ms for 74 nodes and 2000 edges.
    """
    with of_extra("graph"):
        import networkx as nx  # noqa: PLC0415 - of the extra `graph`

    message = frame.to_dict() if isinstance(frame, Frame) else frame
    columns = frame if isinstance(frame, Frame) else Frame.from_dict(frame)
    graph: nx.MultiGraph[int] = nx.MultiGraph(
        t=columns.t,
        t0=columns.t0,
        t1=columns.t1,
        W=columns.W,
        stride=columns.stride,
        bursts=columns.bursts.to_list(),
        shocks=columns.shocks.to_list(),
    )
    graph.add_nodes_from((node["agent_id"], node["features"]) for node in message["nodes"])
    ends = zip(columns.edges.src.tolist(), columns.edges.dst.tolist(), strict=True)
    graph.add_edges_from(
        (src, dst, edge["type"], {"type": edge["type"], "w": edge["w"]})
        for (src, dst), edge in zip(ends, message["edges"], strict=True)
    )
    return graph
