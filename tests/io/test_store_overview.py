"""Overviews of recorded metrics, against plain Python over the same lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from marketcam.io.store import Store, StoreError
from marketcam.io.store import overview as overviews
from marketcam.io.store.overview import Overview, Overviews
from tests.metric_helpers import RUN, drawn_together, metrics, record_metrics
from tests.store_helpers import segment_files

if TYPE_CHECKING:
    from pathlib import Path

TICKS = range(1000, 41_000)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Return a store of 134 segments of 300 ticks, and what is in it; some ticks are missing."""
    messages = metrics(t for t in TICKS if not 20_000 <= t < 24_000)
    store = tmp_path_factory.mktemp("metrics")
    record_metrics(store, messages)
    assert len(segment_files(store)) > 100
    return store, messages


def last_of(
    looked: Overviews, from_t: int | None = None, to_t: int | None = None, points: int = 2000
) -> Overview | None:
    last = None
    for last in looked.steps(RUN, from_t, to_t, points):  # noqa: B007 - the last is the answer
        pass
    return last


def fail(error: StoreError) -> None:
    raise AssertionError(error)


def assert_drawn(overview: Overview | None, messages: list[dict[str, Any]]) -> None:
    """Compare an overview with its messages, those of its buckets' ticks."""
    assert overview is not None
    assert (overview.sampled, overview.complete) == (False, True)
    buckets = overview.buckets
    within = [each for each in messages if buckets.start_t <= each["t"] <= buckets.end_t]
    expected = drawn_together(within, buckets.step)
    for place, values in enumerate(buckets.values):
        found = expected.pop(buckets.start_t + place * buckets.step, None)
        if found is None:
            assert np.isnan(values).all()
        else:
            assert [tuple(each) for each in values.T] == found
    assert not expected


@pytest.mark.parametrize(
    ("from_t", "to_t", "points", "step"),
    [
        (None, None, 2000, 21),  # line by line
        (None, None, 300, 144),  # by what is remembered, at the least width
        (None, None, 30, 1408),  # at the next
        (None, None, 5, 10240),  # at the last
        (None, None, 2, 40_960),
        (5000, 5099, 2000, 1),
        (5001, 5001, 2, 1),
        (19_990, 24_010, 100, 41),
        (0, 2**53 - 1, 1000, 41),
        (39_000, 2**53 - 1, 13, 176),
    ],
)
def test_an_overview_is_what_its_lines_come_to(
    recorded: tuple[Path, list[dict[str, Any]]],
    from_t: int | None,
    to_t: int | None,
    points: int,
    step: int,
) -> None:
    store, messages = recorded
    looked = Overviews(Store(store), fail)
    for _ in range(2):  # decoded, and remembered
        overview = last_of(looked, from_t, to_t, points)
        assert overview is not None
        assert overview.buckets.step == step
        assert len(overview.buckets.values) <= points
        assert_drawn(overview, messages)
        assert overview.buckets.start_t <= max(from_t or 0, TICKS[0])
        assert overview.buckets.end_t >= min(to_t or TICKS[-1], TICKS[-1])


def test_where_nothing_is_there_is_no_overview(
    recorded: tuple[Path, list[dict[str, Any]]],
) -> None:
    looked = Overviews(Store(recorded[0]), fail)
    assert last_of(looked, 0, 999) is None
    assert last_of(looked, 50_000, None) is None
    empty = last_of(looked, 20_300, 23_600, 20)
    assert empty is not None
    assert np.isnan(empty.buckets.values).all()


def test_what_is_remembered_is_not_read_again(
    recorded: tuple[Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, messages = recorded
    looked = Overviews(Store(store), fail)
    last_of(looked, points=300)
    monkeypatch.delattr(Store, "texts")
    assert_drawn(last_of(looked, points=300), messages)
    assert_drawn(last_of(looked, points=30), messages)
    assert_drawn(last_of(looked, points=5), messages)


def test_a_long_span_is_sampled_and_filled_in_when_asked_again(
    recorded: tuple[Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, messages = recorded
    monkeypatch.setattr(overviews, "_LINES_AT_ONCE", 10_000)
    monkeypatch.setattr(overviews, "_SAMPLES_AT_ONCE", 40)
    looked = Overviews(Store(store), fail)
    seen = []
    while (overview := last_of(looked, points=200)) is not None and overview.sampled:
        within = drawn_together(messages, overview.buckets.step)
        for place, values in enumerate(overview.buckets.values):
            whole = within.get(overview.buckets.start_t + place * overview.buckets.step)
            if whole is None or np.isnan(values).all():
                continue
            for (low, high, _), (least, greatest, _) in zip(values.T, whole, strict=True):
                assert least <= low <= high <= greatest
        seen.append(int((~np.isnan(overview.buckets.values[:, 0, 0])).sum()))
    assert_drawn(overview, messages)
    assert len(seen) == 3
    assert seen == sorted(seen)
    assert seen[0] > len(overview.buckets.values) / 3  # spread over it, not its beginning


def test_memory_is_bounded(
    recorded: tuple[Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, messages = recorded
    monkeypatch.setattr(overviews, "_REMEMBERED_BYTES", 20_000)
    looked = Overviews(Store(store), fail)
    for points in (300, 30, 300):
        assert_drawn(last_of(looked, points=points), messages)
        assert 0 < looked._memory._bytes <= 20_000
    kept = sum(known.rows.bytes for known in looked._memory._known.values())
    assert kept == looked._memory._bytes


@pytest.mark.parametrize("points", [2000, 20])
def test_what_cannot_be_read_is_left_out_and_said(tmp_path: Path, points: int) -> None:
    messages = metrics(range(6000))
    record_metrics(tmp_path, messages)
    path = segment_files(tmp_path)[3]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    told: list[StoreError] = []
    looked = Overviews(Store(tmp_path), told.append)
    for _ in range(2):
        overview = last_of(looked, points=points)
        assert overview is not None
        assert (overview.sampled, overview.complete) == (False, False)
    assert path.name in str(told[0])
    assert len(told) == (2 if points == 2000 else 1)
