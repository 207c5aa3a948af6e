"""Steps of many lanes at once, against plain numpy and plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine.jit import kernel
from marketcam.engine.lanes import (
    LANES,
    SIDE,
    change_row,
    fill_block,
    lanes_from,
    lowest_lane,
)
from marketcam.engine.rank_intervals import sweep_few, sweep_many

pytestmark = pytest.mark.kernel

SEEDS = st.integers(0, 2**32 - 1)


# Interpreted, a step is a function; compiled, it can only be called from a kernel.


@kernel
def change(counts, row, place, reach, ticks):
    return change_row(counts, row, place, reach, ticks)


@kernel
def fill(target, at, value):
    fill_block(target, at, value)


@kernel
def listed(counts, at, least, out):
    found = 0
    lanes = lanes_from(counts, at, least)
    while lanes != np.uint64(0):
        out[found] = lowest_lane(lanes)
        lanes &= lanes - np.uint64(1)
        found += 1
    return found


@given(SEEDS, st.integers(0, 32), st.integers(0, 32), st.integers(0, SIDE), st.integers(0, 5))
def test_a_row_changes_by_the_ticks_that_come_and_go(seed, more, fewer, first, column):
    rng = np.random.default_rng(seed)
    n = more + fewer
    place = rng.integers(0, SIDE + 1, (n, SIDE)).astype(np.uint8)
    ends = np.sort(rng.integers(0, SIDE + 1, (n, 6, 2)), axis=2)
    ends[rng.random((n, 6)) < 0.2] = 0  # who does not quote reaches nobody
    counts = rng.integers(40, 60_000, 3 * SIDE).astype(np.uint16)
    counts[SIDE : SIDE + first] = 0

    low, high = ends[:, column, :1], ends[:, column, 1:]
    within = (low < place) & (place <= high)
    expected = counts.astype(np.int64)
    expected[SIDE : 2 * SIDE] += within[:more].sum(axis=0) - within[more:].sum(axis=0)
    expected[SIDE : SIDE + first] = 0

    reach = np.ascontiguousarray(ends.astype(np.uint8).reshape(n, 12))
    most = change(counts, (SIDE, first, column), place, reach, (more, n))
    assert most == expected[SIDE : 2 * SIDE].max()
    assert (counts == expected).all()


@given(SEEDS, st.integers(0, 70), st.integers(1, 65_535))
def test_the_lanes_that_reach_a_count(seed, at, least):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 65_536, 150).astype(np.uint16)
    counts[rng.integers(0, 150, 20)] = least
    out = np.empty(LANES, dtype=np.int64)
    found = listed(counts, at, least, out)
    assert out[:found].tolist() == np.flatnonzero(counts[at : at + LANES] >= least).tolist()


@given(st.integers(0, 100), st.integers(0, 255))
def test_a_block_is_filled(at, value):
    target = np.arange(200, dtype=np.uint8)
    fill(target, at, value)
    expected = [*range(at), *[value] * LANES, *range(at + LANES, 200)]
    assert target.tolist() == expected


@given(
    st.lists(st.integers(-40, 40).map(lambda n: n / 4) | st.floats(-10, 10), max_size=60),
    st.sampled_from([0.0, 0.25, 1.0, 3.7, 1e9]),
)
def test_both_sweeps_find_who_is_within_eps(prices, eps):
    ordered = np.sort(np.array(prices, dtype=np.float64))
    n = ordered.size
    near = [[k for k in range(n) if abs(ordered[k] - p) <= eps] for p in ordered]
    for sweep in (sweep_few, sweep_many):
        low, above = np.zeros((2, n), dtype=np.uint16)
        sweep(ordered, eps, low, above)
        assert low.tolist() == [ranks[0] for ranks in near]
        assert above.tolist() == [ranks[-1] + 1 for ranks in near]
