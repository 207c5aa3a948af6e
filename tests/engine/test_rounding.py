"""Figures rounded by the kernel, against Python's own rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine.rounding import round_all
from tests import oracle

pytestmark = pytest.mark.kernel

HALVES = st.integers(-(10**13), 10**13).map(lambda k: (2 * k + 1) / 2e6)
NEIGHBORS = st.tuples(HALVES, st.sampled_from([-math.inf, math.inf])).map(
    lambda pair: math.nextafter(*pair)
)
FIGURES = st.floats(allow_infinity=False, allow_nan=False) | HALVES | NEIGHBORS


@given(st.lists(FIGURES, max_size=40))
def test_figures_are_rounded_as_python_rounds(figures):
    rounded = np.array(figures, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # numpy tells of what is dropped
        round_all(rounded)
    assert [repr(x) for x in rounded.tolist()] == [repr(oracle.round6(x)) for x in figures]


def test_what_is_unknown_stays_unknown():
    values = np.array([math.nan, 1.0000005])
    round_all(values)
    assert math.isnan(values[0])
    assert values[1] == round(1.0000005, 6)
