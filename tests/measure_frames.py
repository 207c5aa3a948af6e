"""Frames made for their graphs: any edges between a few agents of any sides and experiences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from marketcam.engine import Edges, Events, Frame, Nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MATCH, PROXIMITY = 0, 1
NONE = Events(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def frame_of(
    agents: Sequence[int],
    edges: Iterable[tuple[int, int, int, float]],
    *,
    sides: Sequence[int] | None = None,
    experiences: Sequence[float] | None = None,
    t: int = 100,
) -> Frame:
    """Return a frame of these agents; edges are (src, dst, kind, w)."""
    n = len(agents)
    counts, numbers = np.zeros(n, np.int32), np.zeros(n)
    known = np.array([math.nan] * n if experiences is None else experiences, dtype=np.float64)
    rows = list(edges)
    return Frame(
        t=t,
        W=10,
        stride=5,
        nodes=Nodes(
            np.array(agents, dtype=np.int64),
            *[counts] * 4,
            *[numbers] * 4,
            known,
            known,
            numbers,
            np.array([0] * n if sides is None else sides, dtype=np.int8),
        ),
        edges=Edges(
            np.array([row[0] for row in rows], dtype=np.int64),
            np.array([row[1] for row in rows], dtype=np.int64),
            np.array([row[2] for row in rows], dtype=np.int8),
            np.array([row[3] for row in rows], dtype=np.float64),
        ),
        bursts=NONE,
        shocks=NONE,
    )


weights = st.integers(1, 300).map(lambda count: round(count / 300, 6))
experience = st.one_of(
    st.just(math.nan),
    st.sampled_from([0.1, 0.2, 0.85]),
    st.integers(-(10**6), 10**6).map(lambda micros: micros * 1e-6),
)


@st.composite
def graph_frames(draw, most=12):
    """A frame as a camera makes them: at most one edge a type between any two."""
    agents = sorted(draw(st.sets(st.integers(0, 40), max_size=most)))
    pairs = [(a, b) for place, a in enumerate(agents) for b in agents[place + 1 :]]
    joined = st.sets(st.sampled_from(pairs), max_size=3 * most) if pairs else st.just(set())
    edges = [
        (a, b, kind, draw(weights)) for kind in (MATCH, PROXIMITY) for a, b in sorted(draw(joined))
    ]
    n = len(agents)
    return frame_of(
        agents,
        draw(st.permutations(edges)),
        sides=draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)),
        experiences=draw(st.lists(experience, min_size=n, max_size=n)),
    )


def ring(n: int) -> Frame:
    """Agents 0 to n − 1 that each traded with the next."""
    return frame_of(range(n), [(a, (a + 1) % n, MATCH, 0.1) for a in range(n)])


def star(n: int) -> Frame:
    """Agent 0 traded with all others."""
    return frame_of(range(n), [(0, a, MATCH, 0.1) for a in range(1, n)])


def cliques(*members: Iterable[int], t: int = 100) -> Frame:
    """Groups in which all traded with all; agents of several groups are in each."""
    groups = [sorted(group) for group in members]
    agents = sorted({agent for group in groups for agent in group})
    edges = [
        (a, b, MATCH, 0.5)
        for group in groups
        for place, a in enumerate(group)
        for b in group[place + 1 :]
    ]
    return frame_of(agents, edges, t=t)
