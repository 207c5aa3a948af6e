"""The benchmark of the publisher, with sizes that take no time."""

from __future__ import annotations

import argparse

import pytest

from benchmarks.publish import measure


@pytest.mark.parametrize("form", ["arrays", "dict"])
def test_the_benchmark_of_the_publisher_measures(form):
    figures = measure(argparse.Namespace(agents=20, ticks=50, form=form, camera=None))
    assert figures["ticks"] == 50
    assert figures["tick_bytes"] > 20 * 21
    assert all(figure > 0 for figure in figures.values())
