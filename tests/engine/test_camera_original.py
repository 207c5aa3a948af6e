"""The original simulator's ticks, filmed from end to end by camera and twin."""

from __future__ import annotations

import pytest

from marketcam.engine import Metric, SlidingWindowCamera, Tick
from marketcam.io import encode_frame
from tests import oracle
from tests.comparing import ROUNDING, film, film_with_twin
from tests.raw_ticks import arrays_of


def test_every_frame_at_the_defaults(original_ticks):
    arguments = {"W": 300, "stride": 10, "eps_pct": 0.003, "edge_cap": 2000}
    assert film_with_twin(original_ticks, **arguments) == 270


@pytest.mark.parametrize(
    ("arguments", "frames"),
    [
        ({"W": 300, "stride": 50, "edge_cap": 2000, "proximity": "neighbors"}, 54),
        ({"W": 37, "stride": 25, "edge_cap": 150, "match_share": 0.0, "burst_z": 2.0}, 118),
        ({"W": 64, "stride": 100, "edge_cap": 9, "shock_z": 2.5}, 29),
    ],
    ids=str,
)
def test_other_settings(original_ticks, arguments, frames):
    assert film_with_twin(original_ticks, eps_pct=0.003, **arguments) == frames


def test_dicts_and_arrays_give_the_same_bytes(original_ticks):
    camera = SlidingWindowCamera()
    by_arrays = {}
    for raw in original_ticks:
        camera.ingest_arrays(**arrays_of(raw))
        if (frame := camera.maybe_frame(raw["t"])) is not None:
            by_arrays[raw["t"]] = encode_frame(frame)
    assert film(SlidingWindowCamera(), original_ticks) == by_arrays


def test_every_metric(original_ticks):
    for raw in original_ticks:
        ours, theirs = Metric.of(Tick.from_dict(raw)).to_dict(), oracle.metric(raw)
        assert abs(ours.pop("avg_exp") - theirs.pop("avg_exp")) <= ROUNDING
        assert repr(ours) == repr(theirs)
