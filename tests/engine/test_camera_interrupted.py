"""What becomes of a window when a change to it does not come to its end."""

from __future__ import annotations

import pytest

from marketcam.engine import SlidingWindowCamera
from marketcam.engine.panes import Panes
from marketcam.engine.slots import AgentSlots
from tests.comparing import film
from tests.conftest import INTERPRETED
from tests.raw_ticks import crowd

pytestmark = pytest.mark.kernel

SETTINGS = {"W": 6, "stride": 2, "eps_pct": 0.01, "edge_cap": 40}

ERRORS = [KeyboardInterrupt] if INTERPRETED else [MemoryError, KeyboardInterrupt]
METHODS = [
    (Panes, "take"),
    (Panes, "_next_place"),
    (Panes, "nodes"),
    (Panes, "make_room"),
    (AgentSlots, "know"),
]


def film_until(error, camera, raws):
    """Show ticks until one fails; return those behind it, from one with a mid of its own on."""
    for number, raw in enumerate(raws, 1):
        try:
            film(camera, [raw])
        except error:
            rest = raws[number:]
            while rest[0]["mid"] is None:
                del rest[0]
            return rest
    raise AssertionError("nothing failed")


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
@pytest.mark.parametrize(("part", "method"), METHODS)
@pytest.mark.parametrize("error", ERRORS)
def test_the_next_tick_begins_a_new_window(monkeypatch, proximity, part, method, error):
    """Whatever was left half done: frames are those of a camera that began then."""
    camera = SlidingWindowCamera(**SETTINGS, proximity=proximity)
    assert film(camera, crowd(1, 21, agents=30, lifetime=4))

    def fail(*arguments, **named):
        monkeypatch.undo()
        raise error

    monkeypatch.setattr(part, method, fail)
    rest = film_until(error, camera, list(crowd(2, 36, agents=70, lifetime=4, start=21)))
    expected = film(SlidingWindowCamera(**SETTINGS, proximity=proximity), rest)
    assert len(expected) > 10
    assert film(camera, rest) == expected


@pytest.mark.parametrize("proximity", ["pairs", "neighbors"])
def test_many_agents_before_a_hole_leave_no_trace(proximity):
    """As many as are counted by ranks and in buckets."""
    before = list(crowd(3, 12, agents=450, lifetime=6))
    after = list(crowd(4, 12, agents=450, lifetime=6, start=100))
    camera = SlidingWindowCamera(**SETTINGS, proximity=proximity)
    assert film(camera, before)
    fresh = SlidingWindowCamera(**SETTINGS, proximity=proximity)
    expected = film(fresh, after)
    assert len(expected) == 3
    assert film(camera, after) == expected
