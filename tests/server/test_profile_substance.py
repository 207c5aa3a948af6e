"""What is said of a cap equals what the twin keeps, counted edge by edge."""

from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketcam.engine import Tick
from marketcam.server.profiling import film as film_module
from marketcam.server.profiling import substance
from marketcam.server.profiling.errors import PointError
from marketcam.server.profiling.film import film
from marketcam.server.profiling.measure import measure
from marketcam.server.profiling.substance import CURVE_CAPS, close_pairs, wholes
from tests.oracle import OracleCamera
from tests.profile_helpers import SMALL, a_point, points
from tests.raw_ticks import crowd
from tests.strategies import scenes

CAMERA = ("W", "stride", "eps_pct", "edge_cap", "proximity", "match_share", "burst_z", "shock_z")
NO_CAP = 10**9


@contextmanager
def filming(raws):
    """Have film and substance take these ticks, one a block."""
    ticks = [Tick.from_dict(raw) for raw in raws]

    @contextmanager
    def supply(point):
        yield SimpleNamespace(blocks=lambda: ([tick] for tick in ticks), skipped=0)

    with (
        patch.object(substance, "open_supply", supply),
        patch.object(film_module, "open_supply", supply),
    ):
        yield


def twin_frames(raws, arguments, **changes):
    """Return the twin's frames by tick."""
    twin = OracleCamera(**{name: arguments[name] for name in CAMERA if name in arguments} | changes)
    found = {}
    for raw in raws:
        twin.ingest(raw)
        if (frame := twin.maybe_build_frame(raw["t"])) is not None:
            found[raw["t"]] = frame
    return found


def weight(frame, W, kind=None):
    return sum(round(edge["w"] * W) for edge in frame["edges"] if kind in (None, edge["type"]))


@given(scenes())
def test_all_edges_and_what_caps_keep_of_them(scene):
    arguments, raws = scene
    point = a_point(agents=None, **arguments)
    W = arguments["W"]
    everything = twin_frames(raws, arguments, edge_cap=NO_CAP)
    with filming(raws):
        found = wholes(point, everything)
    assert [whole.t for whole in found] == list(everything)
    for whole, frame in zip(found, everything.values(), strict=True):
        assert (whole.edges, whole.cut) == (len(frame["edges"]), False)
        assert (whole.weight, whole.match_weight) == (weight(frame, W), weight(frame, W, "match"))
    for place, cap in enumerate(CURVE_CAPS[:7]):
        kept = twin_frames(raws, arguments, edge_cap=cap)
        assert [whole.curve[place] for whole in found] == [weight(f, W) for f in kept.values()]


@given(scenes(), st.integers(1, 12))
def test_a_ceiling_is_said_and_leaves_the_weights_exact(scene, ceiling):
    arguments, raws = scene
    effort = SMALL.__class__(all_edges=ceiling)
    W, everything = arguments["W"], twin_frames(raws, arguments, edge_cap=NO_CAP)
    point = a_point(agents=None, **arguments, effort=effort)
    ceiling = max(ceiling, point.edge_cap)
    with filming(raws):
        found = wholes(point, everything)
    for whole, frame in zip(found, everything.values(), strict=True):
        assert whole.weight == weight(frame, W)
        assert whole.cut == (len(frame["edges"]) > ceiling)
        assert whole.edges == min(ceiling, len(frame["edges"]))
    for place, cap in enumerate(CURVE_CAPS[:7]):
        kept = twin_frames(raws, arguments, edge_cap=cap)
        for whole, frame in zip(found, kept.values(), strict=True):
            assert whole.curve[place] in (None, weight(frame, W))
            assert whole.curve[place] is not None or whole.cut


def test_a_cap_above_the_ceiling_keeps_no_more_than_all():
    effort = SMALL.__class__(frames=3, seconds=0.0, sampled=2, all_edges=2)
    cut = measure(a_point(agents=12, edge_cap=7, eps_pct=1.0, effort=effort))
    assert (cut.edges, cut.edges_all, cut.edges_all_cut) == (7, 7, True)
    assert cut.edges_kept_share == 1.0
    assert 0.0 < cut.weight_kept_share < 1.0


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
def test_a_film_has_every_frame_but_the_first(proximity):
    raws = list(crowd(7, 40, agents=12, lifetime=30, start=1))
    point = a_point(agents=None, W=10, stride=4, edge_cap=15, proximity=proximity)
    frames = twin_frames(raws, point.camera_arguments())
    with filming(raws):
        filmed = film(a_point(agents=None, W=10, stride=4, edge_cap=15, proximity=proximity,
                              effort=SMALL.__class__(frames=99, seconds=0.0)))  # fmt: skip
    timed = list(frames.values())[1:]
    assert [shot.t for shot in filmed.shots] == [frame["t"] for frame in timed]
    assert (filmed.ticks, len(filmed.latencies)) == (4 * len(timed), len(timed))
    for shot, frame in zip(filmed.shots, timed, strict=True):
        counts = [round(edge["w"] * 10) for edge in frame["edges"]]
        assert shot.nodes == len(frame["nodes"])
        assert abs(shot.size - len(orjson.dumps(frame))) <= 9  # sums may differ in the last digit
        assert shot.kept.edges == len(counts)
        assert (shot.kept.weight, shot.kept.least) == (sum(counts), min(counts))
        assert shot.kept.match_weight == weight(frame, 10, "match")


def test_a_hole_is_not_timed():
    raws = list(crowd(1, 30, agents=5, lifetime=99, start=1))
    with_hole = [raw for raw in raws if raw["t"] != 15]
    point = a_point(agents=None, W=4, stride=2, effort=SMALL.__class__(frames=99, seconds=0.0))
    with filming(with_hole):
        filmed = film(point)
    ts = [shot.t for shot in filmed.shots]
    assert ts == [6, 8, 10, 12, 14, 22, 24, 26, 28, 30]  # at 20 the window is full anew
    assert filmed.ticks == 2 * len(ts)


def test_a_tick_out_of_order_is_counted_or_ends_it():
    raws = list(crowd(1, 30, agents=5, lifetime=99, start=1))
    doubled = [*raws[:9], raws[8], *raws[9:]]
    with filming(doubled):
        assert film(a_point(agents=None, W=4)).refused == 1
        with pytest.raises(ValueError, match="must increase from 9"):
            film(a_point(agents=None, W=4, bad_tick="fail"))


def test_too_few_ticks_are_said():
    short = crowd(1, 8, agents=5, lifetime=99, start=1)
    rule = "the ticks end after 8, before the second frame: W 6"
    with filming(short), pytest.raises(PointError, match=rule):
        film(a_point(agents=None, W=6, stride=3))


def test_more_frames_are_timed_for_as_long_as_asked_and_only_the_first_looked_at():
    (short,) = points()
    (long,) = points(SMALL.__class__(frames=3, seconds=0.05))
    first, second = film(short), film(long)
    assert len(first.latencies) == 3
    assert len(second.latencies) > 3
    assert second.seconds >= 0.05
    assert (second.shots, second.compressed) == (first.shots, first.compressed)


@given(
    st.lists(st.integers(-50, 50), max_size=20),
    st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.5]),
    st.sampled_from([0.1, 1.0, 1e9]),
)
def test_close_pairs_at_the_border(units, eps, unit):
    """Sums round where differences do not: a pair just eps apart counts by its difference."""
    price = np.array([n * unit + 0.1 for n in units])
    tick = SimpleNamespace(price=price, side=np.ones(price.size, dtype=np.int8))
    ordered = sorted(price.tolist())
    naive = sum(
        ordered[j] - ordered[i] <= eps * unit
        for i in range(len(ordered))
        for j in range(i + 1, len(ordered))
    )
    assert close_pairs(tick, eps * unit) == naive
