"""How fast is a recording read back: line after line, and the first line at any tick?"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from benchmarks.workloads import Film
from marketcam.io import encode_frame
from marketcam.io.store import Store, ZstdSegmentWriter
from marketcam.io.store.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

AGENTS = 74
FRAMES = 300
METRICS = 300_000
SMALL_SEGMENTS = 1000

pytestmark = pytest.mark.yardstick("none")  # half of it is decoding, which no yardstick is like


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two segments: 60 MB of frames of 74 agents, 45 MB of metrics."""
    store_dir = tmp_path_factory.mktemp("recording")
    film = Film(AGENTS, {"W": 300, "stride": 10})
    rng = random.Random(0)
    with (
        ZstdSegmentWriter("frames", store_dir, segment_seconds=1e6) as frames,
        ZstdSegmentWriter("metrics", store_dir, segment_seconds=1e6) as metrics,
    ):
        for _ in range(FRAMES):
            film.take_until_due()
            frames.write_line(encode_frame(film.frame()), film.t)
        for t in range(METRICS):
            metrics.write_line(metric(rng, t), t)
    return store_dir


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a thousand segments of 100 metrics, a segment every five minutes."""
    store_dir = tmp_path_factory.mktemp("long")
    now = 1_769_256_000.0
    rng = random.Random(0)
    clock = Clock(wall=lambda: now, steady=lambda: now)
    with ZstdSegmentWriter("metrics", store_dir, clock=clock) as writer:
        for t in range(100 * SMALL_SEGMENTS):
            if t % 100 == 0:
                now += 300
            writer.write_line(metric(rng, t), t)
    return store_dir


def metric(rng: random.Random, t: int) -> bytes:
    """Return a metric as the camera writes it, its figures at random."""
    figures = [round(rng.random(), 6) for _ in range(5)]
    return (
        b'{"type":"metric","t":%d,"s":{"price_norm":%.6f,"volatility":%.6f,"liquidity":%.6f,'
        b'"imbalance":%.6f},"N":74,"avg_exp":%.6f,"matches_n":%d}'
        % (t, *figures, rng.randrange(40))
    )


@pytest.mark.parametrize("every", [1, 10])
@pytest.mark.parametrize("kind", ["frames", "metrics"])
def test_lines(benchmark: BenchmarkFixture, recording: Path, kind: str, every: int) -> None:
    """All lines of a kind, or every tenth, from the first to the last."""
    store = Store(recording)
    json_bytes = sum(len(line) + 1 for line in store.lines(kind))

    def read() -> int:
        return sum(1 for _ in store.lines(kind, every=every))

    count = benchmark.pedantic(read, rounds=5, warmup_rounds=1)
    benchmark.extra_info.update(lines=count, json_bytes=json_bytes)
    if benchmark.enabled:
        seconds = benchmark.stats["median"]
        benchmark.extra_info["megabytes_per_second"] = round(json_bytes / seconds / 1e6)


def first_line_anywhere(store: Callable[[], Store], kind: str) -> Callable[[], bytes]:
    """Return a function that reads the first line at a tick that is another each time."""
    (first, *_), last_t = store().segments(kind), store().last_t(kind)
    ticks = random_ticks(first.start_t, last_t or first.start_t)

    def read() -> bytes:
        lines = store().lines(kind, next(ticks))
        line = next(lines)
        lines.close()
        return line

    return read


def random_ticks(first: int, last: int) -> Iterator[int]:
    rng = random.Random(0)
    while True:
        yield rng.randint(first, last)


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "new"])
@pytest.mark.parametrize("kind", ["frames", "metrics"])
def test_seek_in_a_segment(
    benchmark: BenchmarkFixture, recording: Path, kind: str, *, is_kept: bool
) -> None:
    """The first line at any tick of a large segment, from a store kept or opened for it."""
    kept = Store(recording)
    read = first_line_anywhere(lambda: kept if is_kept else Store(recording), kind)
    benchmark.pedantic(read, rounds=100, warmup_rounds=3)


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "new"])
def test_seek_among_a_thousand_segments(
    benchmark: BenchmarkFixture, long_recording: Path, *, is_kept: bool
) -> None:
    """The same in a store of a thousand segments; opened anew, it reads the manifest, too."""
    kept = Store(long_recording)
    read = first_line_anywhere(lambda: kept if is_kept else Store(long_recording), "metrics")
    benchmark.pedantic(read, rounds=50, warmup_rounds=3)
    benchmark.extra_info["segments"] = SMALL_SEGMENTS
