"""Which events of a run are new."""

from __future__ import annotations

from marketcam.engine import SlidingWindowCamera
from marketcam.server.operators.events import Event, EventSifter
from tests.event_frames import W, frame_at
from tests.server_helpers import state_tick


def names(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.type, event.t) for event in events]


def test_each_event_is_told_once_by_tick_a_burst_before_a_shock() -> None:
    sifter = EventSifter()
    assert names(sifter.new_events(frame_at(20, (15, 18), (14, 15)))) == [
        ("shock", 14),
        ("burst", 15),
        ("shock", 15),
        ("burst", 18),
    ]
    assert sifter.new_events(frame_at(21, (15, 18), (14, 15))) == []
    assert names(sifter.new_events(frame_at(22, (15, 18, 22), (15,)))) == [("burst", 22)]


def test_one_that_was_not_in_between_is_no_new_one() -> None:
    sifter = EventSifter()
    assert len(sifter.new_events(frame_at(20, (18,)))) == 1
    assert sifter.new_events(frame_at(21)) == []
    assert sifter.new_events(frame_at(22, (18,))) == []


def test_what_the_window_has_passed_is_forgotten() -> None:
    sifter = EventSifter()
    sifter.new_events(frame_at(20, (13, 20)))
    sifter.new_events(frame_at(21))
    assert sifter._known == {(20, "burst")}
    sifter.new_events(frame_at(28))
    assert not sifter._known


def test_as_it_is_posted() -> None:
    (event,) = EventSifter().new_events(frame_at(20, shocks=(18,)))
    assert event.to_dict("r1") == {
        "id": "r1/shock/18",
        "type": "shock",
        "t": 18,
        "value": 180,
        "score": 4.5,
        "frame_t": 20,
    }


def test_of_a_real_camera_each_burst_comes_once() -> None:
    camera, sifter = SlidingWindowCamera(W=W, stride=1, burst_z=2.0), EventSifter()
    found: list[Event] = []
    for t in range(40):
        matches = [[1, 2]] * (9 if t in {12, 30} else 1)
        camera.ingest(state_tick(t) | {"matches": matches})
        frame = camera.maybe_frame(t)
        if frame is not None:
            found += sifter.new_events(frame)
    assert names(found) == [("burst", 12), ("burst", 30)]
    assert [event.frame_t for event in found] == [12, 30]
