"""What does a message's JSON text cost, and how much less than by way of dicts?"""

from __future__ import annotations

import orjson
import pytest

from benchmarks.workloads import uniform_market
from marketcam.engine import Metric, Tick
from marketcam.io import encode_frame, encode_metric, encode_tick

STATE = {"price_norm": 0.49875, "volatility": 0.003, "liquidity": 1.0, "imbalance": 0.0}


DICTS = pytest.param("dicts", marks=pytest.mark.yardstick("python"))


@pytest.mark.parametrize("way", ["encode_frame", DICTS])
def test_frame(benchmark, film, agents, way):
    frame = film().frame()
    encode = encode_frame if way == "encode_frame" else lambda frame: orjson.dumps(frame.to_dict())
    text = benchmark(encode, frame)
    benchmark.extra_info.update(agents=agents, json_bytes=len(text))


@pytest.mark.parametrize("agents", [10_000])
@pytest.mark.large
def test_frame_of_many(benchmark, film, agents):
    """At most 4 ms are asked for."""
    frame = film().frame()
    text = benchmark(encode_frame, frame)
    benchmark.extra_info.update(nodes=agents, json_bytes=len(text))


@pytest.mark.parametrize("edge_cap", [0, 200, 20_000])
@pytest.mark.large
def test_frame_by_edge_cap(benchmark, film, agents, edge_cap):
    frame = film(edge_cap=edge_cap).frame()
    text = benchmark(encode_frame, frame)
    benchmark.extra_info.update(edges=len(frame.edges), json_bytes=len(text))


@pytest.mark.yardstick("python")
def test_metric(benchmark, agents):
    """From tick to text, as at every tick."""
    (made,) = uniform_market(agents, 1)
    tick = Tick.from_dict(made.as_dict() | {"s": STATE})
    benchmark(lambda: encode_metric(Metric.of(tick)))


def test_tick(benchmark, agents):
    """A raw tick, as when ticks are recorded too."""
    (made,) = uniform_market(agents, 1)
    tick = Tick.from_dict(made.as_dict() | {"s": STATE})
    benchmark(encode_tick, tick)
