"""The settings of a camera and their limits."""

from __future__ import annotations

import inspect
import math

import pytest

from marketcam.engine import LimitError, MarketCameraError, SlidingWindowCamera
from tests.raw_ticks import tick


def test_the_defaults_are_those_of_the_contract():
    parameters = inspect.signature(SlidingWindowCamera).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert list(defaults)[:4] == ["W", "stride", "eps_pct", "edge_cap"]
    expected = {
        "W": 300,
        "stride": 10,
        "eps_pct": 0.003,
        "edge_cap": 2000,
        "proximity": "pairs",
        "match_share": 0.5,
        "burst_z": 4.0,
        "shock_z": 4.0,
    }
    assert defaults | expected == defaults


@pytest.mark.parametrize(
    ("name", "bad", "limits"),
    [
        *(("W", bad, ("1", "65535")) for bad in (0, -1, 65536, 10**9)),
        *(("stride", bad, ("1",)) for bad in (0, -10)),
        *(("edge_cap", bad, ("0",)) for bad in (-1, -2000)),
        *(("match_share", bad, ("0", "1")) for bad in (-0.001, 1.001, 50, math.nan, math.inf)),
        *(("eps_pct", bad, ("0",)) for bad in (-1e-9, -0.003, math.nan, math.inf, -math.inf)),
        *(("burst_z", bad, ()) for bad in (math.nan, math.inf)),
        *(("shock_z", bad, ()) for bad in (math.nan, math.inf)),
        *(("proximity", bad, ("pairs", "neighbors")) for bad in ("", "Pairs", "all", None, 1)),
        *(("W", bad, ("1", "65535")) for bad in (True, 3.0, "300", None)),
        *(("stride", bad, ("1",)) for bad in (True, 10.0, "10", None)),
        *(("edge_cap", bad, ("0",)) for bad in (False, 2000.0, "2000", None)),
        *(("match_share", bad, ("0", "1")) for bad in (True, "0.5", None)),
        *(("eps_pct", bad, ("0",)) for bad in (False, "0.003", None)),
    ],
)
def test_a_setting_out_of_range_is_refused_with_name_value_and_range(name, bad, limits):
    with pytest.raises(LimitError) as refused:
        SlidingWindowCamera(**{name: bad})
    assert isinstance(refused.value, MarketCameraError)
    for part in (name, repr(bad), *limits):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"W": 1, "stride": 1},
        {"W": 65535},
        {"stride": 2**53},
        {"edge_cap": 0},
        {"edge_cap": 2**53},
        {"eps_pct": 0},
        {"eps_pct": 0.0},
        {"eps_pct": 1e9},
        {"match_share": 0},
        {"match_share": 1},
        {"proximity": "neighbors"},
    ],
    ids=str,
)
def test_the_rims_of_the_ranges_are_in(arguments):
    camera = SlidingWindowCamera(**arguments)
    camera.ingest(tick(0, buys={1: 1.0, 2: 1.0}, matches=[[1, 2]]))
    assert camera.maybe_build_frame(0) is None


def test_the_longest_window():
    W = 65_535
    camera = SlidingWindowCamera(W=W, stride=W)
    for t in range(1, W + 1):
        camera.ingest_arrays(
            t, 100.0, [3, 8], [0.5, 0.25], [1, 2], [100.0, 100.0], [[3, 8], [8, 3]]
        )
    frame = camera.maybe_build_frame(W)
    features = frame["nodes"][0]["features"]
    assert features["buy_count"] == W
    assert features["match_count"] == 2 * W
    assert features["match_rate"] == 2.0
    assert features["dominant_side"] == "buy"
    assert [(edge["type"], edge["w"]) for edge in frame["edges"]] == [
        ("match", 1.0),
        ("quote_proximity", 1.0),
    ]


def test_the_pair_budget_refuses_the_crowd_and_names_the_way_out():
    """The tick that would need more is refused whole; those before it stay."""
    camera = SlidingWindowCamera(W=1, stride=1, pair_budget_bytes=2**20)
    camera.ingest(tick(1, buys={1: 1.0}))
    crowd = tick(2, buys=dict.fromkeys(range(2000), 1.0))
    with pytest.raises(LimitError, match=r"[0-9]+ MiB .* 1 MiB .*neighbors"):
        camera.ingest(crowd)
    assert [node["agent_id"] for node in camera.maybe_build_frame(1)["nodes"]] == [1]
    camera.ingest(tick(2, buys={2: 1.0}))
    assert [node["agent_id"] for node in camera.maybe_build_frame(2)["nodes"]] == [2]


def test_the_rule_neighbors_needs_no_pair_budget():
    camera = SlidingWindowCamera(W=1, stride=1, proximity="neighbors", pair_budget_bytes=0)
    camera.ingest(tick(1, buys=dict.fromkeys(range(400), 1.0)))
    assert len(camera.maybe_build_frame(1)["edges"]) == 399
