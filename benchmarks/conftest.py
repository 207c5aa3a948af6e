"""What the benchmarks share: agent counts, cameras that run, yardsticks, and what is recorded.

``pytest benchmarks --benchmark-only`` measures; ``-m "not large"`` leaves the large markets out;
``--benchmark-disable`` runs everything once, as a test that the benchmarks still work.

Benchmarks are grouped by the question that their file's first line asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.calibration import KINDS, NONE, Yardsticks
from benchmarks.machine import describe
from benchmarks.workloads import PRICES, Film
from marketcam.engine import warm_up
from marketcam.io import warm_up_encoders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "large: many agents, or many seconds")
    config.addinivalue_line("markers", "yardstick(kind): what a benchmark's time is judged by")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask every question that depends on `agents` for the same agent counts."""
    asked = any(
        "agents" in str(mark.args[0]).split(",")
        for mark in metafunc.definition.iter_markers("parametrize")
    )
    if "agents" in metafunc.fixturenames and not asked:
        large = [pytest.param(count, marks=pytest.mark.large) for count in (300, 1000)]
        metafunc.parametrize("agents", [10, 74, *large])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group by question: what the first line of a file asks."""
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("benchmark") is None:
            question = (item.module.__doc__ or item.module.__name__).partition("\n")[0]
            item.add_marker(pytest.mark.benchmark(group=question))


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Record the processor and the versions of the parts, and no host's name: runs are shared."""
    machine_info.clear()
    machine_info.update(describe())


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Keep saved runs small, and the branch and state of a checkout out of them.

    The seconds of every round are kept only where they are asked for.
    """
    output_json.pop("commit_info", None)
    if not config.getoption("benchmark_save_data"):
        for made in output_json["benchmarks"]:
            made["stats"].pop("data", None)


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Compile before anything is timed; `benchmarks.start_up` times just that."""
    warm_up_encoders(warm_up())


@pytest.fixture(scope="session")
def yardsticks() -> Yardsticks:
    """Return the pieces of work that tell how fast the machine is."""
    return Yardsticks()


@pytest.fixture(autouse=True)
def _calibrated(request: pytest.FixtureRequest) -> Iterator[None]:
    """Time the yardsticks before and after a benchmark and keep them with its figures."""
    benchmark: BenchmarkFixture = request.getfixturevalue("benchmark")
    kind = _yardstick_of(request.node)
    if not benchmark.enabled:
        yield
        return
    yardsticks: Yardsticks = request.getfixturevalue("yardsticks")
    before = yardsticks.seconds()
    yield
    after = yardsticks.seconds()
    least = {name: min(before[name], after[name]) for name in KINDS}
    benchmark.extra_info.update(yardstick=kind, calibration=least)


def _yardstick_of(node: pytest.Item) -> str:
    mark = node.get_closest_marker("yardstick")
    kind: str = mark.args[0] if mark is not None else "compute"
    if kind not in (*KINDS, NONE):
        raise pytest.UsageError(f"yardstick must be one of {KINDS} or {NONE!r}, got {kind!r}")
    return kind


@pytest.fixture
def film(agents: int) -> Callable[..., Film]:
    """A camera of the default settings, or with some changed, whose window is full."""

    def make(prices: tuple[float, float] = PRICES, **changed: Any) -> Film:
        return Film(agents, changed, prices)

    return make
