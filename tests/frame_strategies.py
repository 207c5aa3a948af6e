"""Hypothesis strategies: frames of any numbers that a frame may hold, not only likely ones."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from marketcam.engine import Edges, Events, Frame, Nodes
from tests.raw_ticks import MAX_ID


def rounded(value):
    return round(value, 6) + 0.0


micros = st.integers(-(10**12), 10**12).map(lambda units: rounded(units * 1e-6))
powers = st.builds(lambda sign, k: sign * 10.0**k, st.sampled_from([-1, 1]), st.integers(-6, 22))
rims = powers.flatmap(
    lambda power: st.sampled_from(
        [power, math.nextafter(power, math.inf), math.nextafter(power, -math.inf), power * 0.999999]
    )
)
figures = st.one_of(
    micros,
    rims,
    st.floats(0.0, 1.0),
    st.floats(-1e5, 1e5),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.integers(-(2**53), 2**53).map(float),
).map(rounded)
ids = st.one_of(st.integers(0, 12), st.integers(0, MAX_ID), st.just(MAX_ID))
counts = st.one_of(st.integers(0, 300), st.integers(0, 2**31 - 1))
ticks = st.one_of(st.integers(0, 10**6), st.integers(2**17, MAX_ID))


def column(dtype, size, elements):
    return hnp.arrays(dtype, size, elements=elements, fill=st.nothing())


@st.composite
def nodes(draw, figures):
    n = draw(st.integers(0, 6))
    agents = sorted(draw(st.sets(ids, min_size=n, max_size=n)))
    unknown = st.one_of(figures, st.just(math.nan))
    return Nodes(
        np.array(agents, dtype=np.int64),
        *(draw(column(np.int32, n, counts)) for _ in range(4)),
        *(draw(column(np.float64, n, figures)) for _ in range(4)),
        *(draw(column(np.float64, n, unknown)) for _ in range(2)),
        draw(column(np.float64, n, figures)),
        draw(column(np.int8, n, st.integers(0, 2))),
    )


@st.composite
def edges(draw, ends):
    n = draw(st.integers(0, 6)) if ends else 0
    return Edges(
        draw(column(np.int64, n, st.sampled_from(ends))) if ends else np.empty(0, np.int64),
        draw(column(np.int64, n, st.sampled_from(ends))) if ends else np.empty(0, np.int64),
        draw(column(np.int8, n, st.integers(0, 1))),
        draw(column(np.float64, n, st.one_of(st.floats(0.0, 1.0).map(rounded), micros))),
    )


@st.composite
def events(draw, dtype, values):
    n = draw(st.integers(0, 3))
    return Events(
        draw(column(np.int64, n, ticks)),
        draw(column(dtype, n, values)),
        draw(column(np.float64, n, figures)),
    )


@st.composite
def frames(draw, figures=figures):
    """A frame; every edge is between two of its nodes, or from a node to itself."""
    they = draw(nodes(figures))
    return Frame(
        t=draw(ticks),
        W=draw(st.integers(1, 65_535)),
        stride=draw(st.integers(1, 10**6)),
        nodes=they,
        edges=draw(edges(they.agent_id.tolist())),
        bursts=draw(events(np.int64, counts)),
        shocks=draw(events(np.float64, figures)),
    )
