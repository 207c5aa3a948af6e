"""Each measure of a frame against its slow twin, on any graph, and where it is not defined."""

from __future__ import annotations

import builtins
import math
import sys

import numpy as np
import orjson
import pytest
from hypothesis import given, settings

from marketcam.engine import FrameError, LimitError
from marketcam.io import MeasureOptions, MissingExtraError, encode_frame, measures
from marketcam.io.measuring.measured import measure_line
from marketcam.io.measuring.names import FOLLOWED, GRAPHS, MEASURES, column
from tests.frame_columns_helpers import small_frame
from tests.measure_frames import MATCH, PROXIMITY, frame_of, graph_frames, ring, star
from tests.measure_twin import twin_measures

TOLERANCE = 1e-9
"""Sums of some hundred terms around 1 in another order differ by 1e-13; what is divided by a small
variance, or is one less another, loses some digits more."""

BY_ITSELF = [name for name, each in MEASURES.items() if each.group != FOLLOWED]
OF_COMMUNITIES = [name for name in BY_ITSELF if MEASURES[name].group == "communities"]


def of(frame, graph: str = "match", **options):
    """The measures of one graph, under their plain names."""
    values = measures(frame, MeasureOptions(graphs=(graph,), **options))
    return {
        name: values[column(graph, name)] for name in BY_ITSELF if column(graph, name) in values
    }


def assert_alike(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        if value is None or found[name] is None or isinstance(found[name], int):
            assert found[name] == value, name
        else:
            assert found[name] == pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE), name


@settings(max_examples=150, deadline=None)
@given(graph_frames())
def test_every_measure_is_that_of_its_twin(frame):
    for graph in GRAPHS:
        found = of(frame, graph)
        for name in OF_COMMUNITIES:
            del found[name]
        assert_alike(found, twin_measures(frame, graph))


def test_a_filmed_frame_has_the_measures_of_its_twin():
    frame = small_frame(agents=30, W=20)
    for graph in GRAPHS:
        found = {k: v for k, v in of(frame, graph).items() if k not in OF_COMMUNITIES}
        assert_alike(found, twin_measures(frame, graph))


def test_the_names_are_those_of_the_graphs_and_measures():
    row = measures(small_frame())
    span = ["t", "t0", "t1", "nodes"]
    assert list(row) == span + [column(graph, name) for graph in GRAPHS for name in BY_ITSELF]
    chosen = MeasureOptions(graphs=("both",), names=("modularity", "density"))
    assert list(measures(small_frame(), chosen)) == [*span, "both_density", "both_modularity"]
    assert orjson.loads(orjson.dumps(row)) == row


def test_a_message_a_line_and_columns_give_the_same():
    frame = small_frame(agents=12, W=10)
    assert measures(frame) == measures(frame.to_dict())
    assert measure_line(encode_frame(frame), MeasureOptions()).row() == measures(frame)


def test_the_order_of_edges_makes_no_difference():
    edges = [(a, b, MATCH, (a + b) / 100) for a in range(12) for b in range(a + 1, 12) if a * b % 3]
    assert measures(frame_of(range(12), edges)) == measures(frame_of(range(12), edges[::-1]))


def test_in_both_the_weights_of_two_agents_add_up():
    frame = frame_of(
        [3, 5, 8], [(3, 5, MATCH, 0.25), (3, 5, PROXIMITY, 0.5), (5, 8, PROXIMITY, 1.0)]
    )
    both = of(frame, "both")
    assert (both["edges"], both["weight"], both["strength_max"]) == (2, 1.75, 1.75)
    assert [of(frame, graph)["edges"] for graph in GRAPHS] == [1, 2, 2]


def test_a_star_is_as_centralized_as_can_be_and_a_ring_not_at_all():
    names = ("degree_centralization", "betweenness_centralization")
    for n in (3, 4, 9):
        assert [of(star(n))[name] for name in names] == pytest.approx([1.0, 1.0])
        assert [of(ring(n))[name] for name in names] == pytest.approx([0.0, 0.0])
    assert of(star(9))["degree_assortativity"] == pytest.approx(-1.0)


def test_what_is_not_defined_is_none():
    nobody, alone, pair = of(frame_of([], [])), of(frame_of([4], [])), of(star(2))
    zero = ("edges", "isolates", "components", "largest_component", "communities")
    assert all(nobody[name] == 0 for name in (*zero, "weight", "largest_community"))
    assert all(
        v is None for k, v in nobody.items() if k not in (*zero, "weight", "largest_community")
    )
    assert (alone["isolates"], alone["components"], alone["largest_component"]) == (1, 1, 1)
    assert (alone["density"], alone["degree_mean"], alone["degree_gini"]) == (None, 0.0, None)
    assert (alone["local_clustering"], alone["local_clustering_all"]) == (None, 0.0)
    assert (pair["density"], pair["degree_gini"], pair["transitivity"]) == (1.0, 0.0, None)
    assert (pair["degree_centralization"], pair["betweenness_centralization"]) == (None, None)


def test_no_assortativity_where_all_ends_are_alike():
    apart = frame_of(
        range(6),
        [(0, 1, MATCH, 0.1), (2, 3, MATCH, 0.1)],
        sides=[1, 1, 1, 1, 2, 0],
        experiences=[0.1, 0.1, 0.1, 0.1, 0.9, math.nan],
    )
    names = ("degree_assortativity", "side_assortativity", "experience_assortativity")
    assert [of(apart)[name] for name in names] == [None, None, None]
    assert [of(frame_of(range(6), []))[name] for name in names] == [None, None, None]


def test_experience_counts_where_both_know_theirs():
    edges = [(0, 1, MATCH, 0.1), (2, 3, MATCH, 0.1), (0, 4, MATCH, 0.1)]
    known = [0.1, 0.1, 0.5, 0.5, math.nan]
    found = of(frame_of(range(5), edges, experiences=known))
    assert found["experience_assortativity"] == pytest.approx(1.0)
    unknown = of(frame_of(range(5), edges, experiences=[math.nan] * 5))
    assert unknown["experience_assortativity"] is None


@pytest.mark.parametrize(
    ("about", "step"), [(0.85, 1e-6), (1e9, 1e-6), (0.0, 1e300), (-3.0, 1e-12), (0.0, 1.9e307)]
)
def test_experience_keeps_its_digits_wherever_it_lies(about, step):
    edges = [(a, a + 1, MATCH, 0.1) for a in range(7)]
    values = about + step * np.array([3, 1, 4, 1, 5, 9, 2, 6])
    shifted = (values - values[1]) / step
    found, expected = (
        of(frame_of(range(8), edges, experiences=each))["experience_assortativity"]
        for each in (values, shifted)
    )
    assert found == pytest.approx(expected, abs=1e-12)


def test_experience_of_both_signs_at_the_ends_of_the_scale():
    edges = [(0, 1, MATCH, 0.1), (1, 2, MATCH, 0.1), (2, 3, MATCH, 0.1)]
    largest = sys.float_info.max
    values = [largest, -largest, largest, -largest]
    for known in (values, [*values[:3], math.nan]):
        found = of(frame_of(range(4), edges, experiences=known))
        assert found["experience_assortativity"] == pytest.approx(-1.0)


def test_betweenness_is_left_out_where_it_costs_too_much():
    name = ("betweenness_centralization",)
    frame = frame_of(range(20), [(a, a + 1, MATCH, 0.1) for a in range(8)])
    steps = 9 * 8
    for most, is_there in ((steps, True), (steps - 1, False)):
        value = of(frame, names=name, betweenness_steps=most)["betweenness_centralization"]
        assert (value is not None) == is_there


@pytest.mark.parametrize(
    ("edge", "problem"),
    [
        ((2, 2, MATCH, 0.1), r"frame 100: edges\[1\].dst must be another agent than src, got 2"),
        ((2, 3, MATCH, 0.0), r"frame 100: edges\[1\].w must be more than 0, got 0.0"),
        ((2, 3, MATCH, math.nan), r"frame 100: edges\[1\].w must be more than 0, got nan"),
    ],
)
def test_an_edge_that_no_camera_makes_is_refused(edge, problem):
    with pytest.raises(FrameError, match=problem):
        measures(frame_of([1, 2, 3], [(1, 2, MATCH, 0.1), edge]))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"graphs": ("all",)}, "graphs must be some of match, quote_proximity, both, got 'all'"),
        ({"graphs": ()}, "graphs must be some of match, quote_proximity, both, got none"),
        ({"names": ("radius",)}, "names must be some of edges, weight, density, .*, got 'radius'"),
        ({"resolution": 0.0}, "resolution must be a number above 0, got 0.0"),
        ({"overlap": 0.0}, "overlap must be above 0 and at most 1, got 0.0"),
        ({"overlap": math.nan}, "overlap must be above 0 and at most 1, got nan"),
        ({"absence": -1}, "absence must be an integer, 0 to 10000, got -1"),
        ({"absence": 10_001}, "absence must be an integer, 0 to 10000, got 10001"),
        ({"seed": -1}, "seed must be an integer, 0 to 9007199254740991, got -1"),
        ({"betweenness_steps": 1.5}, "betweenness_steps must be an integer, 0 to .*, got 1.5"),
    ],
)
def test_options_are_checked(options, problem):
    with pytest.raises(LimitError, match=problem):
        MeasureOptions(**options)


def test_without_igraph_it_is_said_how_to_get_it(monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *rest):
        if name == "igraph":
            raise ModuleNotFoundError("no igraph", name=name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"pip install 'marketcam\[measures\]'"):
        measures(small_frame())
