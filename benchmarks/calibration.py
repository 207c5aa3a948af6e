"""How fast is this machine at this moment? Three yardsticks, timed beside every benchmark.

A benchmark's time divided by a yardstick's says how much work it is, whatever the machine's clock
and whoever else uses it. `benchmarks.compare` compares that, not seconds.

================  ==========================================================================
``"compute"``     a compiled loop on data in the first-level cache: vectorized comparisons of
                  16-bit integers, and a chain of multiplications. For kernels.
``"memory"``      reading, adding to and writing an array larger than the caches of most
                  machines. For what walks through large tables.
``"python"``      calls, attributes, dicts and integers of plain Python: for what is mostly
                  interpreter, such as the call of a tick of few agents.
``"none"``        no yardstick: for what waits on a disk; timed, but not judged.
================  ==========================================================================

A benchmark says which by ``@pytest.mark.yardstick("memory")`` (`conftest.py`); all three are
kept, so that a saved run can be judged by another one later. The kernels are compiled here and
not by `engine/jit.py`: how the engine is compiled must not move its own yardstick.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["KINDS", "NONE", "Yardsticks"]

KINDS: Final = "compute", "memory", "python"
NONE: Final = "none"
REPEATS: Final = 5

_NEAR: Final = 4_096  # 16-bit numbers: a quarter of a first-level cache
_FAR: Final = 6_000_000  # 64-bit numbers: 48 MB
_PASSES: Final = 1_500
_CALLS: Final = 4_000


class Yardsticks:
    """The three pieces of work, some milliseconds together, with room for their data."""

    def __init__(self) -> None:
        near = np.arange(_NEAR, dtype=np.uint16)
        counts = np.zeros(_NEAR, dtype=np.uint16)
        far = np.zeros(_FAR)
        self._work: dict[str, Callable[[], object]] = {
            "compute": lambda: compute(near, counts, _PASSES),
            "memory": lambda: memory(far),
            "python": lambda: interpret(_CALLS),
        }
        for work in self._work.values():  # compiles
            work()

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each, the least of `REPEATS` in turn: what the machine can do."""
        least = dict.fromkeys(KINDS, float("inf"))
        for _ in range(REPEATS):
            for kind, work in self._work.items():
                begin = time.perf_counter()
                work()
                least[kind] = min(least[kind], time.perf_counter() - begin)
        return least


@numba.njit(cache=True)
def compute(numbers: NDArray[np.uint16], counts: NDArray[np.uint16], passes: int) -> float:
    """Count comparisons, and multiply along a chain that no instruction can run ahead of."""
    product = 1.0
    for k in range(passes):
        low = np.uint16(k)
        for j in range(numbers.size):
            counts[j] += np.uint16(numbers[j] - low) <= np.uint16(1_000)
        for _ in range(100):
            product = product * 0.999999 + 1e-9
    return product


@numba.njit(cache=True)
def memory(numbers: NDArray[np.float64]) -> None:
    """Read and write every number once."""
    for i in range(numbers.size):
        numbers[i] += 1.0


class _Counter:
    def __init__(self) -> None:
        self.total = 0

    def add(self, number: int) -> None:
        self.total += number


def interpret(calls: int) -> int:
    """Call a method, read attributes, fill and read a dict."""
    counter, seen = _Counter(), {}
    for number in range(calls):
        counter.add(number)
        seen[number & 63] = counter.total
    return len(seen)
