"""The plain camera of the benchmarks makes the contract's frames, and the comparison runs."""

from __future__ import annotations

import json

import orjson
import pytest

from benchmarks import baseline
from benchmarks.plain_camera import PlainCamera
from benchmarks.workloads import uniform_market
from tests.comparing import assert_same_frame
from tests.oracle import OracleCamera


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
def test_the_plain_camera_makes_the_twins_frames(proximity):
    arguments = {"W": 30, "stride": 7, "eps_pct": 0.01, "edge_cap": 40, "proximity": proximity}
    plain, twin = PlainCamera(**arguments), OracleCamera(**arguments)
    frames = 0
    for tick in uniform_market(12, 80, start=1):
        plain.ingest(tick.as_dict())
        twin.ingest(tick.as_dict())
        ours, theirs = plain.maybe_build_frame(tick.t), twin.maybe_build_frame(tick.t)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert_same_frame(ours, theirs, twin)
            frames += 1
    assert frames == 7


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
def test_the_comparison_prints_its_figures(capsys, proximity):
    small = ["--agents", "6", "--W", "20", "--ticks", "20", "--repetitions", "2"]
    baseline.main([*small, "--proximity", proximity, "--json"])
    printed = capsys.readouterr()
    figures = json.loads(printed.out)
    assert figures["ratio_lowest"] <= figures["ratio"] <= figures["ratio_highest"]
    assert figures["settings"]["proximity"] == proximity
    assert figures["machine"]["orjson"] == orjson.__version__
    assert "repetition 2 of 2" in printed.err
    baseline.main(small)
    assert "ratio" in capsys.readouterr().out


def test_differing_frames_are_not_compared_in_speed(monkeypatch):
    monkeypatch.setattr(PlainCamera, "_events", lambda _: {"bursts": [], "shocks": [{}]})
    with pytest.raises(SystemExit, match="differ"):
        baseline.main(["--agents", "4", "--W", "10", "--ticks", "20", "--repetitions", "1"])
