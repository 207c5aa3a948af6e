"""What do the measures of a frame cost, and what of that is each group of them?"""

from __future__ import annotations

from itertools import islice

import pytest

from benchmarks.workloads import Film
from marketcam.io import MeasureOptions, encode_frame
from marketcam.io.measuring.following import Following
from marketcam.io.measuring.measured import measure_frame, measure_line
from marketcam.io.measuring.names import FOLLOWED, MEASURES

pytestmark = pytest.mark.yardstick("none")  # a library's code, of many kinds of work

large = [pytest.param(count, marks=pytest.mark.large) for count in (1000, 10_000)]
sizes = pytest.mark.parametrize("agents", [10, 74, *large])

GROUPS = tuple(dict.fromkeys(m.group for m in MEASURES.values() if m.group != FOLLOWED))
SETTINGS = {"W": 100, "stride": 10}
FEW_TICKS = {"W": 20, "stride": 10}
"""Of 10,000 agents: to film them is no question here."""


@pytest.fixture
def frames(agents):
    """Two consecutive frames of a V5-like market."""
    running = Film(agents, SETTINGS if agents < 10_000 else FEW_TICKS)

    def made():
        while True:
            running.take_until_due()
            yield running.frame()

    return list(islice(made(), 2))


def describe(benchmark, frame):
    benchmark.extra_info.update(agents=len(frame.nodes), edges=len(frame.edges))


@sizes
def test_line(benchmark, frames):
    """All measures of a recorded line: what is spread over processes."""
    describe(benchmark, frames[0])
    line = encode_frame(frames[0])
    assert benchmark(measure_line, line, MeasureOptions()).nodes == len(frames[0].nodes)


@sizes
@pytest.mark.parametrize("group", GROUPS)
def test_group(benchmark, frames, group):
    """One group of measures, of the three graphs, to make which is a part of it."""
    describe(benchmark, frames[0])
    names = tuple(name for name, each in MEASURES.items() if each.group == group)
    measured = benchmark(measure_frame, frames[0], MeasureOptions(names=names))
    assert len(measured.values) == 3 * len(names)


@sizes
def test_following(benchmark, frames):
    """What is left to do in order: the communities of a second frame, as those of the first."""
    describe(benchmark, frames[0])
    options = MeasureOptions()
    first, second = (measure_frame(frame, options) for frame in frames)

    def fresh():
        following = Following(options)
        following.follow(first)
        return (following,), {}

    benchmark.pedantic(lambda following: following.follow(second), setup=fresh, rounds=20)
