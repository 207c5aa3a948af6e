"""The pace of a recorded run: what it was, as far as its records tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from marketcam.io.store import Run, SegmentEntry
from marketcam.io.store.names import SegmentName
from marketcam.server.history.replay_feed import recorded_rate

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def closed(start_t: int, end_t: int, opened: float, closed: float) -> SegmentEntry:
    name = SegmentName(START + timedelta(seconds=opened), start_t)
    record = {
        "path": f"metrics/{name}",
        "start_t": start_t,
        "end_t": end_t,
        "lines": end_t - start_t + 1,
        "bytes": 1,
        "created_at": at(closed),
        "pending": False,
    }
    return SegmentEntry.from_dict(record, "metrics")


def run(rate: float, *, in_order: bool = True) -> Run:
    return Run("r", at(0), {"tick_rate": rate}, ended_at=at(9999) if in_order else None)


PIPED = [closed(start, start + 200, start / 10, start / 10 + 20) for start in (0, 200, 400)]
LATE = closed(600, 800, 60, 1_000_000)


@pytest.mark.parametrize(
    ("given", "segments", "rate"),
    [
        (run(100), PIPED, 10),
        (run(100, in_order=False), [*PIPED, LATE], 10),  # one recovered moves nothing
        (run(100, in_order=False), [LATE], 100),
        (run(0, in_order=False), PIPED[:1], 10),
        (run(10.5), PIPED, 10.5),  # whole seconds tell no better
        (run(5), PIPED, 5),
        (run(100), [closed(0, 40, 0, 4), closed(40, 80, 4, 8), closed(80, 120, 8, 12)], 10),
        (run(100), [closed(0, 40, 0, 4)], 100),
        (run(100), [], 100),
        (run(0), [], None),
    ],
)
def test_the_rate_is_measured_where_enough_tells(
    given: Run, segments: list[SegmentEntry], rate: float | None
) -> None:
    assert recorded_rate(given, segments) == (None if rate is None else pytest.approx(rate))
