"""One frame measured: a function of the frame alone, so that frames can be measured anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from marketcam.engine import Frame
from marketcam.io.measuring import shape
from marketcam.io.measuring.agent_graph import agent_graph, check_edges
from marketcam.io.measuring.communities import Partition, communities_of, find_communities
from marketcam.io.measuring.mixing import mixing
from marketcam.io.measuring.names import FOLLOWED, MEASURES, column
from marketcam.io.measuring.options import MeasureOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    from marketcam.io.measuring.agent_graph import AgentGraph
    from marketcam.io.measuring.shape import Values

__all__ = ["Measured", "measure_frame", "measure_line", "measures"]

_GROUPS: Final[dict[str, Callable[[AgentGraph], Values]]] = {
    "connection": shape.connection,
    "degree": shape.degree,
    "strength": shape.strength,
    "clustering": shape.clustering,
    "mixing": mixing,
    "centralization": shape.centralization,
}


class Measured(NamedTuple):
    """What is known of one frame by itself.

    Attributes:
        t: its tick.
        t0: the first tick of its window.
        nodes: how many agents it has.
        values: the measures of each graph, as `column` names them.
        partitions: the communities of each graph; empty where nobody asked for them.
    """

    t: int
    t0: int
    nodes: int
    values: Values
    partitions: dict[str, Partition]

    def row(self) -> dict[str, Any]:
        """Return it as one row of the table."""
        return {"t": self.t, "t0": self.t0, "t1": self.t, "nodes": self.nodes, **self.values}


def measure_line(line: bytes, options: MeasureOptions) -> Measured:
    """Measure the frame that a recorded line holds: what to spread over processes.

    Raises:
        FrameError, orjson.JSONDecodeError: there is none in it, or one that cannot be.
        MissingExtraError: igraph is not installed.
    """
    return measure_frame(Frame.from_dict(orjson.loads(line)), options)


def measure_frame(frame: Frame, options: MeasureOptions) -> Measured:
    """Measure a frame by itself.

    Raises:
        FrameError: an edge joins an agent with itself, or weighs nothing.
        MissingExtraError: igraph is not installed.
    """
    check_edges(frame)
    values: Values = {}
    partitions: dict[str, Partition] = {}
    for name in options.graphs:
        graph = agent_graph(frame, name)
        found: Values = {}
        if options.has_communities:
            partitions[name] = find_communities(graph, options)
            found |= communities_of(graph, partitions[name], options.resolution)
        for group in options.groups:
            if group in _GROUPS:
                found |= _GROUPS[group](graph)
            elif group == "betweenness":
                found |= shape.betweenness(graph, options.betweenness_steps)
        wanted = (each for each in options.measures if MEASURES[each].group != FOLLOWED)
        values |= {column(name, each): found[each] for each in wanted}
    return Measured(frame.t, frame.t0, len(frame.nodes), values, partitions)


def measures(
    frame: Frame | Mapping[str, Any], options: MeasureOptions | None = None
) -> dict[str, Any]:
    """Return the standard measures of a frame's graphs; docs/measures.md defines each.

    The names are ``match_density``, ``quote_proximity_modularity``, ``both_transitivity`` and so
    on; beside them are `t`, `t0`, `t1` and `nodes`. None stands where a measure is not defined.
    What communities become from frame to frame is in `measures_table`.

    Args:
        frame: a `Frame`, or the dict of a frame message.
        options: which measures of which graphs; all by default.

    Raises:
        FrameError: the message is not well formed, or has an edge that no camera makes.
        MissingExtraError: igraph is not installed.

    Cost: 16 ms for 74 nodes and 2000 edges, most of it betweenness, clustering and communities.
    """
    columns = frame if isinstance(frame, Frame) else Frame.from_dict(frame)
    return measure_frame(columns, options or MeasureOptions()).row()
