"""Nothing is compiled once the camera runs: the warm-up has met every type that comes later."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import INTERPRETED

# In a process of its own: here, other tests may have compiled what the warm-up forgot.
PROGRAM = """
import importlib, pkgutil
import numpy as np
import marketcam.engine, marketcam.io.frame_kernels
from marketcam.engine import SlidingWindowCamera, warm_up
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_frame, encode_frame_columns, warm_up_encoders

def signatures():
    modules = [marketcam.io.frame_kernels] + [
        importlib.import_module(f"marketcam.engine.{found.name}")
        for found in pkgutil.iter_modules(marketcam.engine.__path__)
    ]
    return {
        f"{kernel.__module__}.{name}": len(kernel.signatures)
        for module in modules
        for name, kernel in vars(module).items()
        if hasattr(kernel, "signatures")
    }

warm_up_encoders(warm_up())
compiled = signatures()
rng = np.random.default_rng(0)
for proximity in ("pairs", "neighbors"):
    camera = SlidingWindowCamera(7, 3, edge_cap=50, proximity=proximity, burst_z=0, shock_z=0)
    for t in range(40):
        n = 1 + t * t % 700
        ids = rng.permutation(3000)[:n].astype(np.int64)
        price = rng.choice([99.0, 100.0, 100.1], n)
        price.flags.writeable = t % 2 == 0
        matches = np.stack([ids[::2][: n // 2], ids[1::2][: n // 2]], axis=1)
        columns = (ids, rng.random(n), rng.integers(0, 3, n).astype(np.int8), price, matches)
        camera.ingest_arrays(t, None if t % 5 == 0 else 100.0 + t % 3, *columns)
        if (frame := camera.maybe_frame(t)) is not None:
            encode_frame(frame)
            encode_frame_columns(frame)
    camera.ingest({"t": 50, "agents": {"1": None}, "actions": {"2": {"side": "buy", "price": 1}}})
market = InfiniteGameMarket(20, adjust_interval=2)
for _ in range(20):
    market.step()
later = signatures()
print({name: (count, later[name]) for name, count in compiled.items() if later[name] != count})
"""


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")
def test_nothing_is_compiled_after_the_warm_up() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == "{}\n"
