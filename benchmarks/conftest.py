"""What the benchmarks share: agent counts, cameras that run, and what was measured on.

``pytest benchmarks --benchmark-only`` measures; ``-m "not large"`` leaves the large markets out;
``--benchmark-disable`` runs everything once, as a test that the benchmarks still work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import orjson
import pytest
import zstandard

from benchmarks.workloads import Film
from marketcam.engine import warm_up
from marketcam.io import encode_frame

if TYPE_CHECKING:
    from collections.abc import Callable


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "large: many agents, or many seconds")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask every question that depends on `agents` for the same agent counts."""
    if "agents" in metafunc.fixturenames:
        large = [pytest.param(count, marks=pytest.mark.large) for count in (300, 1000)]
        metafunc.parametrize("agents", [10, 74, *large])


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Record the versions of the parts beside the processor."""
    parts = {"numba": numba, "numpy": np, "orjson": orjson, "zstandard": zstandard}
    machine_info["parts"] = {name: part.__version__ for name, part in parts.items()}


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Compile before anything is timed; `bench_cold_start` times just that."""
    encode_frame(warm_up())


@pytest.fixture
def film(agents: int) -> Callable[..., Film]:
    """A camera of the default settings, or with some changed, whose window is full."""

    def make(**changed: Any) -> Film:
        return Film(agents, changed)

    return make
