"""Recorded messages with what is missing declared, and how far a run has come."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.io.store import Hole, Store, ZstdSegmentWriter
from marketcam.server.history.recorded import Stretch, View, told
from marketcam.server.stream.place import Place
from marketcam.server.stream.selection import FilmedWith

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LAST = 2  # the rank of what comes last within a tick

FILMED = FilmedWith(stride=2, metric_downsample=1)

BEGIN = Place(-(10**6), LAST)


def record(store: Path, metrics: Iterable[int], frames: Iterable[int]) -> None:
    with ZstdSegmentWriter("metrics", store) as metric, ZstdSegmentWriter("frames", store) as frame:
        for t in metrics:
            metric.write_jsonline({"type": "metric", "t": t}, t)
        for t in frames:
            frame.write_jsonline({"type": "frame", "t": t}, t)


def hole(kind: str, from_t: int, to_t: int) -> Hole:
    return Hole(kind, from_t, to_t, lines=1, reason="no space left on device")


def stretch(
    store: Path,
    holes: tuple[Hole, ...] = (),
    after: Place = BEGIN,
    up_to: Place | None = None,
    passed: Mapping[str, int] | None = None,
    kinds: tuple[str, ...] = ("metric", "frame"),
    every: int = 1,
) -> list[tuple[Any, ...]]:
    run = replace(Store(store).run(), holes=holes)
    steps = told(
        Store(store),
        Stretch(View(run, kinds, every=every, filmed=FILMED), after, up_to, passed or {}),
    )
    messages = [orjson.loads(step[0].body.data) for step in steps if step is not None]
    return [
        (m["type"], m["kind"], m["from_t"], m["to_t"], m["reason"])
        if m["type"] == "gap"
        else (m["type"], m["t"])
        for m in messages
    ]


def gap(kind: str, from_t: int, to_t: int) -> tuple[Any, ...]:
    return ("gap", kind, from_t, to_t, "not_recorded")


def test_a_hole_stands_where_it_begins(tmp_path: Path) -> None:
    record(tmp_path, [1, 2, 6, 7], [2, 4, 6])
    holes = (hole("metrics", 3, 5), hole("ticks", 1, 9), hole("frames", 8, 9))
    assert stretch(tmp_path, holes) == [
        ("metric", 1), ("metric", 2), ("frame", 2),
        gap("metric", 3, 5), ("frame", 4),
        ("metric", 6), ("frame", 6), ("metric", 7),
        gap("frame", 8, 9),
    ]  # fmt: skip
    assert stretch(tmp_path, holes, kinds=("frame",))[-1] == gap("frame", 8, 9)


def test_of_a_hole_only_what_was_wanted_is_missing(tmp_path: Path) -> None:
    """Metrics come at every tick and frames at every second; each third of both is wanted."""
    record(tmp_path, [0, 1, 2, 6, 7, 8, 9, 10], [0, 6])
    holes = (hole("metrics", 3, 5), hole("metrics", 11, 11), hole("frames", 2, 4))
    up_to = Place(24, LAST)
    passed = {"metric": 20, "frame": 24}
    assert stretch(tmp_path, holes, BEGIN, up_to, passed, every=3) == [
        ("metric", 0), ("frame", 0),
        gap("metric", 3, 3),
        ("metric", 6), ("frame", 6), ("metric", 9),
        gap("metric", 12, 18), gap("frame", 12, 24),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("after", "up_to", "expected"),
    [
        (Place(3, LAST), None, [gap("metric", 4, 5), ("metric", 6)]),
        (Place(5, 0), None, [("metric", 6)]),
        (Place(2, 1), Place(4, 0), [gap("metric", 3, 4)]),
        (Place(2, 1), Place(2, LAST), []),
        (Place(0, LAST), Place(1, 0), [("metric", 1)]),
    ],
)
def test_a_hole_is_cut_to_what_was_asked_for(
    tmp_path: Path, after: Place, up_to: Place | None, expected: list[Any]
) -> None:
    record(tmp_path, [1, 2, 6], [])
    assert stretch(tmp_path, (hole("metrics", 3, 5),), after, up_to) == expected


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        ({"metric": 2, "frame": 2}, []),
        ({"metric": 5, "frame": 4}, [gap("metric", 3, 5), gap("frame", 3, 4)]),
        ({"metric": 5}, [gap("metric", 3, 5)]),
    ],
)
def test_what_was_seen_and_is_not_there_is_missing_even_if_no_record_says_so(
    tmp_path: Path, passed: dict[str, int], expected: list[Any]
) -> None:
    record(tmp_path, [1, 2], [2])
    lines = [("metric", 1), ("metric", 2), ("frame", 2)]
    up_to = Place(5, LAST)
    assert stretch(tmp_path, (), Place(0, LAST), up_to, passed) == lines + expected
    declared = (hole("metrics", 3, 5), hole("frames", 3, 5))
    both = [gap("metric", 3, 5), gap("frame", 3, 5)]
    assert stretch(tmp_path, declared, Place(0, LAST), up_to, passed) == lines + both


def test_places_follow_the_order_of_live() -> None:
    order = [(kind, t) for t in range(3) for kind in ("metric", "frame", "tick")]
    places = [Place.of(kind, t) for kind, t in order]
    assert places == sorted(places)
    assert Place.before(1) < Place.of("metric", 1) < Place.of("frame", 1) < Place.end_of(1)
    assert Place.before(1) == Place.end_of(0)
    middle = Place.of("frame", 7)
    assert [middle.first_t_after(kind) for kind in ("metric", "frame", "tick")] == [8, 8, 7]
    assert [middle.last_t_up_to(kind) for kind in ("metric", "frame", "tick")] == [7, 7, 6]
