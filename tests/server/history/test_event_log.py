"""The events of a run, as they were recorded, and of an older one, as its frames show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.io.store import Store
from marketcam.io.store.journal import OpenRun, RunJournal
from marketcam.io.store.offline import OfflineRecorder, OfflineRun
from marketcam.io.store.runs import Hole
from marketcam.io.store.writer import SegmentRules
from marketcam.server.history import event_log
from marketcam.server.history.event_log import EventLog, EventPage
from marketcam.server.operators.events import Event, FoundEvents

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

W, STRIDE = 30, 7
ABOUT = {"camera": {"W": W, "stride": STRIDE}}
NEW = ABOUT | {"kinds": ["frames", "metrics", "events"]}
BURSTS = (0, 29, 30, 41, 42, 100, 101, 210, 230, 279)
SHOCKS = (41, 150, 151)


def frame_line(t: int) -> bytes:
    """Return a frame's line that shows all that is in its window, as a camera's ends."""
    lists = {
        "bursts": [{"t": e, "value": e + 1, "score": 4.5} for e in BURSTS if t - W < e <= t],
        "shocks": [{"t": e, "value": -0.5, "score": -4.5} for e in SHOCKS if t - W < e <= t],
    }
    return orjson.dumps({"type": "frame", "t": t, "nodes": [], "edges": [], "events": lists})


def record(store: Path, frames: Iterable[int], about: dict[str, Any], *, late: int = 0) -> None:
    """Record frames and the new events of each; a burst may be found some frames late."""
    kinds = tuple(about.get("kinds", ("frames", "metrics")))
    recorder = OfflineRecorder(
        store, kinds, SegmentRules(seconds=5), OfflineRun("run", 1e9, 10.0, about)
    )
    known: set[tuple[int, str]] = set()
    for t in frames:
        recorder.write("frames", frame_line(t), t)
        shown = FoundEvents.of_frame_line(frame_line(t)).events
        new = tuple(
            e
            for e in shown
            if (e.t, e.type) not in known and (e.type == "shock" or e.t <= t - late)
        )
        known |= {(event.t, event.type) for event in new}
        if new and "events" in kinds:
            recorder.write("events", FoundEvents(t, new).line(), t)
    recorder.close()


def page_of(
    store: Path, from_t: int | None = None, to_t: int | None = None, limit: int = 1000
) -> EventPage:
    opened = Store(store)
    *steps, page = EventLog(opened, opened.run("run")).steps(from_t, to_t, limit)
    assert page is not None
    assert not any(steps)
    return page


def named(events: Iterable[Event]) -> list[tuple[str, int]]:
    return [(event.type, event.t) for event in events]


def expected(from_t: int = 0, to_t: int = 279) -> list[tuple[str, int]]:
    there = [("burst", t) for t in BURSTS] + [("shock", t) for t in SHOCKS]
    within = (event for event in there if from_t <= event[1] <= to_t)
    return sorted(within, key=lambda event: (event[1], event[0]))


FRAMES = [W - 1, *(t for t in range(W, 280) if t % STRIDE == 0), 279]


@pytest.mark.parametrize(("about", "late"), [(NEW, 0), (NEW, 12), (ABOUT, 0)])
@pytest.mark.parametrize(
    ("from_t", "to_t"), [(None, None), (41, 41), (30, 150), (150, None), (None, 29), (231, 260)]
)
def test_the_events_of_a_part(
    tmp_path: Path, about: dict[str, Any], late: int, from_t: int | None, to_t: int | None
) -> None:
    frames = range(W - 1, 280) if late else FRAMES
    record(tmp_path, frames, about, late=late)
    page = page_of(tmp_path, from_t, to_t)
    last_t = 279 if to_t is None else to_t
    wanted = expected(from_t or 0, last_t)
    if late:  # what no frame came late enough for was never found
        wanted = [event for event in wanted if event[0] == "shock" or event[1] <= 279 - late]
    assert named(page.events) == wanted
    assert (page.complete, page.covered_to) == (True, None)
    assert page.source == ("recorded" if "kinds" in about else "frames")


@pytest.mark.parametrize("about", [NEW, ABOUT])
@pytest.mark.parametrize("limit", [1, 2, 3, 12, 13])
def test_part_after_part_gives_all_of_them_once(
    tmp_path: Path, about: dict[str, Any], limit: int
) -> None:
    record(tmp_path, FRAMES, about)
    found: list[tuple[str, int]] = []
    page = page_of(tmp_path, None, None, limit)
    while page.covered_to is not None:
        assert not page.complete
        assert limit <= len(page.events) <= limit + 1
        found += named(page.events)
        page = page_of(tmp_path, page.covered_to + 1, None, limit)
    assert page.complete
    assert found + named(page.events) == expected()


def test_frames_are_read_a_bounded_number_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_FRAMES_AT_ONCE", 3)
    record(tmp_path, FRAMES, ABOUT)
    found, next_t, pages = [], None, 0
    while True:
        page = page_of(tmp_path, next_t)
        found += named(page.events)
        pages += 1
        if page.covered_to is None:
            break
        next_t = page.covered_to + 1
    assert found == expected()
    assert 3 <= pages <= 6


def test_a_hole_in_the_events_is_said_where_it_matters(tmp_path: Path) -> None:
    record(tmp_path, FRAMES, NEW)
    run = OpenRun(RunJournal(tmp_path), "run")
    run.add_hole(Hole("metrics", 0, 279, 5, "disk full"))
    assert page_of(tmp_path).complete
    run.add_hole(Hole("events", 100, 110, 2, "disk full"))
    assert not page_of(tmp_path).complete
    assert not page_of(tmp_path, 90, 95).complete  # a frame after them may have shown more
    assert page_of(tmp_path, None, 60).complete
    assert page_of(tmp_path, 111, None).complete


def test_a_hole_in_the_frames_is_said_where_events_are_told_from_them(tmp_path: Path) -> None:
    record(tmp_path, FRAMES, ABOUT)
    run = OpenRun(RunJournal(tmp_path), "run")
    run.add_hole(Hole("events", 0, 279, 5, "disk full"))
    assert page_of(tmp_path).complete
    run.add_hole(Hole("frames", 100, 110, 2, "disk full"))
    assert not page_of(tmp_path).complete
    assert not page_of(tmp_path, 90, 95).complete
    assert page_of(tmp_path, None, 60).complete


def test_a_run_without_frames_has_no_events(tmp_path: Path) -> None:
    record(tmp_path, [], ABOUT)
    assert page_of(tmp_path) == EventPage((), None, complete=True, source="frames")


def test_lines_of_events_are_read_back_as_they_were() -> None:
    found = FoundEvents.of_frame_line(frame_line(41))
    assert named(found.events) == [("burst", 29), ("burst", 30), ("burst", 41), ("shock", 41)]
    assert FoundEvents.of_line(found.line()) == found
    assert found.events[0] == Event("burst", 29, 30, 4.5, 41)
    spaced = orjson.dumps(orjson.loads(frame_line(41)), option=orjson.OPT_INDENT_2)
    assert FoundEvents.of_frame_line(spaced) == found


@pytest.mark.parametrize("line", [b"{}", b"[]", b"nothing", b'{"t":3}', b'{"t":3,"bursts":[1]}'])
def test_other_lines_are_refused(line: bytes) -> None:
    for read in (FoundEvents.of_line, FoundEvents.of_frame_line):
        with pytest.raises(ValueError):  # noqa: PT011 - orjson's own has another text
            read(line)
