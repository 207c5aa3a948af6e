"""How fast is a store verified, by the kind of its lines, on one core?"""

from __future__ import annotations

import orjson
import pytest

from benchmarks.workloads import PRICES, Film
from marketcam.io import encode_frame
from marketcam.io.store import ZstdSegmentWriter
from marketcam.io.store.segment_check import warm_up_checks
from marketcam.io.store.verify import verify

AGENTS = 74
FRAMES = 300
METRICS = 300_000

pytestmark = pytest.mark.yardstick("none")  # half of it is zstd's, whose speed is its own


def metric(t):
    """The text of a metric, of numbers that compress as those of a market do."""
    noise = [(t * step % 1_000_003) / 1_000_003 for step in (7919, 104_729, 15_485_863, 32_452_843)]
    price, volatility, imbalance, experience = (round(x, 6) for x in noise)
    s = {"price_norm": price, "volatility": volatility, "liquidity": 1.0, "imbalance": imbalance}
    fields = {"type": "metric", "t": t, "s": s, "N": AGENTS, "avg_exp": experience}
    return orjson.dumps(fields | {"matches_n": t % 31})


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """A store of frames of 74 agents at the default edge cap."""
    store = tmp_path_factory.mktemp("frames")
    running = Film(AGENTS, {}, PRICES)
    with ZstdSegmentWriter("frames", store) as writer:
        for _ in range(FRAMES):
            running.take_until_due()
            writer.write_line(encode_frame(running.frame()), running.t)
    return store


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    """A store of metrics."""
    store = tmp_path_factory.mktemp("metrics")
    with ZstdSegmentWriter("metrics", store) as writer:
        for t in range(METRICS):
            writer.write_line(metric(t), t)
    return store


@pytest.mark.parametrize("parse", [False, True], ids=["plain", "parse"])
@pytest.mark.parametrize("kind", ["frames", "metrics"])
def test_verify(benchmark, request, kind, parse):
    """Every segment decoded; every line's beginning read, or the whole of it parsed."""
    store = request.getfixturevalue(kind)
    warm_up_checks()
    report = benchmark.pedantic(verify, (store,), {"parse": parse}, rounds=5, warmup_rounds=1)
    assert report.damage == []
    benchmark.extra_info.update(lines=report.lines, json_bytes=report.json_bytes)
    if benchmark.enabled:
        speed = report.json_bytes / benchmark.stats["min"] / 1e6
        benchmark.extra_info["megabytes_per_second"] = round(speed)
